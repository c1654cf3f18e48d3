"""The code of blocks that model.py carries along: renamed by its names, complete, and refused where it cannot be."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch

import archspec
from archspec.errors import BuildError
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import verify

BLOCK = '''
from archspec.block import Primitive
from archspec.tensor import CHW

class Block(Primitive, op="{op}"):
    """A block.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: CHW) -> CHW:
        return x

    def lower(self, fx, x):
        return fx.function(run_{op}, x)

'''


@pytest.fixture
def source(tmp_path: Path):
    """model.py of a network with a block per code, verified."""
    before = set(sys.modules)

    def make(*codes: str, name: str = "image") -> str:
        files = []
        for number, code in enumerate(codes):
            op = f"block{number}"
            body = textwrap.dedent(code).replace("RUN", f"run_{op}")
            future = "from __future__ import annotations\n" if "FUTURE" in body else ""
            file = tmp_path / f"{op}.py"
            file.write_text(future + BLOCK.format(op=op) + body.replace("FUTURE", ""))
            files.append(file)
        layers = "\n".join(f"  a{number}: block{number}" for number in range(len(codes)))
        head = f"archspec: 1\nname: net\ninputs: {{{name}: [2, 4, 4]}}\nlayers:\n"
        text = f"{head}{layers}\noutputs: {{y: a{len(codes) - 1}}}\n"
        graph = archspec.compile(archspec.load(text=text), blocks=files)
        module = archspec.build(graph)
        found = standalone_source(graph)
        assert verify(module, graph, found, torch.device("cpu"))
        return found

    yield make
    for module in set(sys.modules) - before:
        if module.startswith("blocks_of_"):
            del sys.modules[module]


PAD = """
def RUN(x):
    from torch.nn import functional as F
    return pad(F.pad(x, (0, 0), mode="constant"), pad="pad")

def pad(x, pad="pad"):
    return x if pad == "pad" else -x
"""


def test_names_are_changed_and_attributes_keywords_and_texts_are_not(source):
    found = source(PAD, PAD)
    assert found.count("F.pad(x, (0, 0)") == 2 and 'pad="pad")' in found and "def pad_2(" in found
    assert "def pad_2(" in source(PAD, name="pad")


def test_pairs_of_names_are_carried(source):
    assert "A, B = 2.0, 3.0" in source("A, B = 2.0, 3.0\nUNUSED = 1\n\ndef RUN(x):\n    return A * x + B\n")


def test_annotations_that_are_not_worked_out(source):
    found = source("FUTURE\ndef RUN(x: Later) -> Later:\n    return x + 1\n")
    assert found.index("from __future__ import annotations") < found.index("import torch")


def test_lines_are_those_of_the_file(source):
    assert "x * 2" in source("NOTE = 'one\u2028two\\x0cthree'\n\ndef RUN(x):\n    return x * 2\n")


BRANCHES = """
def RUN(x):
    if x.dim() > 9:
        import torch
        return x
    else:
        import torch
        y = torch.neg(x)
    return y
"""


def test_imports_in_branches_stay(source):
    assert source(BRANCHES).count("        import torch") == 2


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (
            ["if True:\n    K = 3\nelse:\n    K = 4\n\ndef RUN(x):\n    return x * K\n"],
            "model.py cannot carry `K` along",
        ),
        (["def RUN(x):\n    return x * nothing_at_all\n"], "model.py cannot carry `nothing_at_all` along"),
        (["from math import *\n\ndef RUN(x):\n    return x * pi\n"], "model.py cannot carry `pi` along"),
        (["import numpy\n\ndef RUN(x):\n    return x * numpy.pi\n"], "imports numpy: code that model.py carries"),
        (
            [
                "from functools import reduce\n\ndef RUN(x):\n    return reduce(lambda a, b: a + b, [x, x])\n",
                "from operator import neg as reduce\n\ndef RUN(x):\n    return reduce(x)\n",
            ],
            "model.py carries files that mean two things by `reduce`",
        ),
    ],
)
def test_what_cannot_be_carried_is_named(source, codes, message):
    with pytest.raises(BuildError, match=message):
        source(*codes)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def RUN(x):\n    return x.reshape(3, 1, 1)\n",
            r"a0 \(block0\) cannot be run on 2x4x4: RuntimeError: shape '\[3, 1, 1\]' is invalid",
        ),
        (
            "def RUN(x):\n    raise ValueError('not today')\n",
            r"a0 \(block0\) cannot be run on 2x4x4: ValueError: not today",
        ),
    ],
)
def test_a_layer_that_fails_is_named(source, code, message):
    with pytest.raises(BuildError, match=message):
        source(code)
