"""`archspec diff`, as a user runs it."""

import json
import sys

import pytest
from click.testing import CliRunner

from archspec.cli.app import cli

SPEC = """\
archspec: 1
name: net
params: {width: 8}
inputs: {image: [3, 8, 8]}
layers:
  conv: {op: conv2d, out_channels: =width, kernel_size: 3}
  act: relu
outputs: {y: act}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(SPEC)
    (tmp_path / "b.yaml").write_text(SPEC.replace("kernel_size: 3", "kernel_size: 5"))
    (tmp_path / "renamed.yaml").write_text(SPEC.replace("act", "relu"))
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("kernel_size", "kernel"))

    def invoke(*arguments, **options):
        return CliRunner().invoke(cli, ["diff", *arguments], **options)

    return invoke


def test_nothing_differs(run):
    done = run("a.yaml", "a.yaml")
    assert done.exit_code == 0
    assert done.output == "--- net\n+++ net\nno difference\n"


def test_something_differs(run):
    done = run("a.yaml", "b.yaml")
    assert done.exit_code == 1
    assert done.output.startswith("--- net (a.yaml)\n+++ net (b.yaml)\n~ conv (conv2d): kernel_size 3 -> 5,")


def test_one_spec_under_two_settings(run):
    done = run("a.yaml", "--set-b", "width=16")
    assert done.exit_code == 1
    assert "+++ net width=16\n~ conv (conv2d): out_channels 8 -> 16" in done.output


def test_settings_of_both_and_of_one_side(run):
    assert run("a.yaml", "--set", "width=4", "--set-b", "width=4").exit_code == 0
    done = run("a.yaml", "--set", "width=4", "--set-a", "width=6")
    assert "--- net width=6\n+++ net width=4\n" in done.output


def test_renamed_layers_count_unless_they_are_ignored(run):
    done = run("a.yaml", "renamed.yaml")
    assert done.exit_code == 1
    assert "no structural difference, 1 renamed\n~ renamed: act -> relu\n" in done.output
    done = run("a.yaml", "renamed.yaml", "--ignore-names")
    assert done.exit_code == 0
    assert "renamed:" not in done.output


def test_json(run):
    done = run("a.yaml", "b.yaml", "--json")
    assert done.exit_code == 1
    data = json.loads(done.output)
    assert data["changed"][0]["fields"] == {"kernel_size": {"a": 3, "b": 5}}
    assert run("a.yaml", "a.yaml", "--json").exit_code == 0


@pytest.mark.parametrize("arguments", [["wrong.yaml", "a.yaml"], ["a.yaml", "wrong.yaml"], ["a.yaml", "none.yaml"]])
def test_a_wrong_spec_says_nothing_on_standard_output(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "kernel" in str(done.exception) or "none.yaml" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.yaml"], "--set-b NAME=VALUE"),
        ([], "Missing argument 'A'"),
        (["-", "-"], "standard input can be read once"),
        (["a.yaml", "--set-b", "width"], "write --set NAME=VALUE"),
        (["a.yaml", "b.yaml", "c.yaml"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line(run, arguments, said):
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_standard_input_is_one_of_the_two(run):
    assert run("a.yaml", "-", input=SPEC).exit_code == 0
    assert run("-", "--set-b", "width=3", input=SPEC).exit_code == 1


def test_color_is_for_terminals_that_want_it(run, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in run("a.yaml", "b.yaml").output
    assert "\x1b[33m~ conv" in run("a.yaml", "b.yaml", color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("a.yaml", "b.yaml", color=True).output


def test_torch_is_not_needed(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("a.yaml", "b.yaml").exit_code == 1
