"""`archspec explain`, as a user runs it."""

import json

import pytest
from click.testing import CliRunner

from archspec.cli.app import cli


def run(*arguments):
    return CliRunner().invoke(cli, ["explain", *arguments])


def test_a_layer():
    done = run("resnet-cifar", "stage2.0.conv1", "--set", "depth=32")
    assert done.exit_code == 0
    assert done.output.startswith("stage2.0.conv1 (conv2d): 32x16x16\n")
    assert "\n  <- 32 by stage2.0.conv1 (kernel 3, stride 2, padding 1, line " in done.output


def test_json():
    done = run("resnet-cifar", "stage2", "--json")
    assert done.exit_code == 0
    assert json.loads(done.output)["layer"] == "stage2.2.relu"


def test_an_unknown_layer():
    done = run("alexnet", "conv6")
    assert done.exit_code == 1
    assert "alexnet has no layer `conv6`" in str(done.exception)
    assert "did you mean `conv" in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["alexnet"], [], ["alexnet", "conv1", "conv2"]])
def test_a_wrong_command_line(arguments):
    assert run(*arguments).exit_code == 2
