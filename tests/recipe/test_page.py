"""docs/recipes.md has every section, kind, op and field of recipes. `pytest --regenerate` writes its tables anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from archspec.length import Length
from archspec.part import Part
from archspec.recipe.document import Recipe
from archspec.recipe.files import load_recipe, recipe_names
from archspec.registry import PARTS, RECIPE_PARTS
from archspec.spec.writer import flow
from archspec.views.model_schema import fields
from archspec.views.recipe_schema import KINDS
from archspec.views.vocabulary import type_words

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
BASES = {base.kind: base for base in Part.__subclasses__()}
EXAMPLES = re.findall(r"^```yaml\n(recipe: 1\b.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def without_references(form: Any) -> Any:
    """A form in which what stands in another place is a word or a mapping."""
    if isinstance(form, list):
        return [without_references(part) for part in form]
    if not isinstance(form, dict):
        return form
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2].removeprefix(".")
        return {"const": KINDS[name]} if name in KINDS else {"type": "object"}
    return (
        {"const": "length"}
        if "step|epoch" in form.get("pattern", "")
        else {k: without_references(v) for k, v in form.items()}
    )


def rows(model: type[BaseModel], but: set[str]) -> Iterator[str]:
    forms, required = fields(model)
    for name, form in forms.items():
        if name in but:
            continue
        default = form.get("default")
        default = str(default) if isinstance(default, Length) else default
        unsaid = "required" if name in required else f"`{flow(default)}`" if default is not None else ""
        words = type_words(without_references(form)).replace("|", "\\|")
        yield f"| `{name}` | {words} | {unsaid} | {form.get('description', '')} |"


def summary(cls: type) -> str:
    """The first paragraph of a class's docstring."""
    return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())


def table(kind: str) -> str:
    """Every op of a kind with its fields; those that all have come first."""
    base = fields(BASES[kind])[0]
    lines = ["| op, field | value | unsaid | what |", "|---|---|---|---|"]
    if base:
        lines += [f"| every {kind} | | | |", *rows(BASES[kind], set())]
    for op in PARTS[kind]:
        cls = RECIPE_PARTS[kind][op]
        lines += [f"| **`{op}`** | | | {summary(cls)} |", *rows(cls, set(base))]
    return "\n".join(lines)


def begins(kind: str) -> str:
    return f"<!-- parts: {kind} -->\n"


@pytest.mark.parametrize("kind", PARTS)
def test_every_part_is_on_the_page_with_its_fields(kind: str, regenerate: bool) -> None:
    text = PAGE.read_text("utf-8")
    before, after = text.split(begins(kind))
    old, rest = after.split("\n\n", 1)
    if regenerate:
        PAGE.write_text(f"{before}{begins(kind)}{table(kind)}\n\n{rest}", "utf-8")
    else:
        assert old == table(kind)


def test_every_section_is_on_the_page() -> None:
    about = PAGE.read_text("utf-8").split("## Sections")[1].split("\n## ")[0]
    named = re.findall(r"^\| (`.*?`) \| ", about, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(named))) == sorted([*Recipe.model_fields, "extends"])


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("name: ")[1].split("\n")[0])
def test_a_recipe_of_the_page_loads(text: str) -> None:
    load_recipe(text=text)


def test_the_page_shows_recipes_and_names_those_of_the_zoo() -> None:
    assert len(EXAMPLES) >= 3
    page = PAGE.read_text("utf-8")
    assert [name for name in recipe_names() if f"`{name}`" not in page] == []
