"""`archspec new`, as a user runs it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec import api
from archspec.cli.app import cli
from archspec.cli.new import STARTER
from archspec.errors import ArchspecError
from archspec.spec.document import SECTIONS


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        return CliRunner().invoke(cli, ["new", *arguments])

    return invoke


def test_the_spec_validates_and_builds(run):
    done = run("my-net")
    assert done.exit_code == 0, done.output
    assert "archspec summary ./my-net.yaml" in done.output
    graph = api.validate("./my-net.yaml")
    assert graph.name == "my-net"
    module = archspec.build(graph)
    assert sum(parameter.numel() for parameter in module.parameters()) == graph.params == 78_042


@pytest.mark.parametrize("settings", [{"pool": False}, {"depth": 14, "width": 8}, {"classes": 100}])
def test_its_params_can_be_set(run, settings):
    run("my-net")
    assert api.compile("./my-net.yaml", set=settings).changed == settings


def test_its_check_refuses_what_it_says(run):
    run("my-net")
    with pytest.raises(ArchspecError, match="width must be even"):
        api.compile("./my-net.yaml", set={"width": 15})


@pytest.mark.parametrize("name", ["null", "true", "123", "1e3", "no", "net.v2", "a_b-c"])
def test_any_name_of_a_spec_will_do(run, name):
    assert run(name).exit_code == 0
    assert api.compile(f"./{name}.yaml").name == name


@pytest.mark.parametrize("name", ["My", "-net", "a b", "a/b", "_x", "é", ""])
def test_bad_names_are_refused_with_the_rule(run, tmp_path, name):
    done = run("--", name)
    assert done.exit_code == 2
    assert "beginning with a letter or digit" in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_a_name(run, tmp_path):
    done = run("net.yaml")
    assert done.exit_code == 2
    assert "give the name alone: net" in done.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(run, tmp_path):
    (tmp_path / "net.yaml").write_text("mine")
    done = run("net")
    assert done.exit_code == 1
    assert isinstance(done.exception, ArchspecError)
    assert str(done.exception) == "net.yaml: exists already\n  hint: --out names another file"
    assert (tmp_path / "net.yaml").read_text() == "mine"


def test_out_names_a_file_or_a_folder(run, tmp_path):
    assert run("net", "--out", "other.yaml").exit_code == 0
    assert api.compile(tmp_path / "other.yaml").name == "net"
    (tmp_path / "specs").mkdir()
    assert run("net", "--out", "specs").exit_code == 0
    assert api.compile(tmp_path / "specs" / "net.yaml").name == "net"
    assert run("net", "--out", "folder/").exit_code == 0
    assert api.compile(tmp_path / "folder" / "net.yaml").name == "net"
    done = run("net", "--out", str(Path("other.yaml") / "net.yaml"))
    assert done.exit_code == 1
    assert "other.yaml" in str(done.exception)


def test_the_starter_shows_the_language():
    text = STARTER.read_text(encoding="utf-8")
    shown = {line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    assert shown == set(SECTIONS) - {"extends", "use", "edit", "requires"}
    for word in ("repeat:", "when:", "else:", "from:", "stride: =2 if first", "choices:", "doc:", "set:"):
        assert word in text


def test_the_starter_is_formatted():
    text = STARTER.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert all(len(line) <= 120 and line == line.rstrip() and "\t" not in line for line in text.splitlines())
