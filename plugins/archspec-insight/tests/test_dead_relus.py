"""Dead ReLUs, where the answer is known."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from archspec.block import Primitive
from archspec.tensor import CHW, Features
from archspec_insight import InsightError, ReluActivity, dead_relus

CONV = {"op": "conv2d", "out_channels": 3, "kernel_size": 1}


def test_a_bias_of_minus_100_is_dead(network, images):
    module, graph = network({"conv": CONV, "relu": "relu"}, state={"conv.bias": [0.0, -100.0, 100.0]})
    x = images(4, 2, 5, 4)
    (layer,) = dead_relus(module, graph, x).layers
    weight = module.get_parameter("conv.weight")[:, :, 0, 0]
    below = (torch.einsum("oc,nchw->nohw", weight, x) + torch.tensor([0.0, -100.0, 100.0])[:, None, None]) <= 0
    assert layer == ReluActivity("relu", "relu", 3, (1,), float(below.double().mean()))
    assert layer.dead_share == 1 / 3
    assert 1 / 3 < layer.zeros < 2 / 3


def test_numbers_by_hand(network):
    state = {"fc.weight": [[1, 0], [0, 1], [1, 1]], "fc.bias": [0, 0, 0]}
    layers = {"fc": {"op": "linear", "out_features": 3}, "relu": "relu"}
    module, graph = network(layers, inputs={"x": [2]}, state=state)
    found = dead_relus(module, graph, torch.tensor([[1.0, -1.0], [2.0, -3.0]]))
    assert found.layers == (ReluActivity("relu", "relu", 3, (1, 2), 4 / 6),)
    assert (found.units, found.dead) == (3, 2)


def test_one_place_of_one_image_is_life(network):
    module, graph = network({"relu": "relu"})
    x = -torch.ones(3, 2, 5, 4)
    x[2, 1, 4, 0] = 1
    (layer,) = dead_relus(module, graph, x).layers
    assert layer.dead == (0,)
    assert layer.zeros == 1 - 1 / x.numel()


@pytest.mark.parametrize(("op", "dead"), [("relu", (0, 1)), ("relu6", (0, 1)), ("hardswish", (0,))])
def test_ops_that_can_be_zero(network, op, dead):
    module, graph = network({"act": op}, inputs={"x": [3]})
    (layer,) = dead_relus(module, graph, torch.tensor([[-4.0, -1.0, 1.0]])).layers
    assert (layer.op, layer.dead) == (op, dead)


def test_ops_can_be_chosen(network):
    module, graph = network({"relu": "relu", "act": "hardsigmoid"}, inputs={"x": [2]})
    (layer,) = dead_relus(module, graph, torch.ones(1, 2), ops=["hardsigmoid"]).layers
    assert (layer.name, layer.dead) == ("act", ())


@dataclass(frozen=True, slots=True)
class Steps(Features):
    """Steps in time."""

    name: ClassVar[str] = "steps"
    steps: int
    features: int


class Unrolled(Primitive, op="unrolled"):
    """Places as steps."""

    def infer(self, x: CHW) -> Steps:
        return Steps(x.height * x.width, x.channels)

    def lower(self, fx, x):
        return fx.function(torch.permute, fx.function(torch.flatten, x, 2), (0, 2, 1))


def test_units_are_along_the_channel_axis_of_any_kind(network):
    module, graph = network({"steps": "unrolled", "relu": "relu"}, blocks=[Unrolled])
    x = torch.ones(3, 2, 5, 4)
    x[:, 1] = -1
    (layer,) = dead_relus(module, graph, x).layers
    assert (layer.units, layer.dead, layer.zeros) == (2, (1,), 0.5)


def test_evaluation_has_no_auxiliary_heads(with_auxiliary, images):
    module, graph = with_auxiliary
    x = images(4, 2, 5, 4)
    assert [layer.name for layer in dead_relus(module, graph, x).layers] == ["relu1", "relu2", "aux.relu"]
    assert [layer.name for layer in dead_relus(module.eval(), graph, x).layers] == ["relu1", "relu2"]


def test_the_mode_decides_about_batch_norm(network):
    module, graph = network({"bn": "batch_norm2d", "relu": "relu"})
    x = torch.arange(-40.0, 0).reshape(1, 2, 5, 4)
    (normalised,) = dead_relus(module, graph, x).layers
    (as_it_is,) = dead_relus(module.eval(), graph, x).layers
    assert (normalised.dead, as_it_is.dead) == ((), (0, 1))


@pytest.mark.parametrize("glob", ["aux", "aux.relu", "a*", "**.aux.*"])
def test_globs(with_auxiliary, images, glob):
    (layer,) = dead_relus(*with_auxiliary, images(2, 2, 5, 4), layers=[glob]).layers
    assert layer.name == "aux.relu"


def test_no_relu(network, images):
    module, graph = network({"conv": CONV, "act": "tanh"})
    with pytest.raises(InsightError) as caught:
        dead_relus(module, graph, images(2, 2, 5, 4))
    assert caught.value.message == "tiny has no layer whose op is relu, relu6 or hardswish"
    assert caught.value.hint == "ops of this network: conv2d, tanh"


def test_a_glob_that_matches_nothing(with_auxiliary, images):
    with pytest.raises(InsightError) as caught:
        dead_relus(*with_auxiliary, images(2, 2, 5, 4), layers=["relu1", "rellu2"])
    assert caught.value.message == "layers: `rellu2` matches no layer whose op is relu, relu6 or hardswish"
    assert caught.value.hint == "did you mean `relu2`?"


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "NaN"), (float("inf"), "infinite")])
def test_what_is_not_finite(network, value, kind):
    module, graph = network({"conv": CONV, "relu": "relu"}, state={"conv.bias": [0.0, value, 0.0]})
    with pytest.raises(InsightError, match=f"the value of `relu` is {kind}"):
        dead_relus(module, graph, torch.zeros(1, 2, 5, 4))
