"""What a block's `lower` may do, and what it is told where it does otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import archspec
from archspec.errors import BuildError
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import verify

BLOCK = '''
from __future__ import annotations

from archspec.block import Primitive, Weight
from archspec.initializers import Constant
from archspec.tensor import Vector


class Noise(Primitive, op="noise"):
    """Noise in training.

    Shape:  F -> F
    """

    def infer(self, x: Vector) -> Vector:
        return x

    def parameters(self, x: Vector):
        return {"w": Weight((x.features,), Constant(value=1.0))}

    def lower(self, fx, x):
        LOWER


def noise(x, w, scale=1.0, training=True):
    import torch
    return x * w + scale * torch.rand_like(x) if training else x * w


def quiet(x, w):
    import torch; return x * w
'''
SPEC = "archspec: 1\nname: net\ninputs: {x: [3]}\nlayers: {noise: noise}\noutputs: {y: noise}\n"


@pytest.fixture
def built(tmp_path: Path):
    """A network of one layer, whose block lowers as is told; and its model.py."""

    def build(lower: str):
        file = tmp_path / "noise.py"
        file.write_text(BLOCK.replace("LOWER", lower))
        graph = archspec.compile(archspec.load(text=SPEC), blocks=[file])
        module = archspec.build(graph)
        source = standalone_source(graph)
        assert verify(module, graph, source, torch.device("cpu"))
        return archspec.build(graph), source

    before = set(sys.modules)
    yield build
    for name in set(sys.modules) - before:
        if name.startswith("blocks_of_"):
            del sys.modules[name]


def test_training_is_given_by_name(built):
    module, source = built('return fx.function(noise, x, fx.parameter("w"), training=fx.training)')
    x = torch.zeros(2, 3)
    assert not module(x).equal(x) and module.eval()(x).equal(x)
    assert "noise(x, self.noise.w, training=self.training)" in source


def test_what_takes_training_is_given_it_unasked(built):
    module, source = built('return fx.function(noise, x, fx.parameter("w"), 0.5, training=fx.training)')
    assert "0.5, training=self.training)" in source and source.count("training=self") == 1
    assert module.training


def test_an_import_beside_other_code_stays(built):
    _, source = built('return fx.function(quiet, x, fx.parameter("w"))')
    assert "import torch; return x * w" in source


@pytest.mark.parametrize(
    ("lower", "message"),
    [
        (
            'return fx.function(noise, x, fx.parameter("w"), 1.0, fx.training)',
            "noise: give `training` to noise by its name: training=fx.training",
        ),
        (
            'return fx.function(noise if fx.training else quiet, x, fx.parameter("w"))',
            "noise: `lower` gives other code in evaluation than in training",
        ),
        (
            'return fx.function(noise, x, fx.parameter("w"), 1.0 if fx.training else 2.0)',
            "noise: `lower` gives other code in evaluation than in training",
        ),
        (
            'return x * fx.parameter("w")',
            r"noise \(noise\): `lower` computes with a value itself instead of by fx",
        ),
        ("return x", r"noise.w: its block declares \(3,\), its module has None"),
        ("return (x, x)", r"noise \(noise\): `lower` gives \(.+, expected what fx.module or the like gave"),
        ("return fx.function(lambda x: x, x)", "noise: a function that is called must be importable by name"),
        (
            "import torch\n        class Local(torch.nn.Module): pass\n        return fx.module(Local, x)",
            "noise: a class of modules must be importable by name",
        ),
    ],
)
def test_what_it_may_not_do(built, lower, message):
    with pytest.raises(BuildError, match=message):
        built(lower)
