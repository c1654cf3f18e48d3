"""Blocks of a Python file, named on the command line or by Python code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.block import Primitive
from archspec.cli.app import cli
from archspec.errors import PluginError, SpecError
from archspec.registry import BLOCKS
from archspec.tensor import Shape
from tests.distributions import spec

FILE = '''
"""Blocks of my own."""

from __future__ import annotations

from scales import SCALE

from archspec.block import Primitive, Weight
from archspec.initializers import Constant
from archspec.tensor import CHW


class Stretch(Primitive, op="stretch"):
    """x * factor.

    Shape:  CxHxW -> CxHxW
    """

    first: float = SCALE
    """First value of the factors."""

    def infer(self, x: CHW) -> CHW:
        return x

    def parameters(self, x: CHW):
        return {"factor": Weight((x.channels, 1, 1), Constant(value=self.first))}

    def lower(self, fx, x):
        return fx.function(stretch, x, fx.parameter("factor"))


LEAST = -1.0


def stretch(x, factor):
    import torch

    return torch.clamp(x * factor, min=LEAST)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_blocks.py").write_text(FILE)
    (tmp_path / "scales.py").write_text("SCALE = 3.0\n")
    (tmp_path / "net.yaml").write_text(spec("conv: {op: conv2d, out_channels: 2, kernel_size: 1}\nlast: stretch"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # what a file of blocks puts on it is for this test
    monkeypatch.delitem(sys.modules, "scales", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def alone():
    """Names that a command adds live as long as its process; here, as long as the test."""
    with BLOCKS.extended({}, None):
        yield


def run(*arguments: str):
    return CliRunner().invoke(cli, [*arguments])


def refusal(*arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, PluginError | SpecError), error
    return str(error)


@pytest.mark.parametrize("command", ["validate", "summary", "expand", "build"])
def test_a_file_of_blocks_is_known_to_commands(folder, command):
    done = run(command, "net.yaml", "--blocks", "./my_blocks.py")
    assert done.exit_code == 0, done.output
    assert "stretch" in done.output or command == "validate"


def test_model_py_carries_what_the_block_uses_and_nothing_else(folder):
    assert run("build", "net.yaml", "--blocks", "my_blocks.py").exit_code == 0
    source = (folder / "build" / "net" / "model.py").read_text()
    assert "LEAST = -1.0" in source and "def stretch(x, factor):" in source
    assert "archspec" not in source.replace("written by archspec", "") and "Stretch" not in source
    space: dict[str, object] = {}
    exec(compile(source, "model.py", "exec"), space)
    assert list(space["Net"]().state_dict()) == ["conv.weight", "conv.bias", "last.factor"]


def test_the_file_is_documented_and_needed(folder):
    assert "First value of the factors." in run("blocks", "stretch", "--blocks", "my_blocks.py").output


def test_without_the_file_the_op_is_unknown(folder):
    told = run("validate", "net.yaml").output
    assert "there is no op `stretch`" in told and "`--blocks FILE.py`" in told


def test_a_spec_cannot_name_the_file(folder):
    (folder / "net.yaml").write_text(spec("last: relu", more="blocks: my_blocks.py"))
    done = run("validate", "net.yaml")
    assert done.exit_code == 1 and "bad-section" not in done.output


def test_python_takes_files_and_classes(folder):
    module = archspec.build("./net.yaml", blocks="my_blocks.py")
    assert module.last.factor.flatten().tolist() == [3.0, 3.0]
    with pytest.raises(SpecError, match="there is no op `stretch`"):
        archspec.compile("./net.yaml")

    class Mirror(Primitive, op="mirror"):
        """-x.

        Shape:  any, unchanged
        """

        def infer(self, x: Shape) -> Shape:
            return x

        def lower(self, fx, x):
            return fx.function(torch.neg, x)

    graph = archspec.compile(archspec.load(text=spec("last: mirror")), blocks=[Mirror])
    assert graph["last"].op == "mirror"
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(archspec.build(graph)(x), -x)
    assert archspec.compile(archspec.load(text=spec("a: mirror\nlast: mirror")), blocks=Mirror)


def test_a_file_cannot_take_a_name(folder):
    (folder / "mine.py").write_text(FILE.replace('op="stretch"', 'op="relu"'))
    message = refusal("validate", "net.yaml", "--blocks", "mine.py")
    assert f"op `relu` is provided by both archspec-nn {archspec.__version__} and mine.py" in message
    assert "hint: rename it in mine.py" in message


def test_two_files_may_not_have_one_op_and_one_file_may_be_named_twice(folder):
    (folder / "twin.py").write_text(FILE)
    assert run("validate", "net.yaml", "--blocks", "my_blocks.py", "--blocks", "my_blocks.py").exit_code == 0
    message = refusal("validate", "net.yaml", "--blocks", "my_blocks.py", "--blocks", "twin.py")
    assert "op `stretch` is provided by both my_blocks.py and twin.py" in message


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.py", None, "none.py: no such file"),
        (".", None, ".: this is a folder"),
        ("net.yaml", None, "net.yaml: this is no Python file"),
        ("empty.py", "", "empty.py defines no block"),
        ("only_imports.py", "from archspec.blocks.relu import Relu", "only_imports.py defines no block"),
        (
            "wrong.py",
            "import nothing_at_all",
            "wrong.py cannot be run: ModuleNotFoundError: No module named 'nothing_a",
        ),
        ("syntax.py", "def f(:", "syntax.py cannot be run: SyntaxError"),
        ("exit.py", "raise SystemExit(0)", "exit.py cannot be run: SystemExit: 0"),
    ],
)
def test_wrong_files(folder, name, text, message):
    if text is not None:
        (folder / name).write_text(text)
    assert refusal("validate", "net.yaml", "--blocks", name).startswith(message)


def test_a_file_that_changes_is_read_again(folder):
    assert archspec.build("./net.yaml", blocks="my_blocks.py").last.factor.flatten().tolist() == [3.0, 3.0]
    (folder / "my_blocks.py").write_text(FILE.replace("first: float = SCALE", "first: float = 5.0"))
    assert archspec.build("./net.yaml", blocks="my_blocks.py").last.factor.flatten().tolist() == [5.0, 5.0]


def test_files_of_like_names_are_told_apart(folder):
    (folder / "x").mkdir()
    (folder / "x" / "y.py").write_text(FILE)
    (folder / "x" / "scales.py").write_text("SCALE = 3.0\n")
    (folder / "x_y.py").write_text(FILE.replace('op="stretch"', 'op="other"'))
    spec_of_both = spec("conv: {op: conv2d, out_channels: 2, kernel_size: 1}\na: stretch\nlast: other")
    graph = archspec.compile(archspec.load(text=spec_of_both), blocks=["x/y.py", "x_y.py"])
    assert [node.op for node in graph.layers][1:] == ["stretch", "other"]


def test_one_file_spelt_twice_is_one_file(folder):
    assert run("validate", "net.yaml", "--blocks", "my_blocks.py", "--blocks", "./my_blocks.py").exit_code == 0


def test_an_op_that_a_file_defines_twice_is_named(folder):
    (folder / "twice.py").write_text(FILE + '\n\nclass Again(Stretch, op="again"):\n    """A."""\n')
    (folder / "thrice.py").write_text(
        FILE + "\n\n" + FILE.replace("class Stretch", "class Third").partition("class ")[2].join(["class ", ""])
    )
    assert run("validate", "net.yaml", "--blocks", "twice.py").exit_code == 0
    message = refusal("validate", "net.yaml", "--blocks", "thrice.py")
    assert "thrice.py defines the op `stretch` twice: Stretch and Third" in message


@pytest.mark.parametrize("wrong", [[None], [3], [int], [Primitive]])
def test_what_is_no_block_is_refused(folder, wrong):
    with pytest.raises(TypeError, match="`blocks` takes"):
        archspec.compile("./net.yaml", blocks=wrong)
