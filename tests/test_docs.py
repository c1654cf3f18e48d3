"""The documentation holds: its examples run, and its tables have everything the code has."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pydantic_core import PydanticUndefined

from archspec import api
from archspec.cli.app import COMMANDS, cli
from archspec.initializers import INITIALIZERS
from archspec.plugins import Provider
from archspec.registry import BLOCKS
from archspec.spec.document import BLOCK_SECTIONS, RESERVED, SECTIONS
from archspec.spec.expression import FUNCTIONS, LITERALS, REPEAT_NAMES
from archspec.spec.shelves import zoo_names
from archspec.tensor import Sides

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
IMAGES = sorted((DOCS / "images").iterdir())
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REPORTERS = {
    "Problem",
    "ReferenceProblem",
    "_add",
    "_report",
    "report",
    "_error",
    "refuse",
    "EditProblem",
    "_problem",
    "PluginError",
}
"""What the code calls with a slug as the first argument."""


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def examples(page: Path, language: str, marked: str = "") -> Iterator[tuple[str, str]]:
    """The code blocks of a page, each with the place where it begins."""
    content = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(content):
        if found[1] == language and found[2].strip() == marked:
            yield f"{page.name}:{content[: found.start()].count(chr(10)) + 1}", found[3]


SPECS = [(place, code) for page in PAGES for place, code in examples(page, "yaml") if code.startswith("archspec: 1")]
PYTHON = [example for page in ("python.md", "plugins.md") for example in examples(DOCS / page, "python", "complete")]


@pytest.mark.parametrize(("place", "code"), SPECS, ids=[place for place, _ in SPECS])
def test_a_spec_compiles_and_is_what_it_expects(place: str, code: str) -> None:
    api.validate(api.load(text=code))


def test_every_page_of_the_language_is_shown_by_specs() -> None:
    assert sum(place.startswith("language.md") for place, _ in SPECS) >= 15
    assert any(place.startswith("README.md") for place, _ in SPECS)
    assert len(PYTHON) >= 4


@pytest.mark.parametrize(("place", "code"), PYTHON, ids=[place for place, _ in PYTHON])
def test_python_runs(place: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(code, "example_of_the_docs", tmp_path, monkeypatch)


def imported(code: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An example as the module of a file of its own."""
    file = folder / f"{name}.py"
    file.write_text(code, encoding="utf-8")
    described = importlib.util.spec_from_file_location(name, file)
    assert described is not None and described.loader is not None
    module = importlib.util.module_from_spec(described)
    monkeypatch.setitem(sys.modules, name, module)
    described.loader.exec_module(module)
    return module


def test_the_worked_block_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.lowering.standalone import standalone_source
    from archspec.lowering.verify import verify

    ((_, code),) = examples(DOCS / "blocks.md", "python", "complete")
    module = imported(code, "rms_norm_of_the_docs", tmp_path, monkeypatch)
    with BLOCKS.extended({"rms_norm": module.RmsNorm}, Provider("the docs")):
        check_rms_norm(verify, standalone_source)


def check_rms_norm(verify: object, standalone_source: object) -> None:
    import torch

    layers = "{a: {op: rms_norm, eps: 1e-5, first: 0.5}, b: {op: rms_norm, eps: 0.1}}"
    spec = f"archspec: 1\nname: one\ninputs: {{features: [3]}}\nlayers: {layers}\noutputs: {{y: b}}\n"
    graph = api.compile(api.load(text=spec))
    assert graph.state_shapes() == {"a.weight": (3,), "b.weight": (3,)}
    network = api.build(graph)
    assert network.a.weight.tolist() == [0.5] * 3
    assert verify(network, graph, standalone_source(graph), torch.device("cpu"))


def slugs_of_the_code() -> set[str]:
    """First arguments of everything that reports, and the `slug` of error classes."""
    found = set()
    for path in (ROOT / "archspec").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                first = node.args[0] if name in REPORTERS else None
            elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["slug"]:
                first = node.value
            else:
                continue
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def test_every_slug_is_explained() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \|", text("errors.md"), re.MULTILINE)
    assert sorted(explained) == sorted(slugs_of_the_code())


def sections(page: str, level: str) -> dict[str, str]:
    """Heading -> what stands below it, up to the next heading of this or a higher level."""
    parts = re.split(rf"^{level} (.+)\n", text(page), flags=re.MULTILINE)
    bodies = (re.split(r"^##? ", part, maxsplit=1, flags=re.MULTILINE)[0] for part in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


OPS = sections("blocks.md", "###")


def test_every_op_is_described_and_nothing_else() -> None:
    assert sorted(OPS) == sorted(BLOCKS.builtin)


def written(default: object) -> str:
    """A default as the page shows it."""
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "unsaid"
    number = {Sides(): 0, (0, 0): 0, (1, 1): 1, True: "true", False: "false"}
    known = number.get(default, default) if isinstance(default, bool | tuple | Sides) else default
    return f"`{known:g}`" if isinstance(known, float) else f"`{known}`"


@pytest.mark.parametrize("op", sorted(BLOCKS.builtin))
def test_every_field_is_described_with_its_default(op: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", OPS[op], re.MULTILINE)
    expected = {name: written(field.default) for name, field in BLOCKS[op].model_fields.items()}
    found = {name: "`1e-05`" if default == "`1e-5`" else default for name, _, default in rows}
    assert found == expected
    assert "- Shape: " in OPS[op] and "- Cost: " in OPS[op]


def test_every_initializer_is_in_the_language_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text("language.md"), re.MULTILINE))
    for name, kind in INITIALIZERS.items():
        fields = re.findall(r"`(\w+)`", rows[name])
        assert [field for field in fields if field in kind.model_fields] == list(kind.model_fields)


@pytest.mark.parametrize("word", sorted({*SECTIONS, *BLOCK_SECTIONS, *RESERVED}))
def test_every_key_is_in_the_language(word: str) -> None:
    assert re.search(rf"`{word}\b", text("language.md"))


@pytest.mark.parametrize("word", sorted({*FUNCTIONS, *LITERALS, *REPEAT_NAMES}))
def test_every_word_of_expressions_is_in_the_language(word: str) -> None:
    assert f"`{word}`" in text("language.md")


ZOO = dict(re.findall(r"^\| `([^`]+)` \| ([\d,]+ \| [\d,]+) \| .+\. \|$", text("zoo.md"), re.MULTILINE))
"""Spec -> params and MACs as the page has them."""


def test_every_spec_of_the_zoo_is_described_and_nothing_else() -> None:
    assert sorted(ZOO) == zoo_names()
    assert len(re.findall(r"^\| `", text("zoo.md"), re.MULTILINE)) == len(ZOO)


@pytest.mark.parametrize("name", zoo_names())
def test_the_numbers_of_the_zoo_are_right(name: str) -> None:
    graph = api.compile(name)
    assert ZOO[name] == f"{graph.params:,} | {graph.inference().macs:,}"


def test_the_readme_counts_torchvisions_networks() -> None:
    count = sum(name.endswith("-torchvision") for name in zoo_names())
    assert f"`...-torchvision`, {count} of them" in (ROOT / "README.md").read_text(encoding="utf-8")


DRAWN = [
    shlex.split(line)[1:]
    for page in PAGES
    for _, code in examples(page, "sh")
    for line in code.splitlines()
    if "-o docs/images/" in line
]


@pytest.mark.parametrize("command", DRAWN, ids=[command[-1] for command in DRAWN])
def test_a_picture_is_what_its_command_draws(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regenerate: bool
) -> None:
    shown = ROOT / command[-1]
    monkeypatch.chdir(tmp_path)
    made = tmp_path / shown.name
    done = CliRunner().invoke(cli, [*command[:-1], str(made)])
    assert done.exit_code == 0, done.output
    if regenerate:
        shown.write_bytes(made.read_bytes())
    assert made.read_bytes() == shown.read_bytes()


def test_every_picture_has_its_command() -> None:
    assert sorted(command[-1] for command in DRAWN) == sorted(f"docs/images/{path.name}" for path in IMAGES)
    for path in IMAGES:
        assert f"(images/{path.name})" in text("drawing.md")


CONSOLE = list(examples(DOCS / "commands.md", "console"))
NUMBERS = re.compile(r"(?<=line )\d+|(?<=\.yaml:)\d+")


@pytest.mark.parametrize(("place", "code"), CONSOLE, ids=[place for place, _ in CONSOLE])
def test_a_command_prints_what_the_page_says(place: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line numbers aside; a line of three dots stands for any lines."""
    monkeypatch.chdir(ROOT)
    line, _, expected = code.partition("\n")
    done = CliRunner().invoke(cli, shlex.split(line.removeprefix("$ archspec ")))
    pattern = r"(?:.*\n)*".join(map(re.escape, NUMBERS.sub("N", expected).split("...\n")))
    assert re.fullmatch(pattern, NUMBERS.sub("N", done.output)), done.output


COMMAND_PAGES = sections("commands.md", "##")


def test_every_command_has_a_section_and_nothing_else_has() -> None:
    assert list(COMMAND_PAGES) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_the_page(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    common = text("commands.md").split("## ")[0]
    for option in command.params:
        if isinstance(option, click.Option):
            longest = max(option.opts, key=len)
            assert re.search(rf"`{longest}\b", COMMAND_PAGES[name] + common), longest


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("diff", ["resnet18", "resnet18"]), ("explain", ["alexnet", "fc6"]), ("summary", ["alexnet"])],
)
def test_every_key_of_json_is_on_the_page(name: str, arguments: list[str]) -> None:
    data = json.loads(CliRunner().invoke(cli, [name, *arguments, "--json"]).output)
    assert not [key for key in data if f"`{key}`" not in COMMAND_PAGES[name]]


def anchors(content: str) -> set[str]:
    """The fragments that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", content), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target
