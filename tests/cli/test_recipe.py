"""`archspec recipe` and `archspec schema --recipe`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from archspec.cli.app import cli
from archspec.cli.recipe import recipe
from archspec.recipe.files import load_recipe, recipe_names

COMMANDS_PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
GOOD = """\
recipe: 1
name: mine
extends: quick
optimizer: {lr: {assumed: 0.2, why: unsaid}}
"""


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=stdin)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(GOOD)
    return tmp_path


def test_show_prints_a_recipe_that_stands_alone(folder: Path) -> None:
    done = run("recipe", "show", "mine.yaml", "--set", "batch.size=32")
    assert done.exit_code == 0
    assert "extends" not in done.output and "assumed" not in done.output
    assert done.output.endswith("# not stated by the paper:\n#   optimizer.lr  0.2: unsaid\n")
    assert load_recipe(text=done.output).recipe == load_recipe("mine.yaml", {"batch.size": 32}).recipe


def test_show_says_so_where_nothing_is_assumed() -> None:
    assert run("recipe", "show", "modern").output.endswith("\n# every value is stated by its source\n")


def test_show_as_json(folder: Path) -> None:
    data = json.loads(run("recipe", "show", "mine.yaml", "--json").output)
    loaded = load_recipe("mine.yaml")
    assert data["hash"] == loaded.recipe.hash
    assert data["assumed"] == [{"path": "optimizer.lr", "value": 0.2, "why": "unsaid"}]
    assert data["recipe"]["optimizer"]["weight_decay"] == 0.0005
    assert data["recipe"]["order"] == {"op": "shuffle"}


def test_show_reads_standard_input() -> None:
    assert "name: mine\n" in run("recipe", "show", "-", stdin=GOOD).output


def test_validate_tells_of_every_recipe(folder: Path) -> None:
    (folder / "bad.yaml").write_text("recipe: 1\nname: bad\nextends: quick\nlength: long\n")
    done = run("recipe", "validate", "bad.yaml", "mine.yaml", "nowhere", "alexnet-2012")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "mine.yaml: 6 epochs, 1 value assumed",
        "alexnet-2012: 90 epochs, 7 values assumed",
    ]
    assert [line for line in done.stderr.splitlines() if not line.startswith(" ")] == [
        "bad.yaml:4:9: `length` must be a length such as `30 epochs`, `64000 steps` or `32768 samples`, found 'long'",
        "nowhere: no recipe of this name",
    ]


def test_validate_sets_values(folder: Path) -> None:
    assert run("recipe", "validate", "mine.yaml", "-s", "length=3 steps").output.startswith("mine.yaml: 3 steps, 1 ")
    assert run("recipe", "validate", "mine.yaml", "-s", "length=3").exit_code == 1


def test_list_has_every_recipe() -> None:
    lines = run("recipe", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == recipe_names()
    assert "Krizhevsky, Sutskever, Hinton 2012, sections 2, 4 and 5" in lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipe", "show"],
        ["recipe", "validate"],
        ["recipe", "show", "quick", "--set", "length"],
        ["recipe", "show", "quick", "--set", "=3"],
        ["recipe", "show", "quick", "-s", "seed=1", "-s", "seed=2"],
        ["schema", "--recipe", "alexnet"],
    ],
)
def test_wrong_command_line(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_recipe_is_no_spec_and_a_spec_no_recipe(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archspec", "validate", "mine.yaml"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "mine.yaml:1:1: this is a recipe, not a spec")


def test_the_schema_is_written(folder: Path) -> None:
    done = run("schema", "--recipe", "--out", "recipe.schema.json")
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads((folder / "recipe.schema.json").read_text())["title"] == "archspec: recipe"


@pytest.mark.parametrize(
    "arguments", [["recipe", "show", "modern"], ["recipe", "validate", "alexnet-caffe"], ["schema", "--recipe"]]
)
def test_torch_is_never_imported(arguments: list[str]) -> None:
    program = f"import sys; sys.argv = {['archspec', *arguments]!r}\nfrom archspec.cli.app import main\n"
    program += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", sorted(recipe.commands))
def test_every_option_is_on_the_page(name: str) -> None:
    section = COMMANDS_PAGE.read_text("utf-8").split("\n## recipe\n")[1].split("\n## ")[0]
    assert f"archspec recipe {name}" in section
    for option in recipe.commands[name].params:
        if isinstance(option, click.Option):
            assert re.search(rf"`{max(option.opts, key=len)}\b", section)
    if name == "show":
        data = json.loads(run("recipe", "show", "alexnet-2012", "--json").output)
        assert all(f"`{key}`" in section for key in [*data, *data["assumed"][0]])
