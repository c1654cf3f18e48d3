"""Finding, joining and setting recipes: by path, or by name from the zoo and plugins."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any

from archspec.errors import PluginError, Position, Problem, Source, SpecError, did_you_mean, in_order
from archspec.recipe.document import Loaded
from archspec.recipe.parse import check_version, parse_recipe
from archspec.recipe.tree import copied, joined, put
from archspec.spec.files import display, is_path, read_file
from archspec.spec.reader import MAX_BYTES, Mapping, Scalar, Value, decode, plain, read, shown
from archspec.spec.shelves import on_shelf, shelves

FOLDER = "recipes"
"""Of a shelf: where its recipes stand."""
MOST_PARENTS = 20
OWN = ("recipe", "name", "paper", "description", "reported")
"""Sections that a child does not inherit."""


def recipe_names() -> list[str]:
    """Names of all recipes that can be named without a path."""
    found = [path.stem for shelf in shelves() for path in sorted((shelf.folder / FOLDER).glob("*.yaml"))]
    return list(dict.fromkeys(found))


def load_recipe(
    name: str | os.PathLike[str] | None = None, settings: Dict[str, Any] | None = None, text: str | None = None
) -> Loaded:
    """The recipe of a path, of a name from the zoo, of standard input (`-`), or of a text.

    `settings` are values by path, such as `optimizer.lr`: texts as typed, in YAML, or data.
    Errors: SpecError with every problem
    """
    if text is not None:
        source, folder = Source("<text>", text, "recipe"), None
    else:
        source, folder = _open(os.fspath(name) if name is not None else "-")
    problems: list[Problem] = []
    opened = [Path(source.name).resolve()] if folder is not None else []
    root = copied(_joined(source, folder, folder, opened))
    assert isinstance(root, Mapping)
    for path, value in (settings or {}).items():
        if problem := _set(root, path, value):
            problems.append(problem)
    found = parse_recipe(root, problems)
    if problems or found is None:
        raise SpecError(in_order(problems))
    return found


def _set(root: Mapping, path: str, value: Any) -> Problem | None:
    """Set a value; what is wrong with its path, if anything."""
    if path.partition(".")[0] == "extends":
        hint = "write a recipe of a few lines that extends another"
        return Problem("unknown-key", f"--set {path}: what a recipe extends cannot be set", hint=hint)
    return put(root, path, _given(path, value))


def _given(path: str, value: Any) -> Value:
    """A value that is set, as if it had been written."""
    from archspec.spec.writer import flow

    text = value if isinstance(value, str) else flow(value)
    source = Source(f"--set {path}", text, "recipe")
    try:
        return read(source) if text.strip() else Scalar(Position(source, 1, 1), "", None, True)
    except SpecError:
        return Scalar(Position(source, 1, 1), text, text, True)


def _open(name: str) -> tuple[Source, Path | None]:
    if name == "-":
        return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>", "recipe"), None
    if is_path(name):
        return read_file(Path(name), name, "recipe"), Path(name).parent
    path = _on_shelf(f"{name}.yaml")
    if path is None:
        names = recipe_names()
        hint = f"to name a file, write ./{name}" if Path(name).exists() else did_you_mean(name, names, "recipes")
        raise SpecError([Problem("missing-file", f"{name}: no recipe of this name", hint=hint)])
    return read_file(path, display(path), "recipe"), path.parent


def _on_shelf(name: str) -> Path | None:
    try:
        found = on_shelf(f"{FOLDER}/{name}")
    except PluginError as error:
        raise SpecError([error.problem()]) from error
    return found[1] if found else None


def _joined(source: Source, folder: Path | None, tree: Path | None, above: list[Path]) -> Mapping:
    """The mapping of a recipe in which what it extends is worked in.

    `folder` is the recipe's own, `tree` the one that it may read from, with the folders inside it.
    Errors: SpecError
    """
    problems: list[Problem] = []
    root = check_version(read(source), "a recipe", problems)
    parent = root.get("extends")
    if parent is None:
        return root
    path = _followed(parent, folder, tree, above)
    inherited = _joined(read_file(path, display(path), "recipe"), path.parent, tree, [*above, path.resolve()])
    entries = {name: root.entries[name] for name in OWN[:4] if name in root.entries}
    entries |= {name: entry for name, entry in inherited.entries.items() if name not in OWN}
    for name, (key, value) in root.entries.items():
        if name != "extends":
            entries[name] = (key, joined(entries[name][1], value) if name in entries else value)
    return Mapping(root.position, entries, inherited.size + root.size)


def _followed(value: Value, folder: Path | None, tree: Path | None, above: list[Path]) -> Path:
    """The file that `extends` names: beside the recipe, or a recipe of the zoo or a plugin. Errors: SpecError"""

    def refuse(slug: str, message: str, hint: str = "") -> SpecError:
        return SpecError([Problem(slug, message, value.position, hint=hint)])

    if not isinstance(value, Scalar) or not isinstance(value.value, str) or not value.text:
        raise refuse("bad-section", f"`extends` names a recipe, found {shown(plain(value))}")
    name = value.text if is_path(value.text) else f"{value.text}.yaml"
    beside = folder / name if folder is not None else None
    path = beside if beside is not None and beside.is_file() else _on_shelf(name)
    if path is None:
        message = f"`extends` names {value.text}, which is neither beside this recipe nor in the zoo"
        raise refuse("missing-file", message, did_you_mean(value.text, recipe_names(), "recipes"))
    real = path.resolve()
    allowed = [shelf.folder.resolve() for shelf in shelves()]
    allowed += [tree.resolve()] if tree is not None else []
    if not any(real.is_relative_to(base) for base in allowed):
        message = f"`extends` names {value.text}, outside the recipe's folder"
        raise refuse("outside-folder", message, "copy it beside the recipe")
    if len(above) >= MOST_PARENTS:
        raise refuse("extends-cycle", f"more than {MOST_PARENTS} recipes extend each other")
    if real in above:
        chain = " -> ".join(display(opened) for opened in [*above, real])
        raise refuse("extends-cycle", f"`extends` comes back to itself: {chain}")
    return path
