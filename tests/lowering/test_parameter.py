"""Parameters that functions use: no module is needed for them, and a layer can be one itself."""

from __future__ import annotations

import copy

import pytest
import torch

import archspec
from archspec.block import Primitive, Weight
from archspec.errors import BuildError
from archspec.initializers import Constant, Normal
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import standalone_module, verify
from archspec.tensor import Vector


class Shift(Primitive, op="shift"):
    """x + itself.

    Shape:  F -> F
    """

    def infer(self, x: Vector) -> Vector:
        return x

    def parameters(self, x: Vector) -> dict[str, Weight]:
        return {"": Weight((1, x.features), Normal(std=0.02))}

    def lower(self, fx, x):
        return fx.function(torch.add, x, fx.parameter())


class Affine(Primitive, op="affine"):
    """x * a + b + a.

    Shape:  F -> F
    """

    def infer(self, x: Vector) -> Vector:
        return x

    def parameters(self, x: Vector) -> dict[str, Weight]:
        return {"a": Weight((x.features,), Constant(value=2.0)), "b": Weight((x.features,), Constant(value=1.0))}

    def lower(self, fx, x):
        y = fx.function(torch.mul, x, fx.parameter("a"))
        y = fx.function(torch.add, y, fx.parameter("b"))
        return fx.function(torch.add, y, fx.parameter("a"))


TEXT = """
archspec: 1
name: net
inputs: {x: [5]}
layers:
  fc: {op: linear, out_features: 5}
  pos: shift
  affine: {op: affine, place: 1}
  0: shift
  group:
    layers:
      fc: {op: linear, out_features: 5}
      pos: shift
      affine: affine
      again: {shares: affine}
      other: {shares: pos}
outputs: {y: group}
init: [{match: group.pos, "": 0.5}]
"""


@pytest.fixture
def graph():
    return archspec.compile(archspec.load(text=TEXT), blocks=[Shift, Affine])


def test_keys_are_paths_in_torchs_order(graph):
    module = archspec.build(graph)
    expected = ["pos", "0", "fc.weight", "fc.bias", "affine.a", "affine.b", "group.pos"]
    expected += ["group.fc.weight", "group.fc.bias", "group.affine.a", "group.affine.b"]
    assert list(module.state_dict()) == expected == list(graph.state_shapes())


def test_rules_and_seeds_decide_first_values(graph):
    module, other = archspec.build(graph, seed=3), archspec.build(graph, seed=4)
    assert module.group.pos.tolist() == [[0.5] * 5]
    assert module.affine.a.tolist() == [2.0] * 5
    assert 0 < float(module.pos.detach().std()) < 0.1
    assert not torch.equal(module.pos, other.pos)
    assert torch.equal(module.pos, archspec.build(graph, seed=3).pos)


def test_the_numbers(graph):
    module = archspec.build(graph, dtype=torch.float64).requires_grad_(False)
    module.affine.a.copy_(torch.arange(5.0))
    x = torch.randn(3, 5, dtype=torch.float64)
    state = module.state_dict()
    y = torch.nn.functional.linear(x, state["fc.weight"], state["fc.bias"]) + state["pos"]
    y = y * state["affine.a"] + state["affine.b"] + state["affine.a"] + state["0"]
    y = torch.nn.functional.linear(y, state["group.fc.weight"], state["group.fc.bias"]) + state["group.pos"]
    for _ in range(2):
        y = y * state["group.affine.a"] + state["group.affine.b"] + state["group.affine.a"]
    torch.testing.assert_close(module(x), y + state["group.pos"], rtol=1e-12, atol=1e-12)


def test_model_py_starts_them_at_their_constant_or_at_zero(graph):
    source = standalone_source(graph)
    module = standalone_module(graph, source)
    assert module.pos.tolist() == [[0.0] * 5] and module.affine.a.tolist() == [2.0] * 5
    assert source.count("self.affine = nn.Module()") == 2
    assert verify(archspec.build(graph), graph, source, torch.device("cpu"))


def test_they_move_with_their_place_and_copy(graph):
    module = archspec.build(graph, devices=["cpu", "meta"])
    assert module.pos.device.type == "cpu"
    assert {parameter.device.type for parameter in module.affine.parameters()} == {"meta"}
    twin = copy.deepcopy(archspec.build(graph))
    assert list(twin.state_dict()) == list(graph.state_shapes())


def test_a_parameter_that_is_not_declared_is_named():
    class Wrong(Shift, op="wrong"):
        """x + nothing.

        Shape:  F -> F
        """

        def lower(self, fx, x):
            return fx.function(torch.add, x, fx.parameter("bias"))

    text = TEXT.partition("layers:")[0] + "layers: {last: wrong}\noutputs: {y: last}\n"
    found = archspec.compile(archspec.load(text=text), blocks=[Wrong])
    with pytest.raises(BuildError, match="last: `lower` asks for the parameter 'bias', its block declares ''"):
        archspec.build(found)


ZERO_HEAD = """
archspec: 1
name: net
inputs: {x: [5]}
layers:
  fc: {op: linear, out_features: 4}
  head: {op: linear, out_features: 3}
outputs: {y: head}
init: [{match: head, weight: 0, bias: 0}]
"""


def test_a_head_of_zeros_hides_nothing_from_verification():
    graph = archspec.compile(archspec.load(text=ZERO_HEAD))
    source = standalone_source(graph)
    wrong = source.replace("y = self.fc(x)", "y = self.fc(x) * 2")
    assert wrong != source
    module = archspec.build(graph)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(BuildError, match=r"model.py gives other outputs"):
        verify(copy.deepcopy(module), graph, wrong, torch.device("cpu"))
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_an_export_of_zeros_says_that_it_shows_little():
    from archspec.lowering.export import export

    graph = archspec.compile(archspec.load(text=ZERO_HEAD))
    _, found = export(archspec.build(graph), graph, "torch-export")
    assert "all outputs are zero" in found
