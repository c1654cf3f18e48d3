"""The block `squeeze_excite`: against the test kit, the paper's equations, and torchvision's module."""

import json
import sys
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import archspec
from archspec.errors import ShapeError, SpecError
from archspec.tensor import CHW
from archspec.testing import suite
from archspec_se.squeeze_excite import SqueezeExcite

# torchvision's compiled operations do not load beside a CPU-only torch, and its modules need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision.ops import SqueezeExcitation  # noqa: E402

test_kit = suite(
    (SqueezeExcite(), CHW(32, 4, 3)),
    (SqueezeExcite(reduction=4, bias=False), CHW(8, 5, 5)),
    (SqueezeExcite(reduction=3, gate="hardsigmoid", activation="hardswish"), CHW(6, 2, 3)),
    (SqueezeExcite(reduction=1, activation="silu"), CHW(2, 1, 1)),
    (SqueezeExcite(reduction=5), CHW(5, 3, 1)),
)

GATES = {"sigmoid": lambda x: 1 / (1 + (-x).exp()), "hardsigmoid": lambda x: (x + 3).clamp(0, 6) / 6}
ACTIVATIONS = {
    "relu": lambda x: x.clamp(min=0),
    "silu": lambda x: x / (1 + (-x).exp()),
    "hardswish": lambda x: x * (x + 3).clamp(0, 6) / 6,
}


def network(channels, **fields):
    """A network of one gate, in float64, with values so large that both halves of every activation are met."""
    inputs, layers = {"x": [channels, 5, 4]}, {"se": {"op": "squeeze_excite", **fields}}
    spec = {"archspec": 1, "name": "gate", "inputs": inputs, "layers": layers, "outputs": {"y": "se"}}
    module = archspec.build(archspec.load(text=json.dumps(spec))).double()
    generator = torch.Generator().manual_seed(0)
    for value in module.parameters():
        nn.init.normal_(value, std=2.0, generator=generator)
    return module


def image(channels):
    return torch.randn(3, channels, 5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_equations(x, state, activation, gate):
    """Equations 2, 3 and 4 of the paper, one matrix product after another."""
    z = x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])
    zero = torch.zeros((), dtype=x.dtype)
    w1, w2 = state["se.fc1.weight"][:, :, 0, 0], state["se.fc2.weight"][:, :, 0, 0]
    inner = ACTIVATIONS[activation](z @ w1.T + state.get("se.fc1.bias", zero))
    s = GATES[gate](inner @ w2.T + state.get("se.fc2.bias", zero))
    return torch.stack([torch.stack([s[n, c] * x[n, c] for c in range(x.shape[1])]) for n in range(x.shape[0])])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_its_numbers_are_the_papers(activation, gate, bias):
    module, x = network(8, reduction=2, activation=activation, gate=gate, bias=bias), image(8)
    expected = by_equations(x, module.state_dict(), activation, gate)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_by_default_it_is_the_papers():
    module, x = network(32), image(32)
    assert module.state_dict()["se.fc1.weight"].shape == (2, 32, 1, 1)
    expected = by_equations(x, module.state_dict(), "relu", "sigmoid")
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("gate", "theirs"), [("sigmoid", nn.Sigmoid), ("hardsigmoid", nn.Hardsigmoid)])
def test_keys_and_numbers_are_torchvisions(gate, theirs):
    module, x = network(12, reduction=3, gate=gate), image(12)
    peer = SqueezeExcitation(12, 4, scale_activation=theirs).double()
    peer.load_state_dict({key.removeprefix("se."): value for key, value in module.state_dict().items()})
    torch.testing.assert_close(module(x), peer(x), rtol=1e-12, atol=1e-12)


def test_a_closed_gate_lets_nothing_through_and_an_open_one_everything():
    module, x = network(4, reduction=2), image(4)
    with torch.no_grad():
        module.get_parameter("se.fc2.weight").zero_()
        module.get_parameter("se.fc2.bias").copy_(torch.tensor([-1e4, -1e4, 1e4, 0.0]))
    found = module(x)
    assert bool((found[:, :2] == 0).all())
    assert torch.equal(found[:, 2], x[:, 2])
    assert torch.equal(found[:, 3], x[:, 3] / 2)


@pytest.mark.parametrize(
    ("reduction", "channels", "message", "nearest"),
    [
        (16, 24, "reduction=16 does not divide the 24 channels of the input", "is 12, which leaves 2"),
        (16, 8, "reduction=16 leaves none of the 8 channels of the input", "is 8, which leaves 1"),
        (5, 7, "reduction=5 does not divide the 7 channels of the input", "is 1, which leaves 7"),
    ],
)
def test_a_reduction_that_leaves_no_whole_channels_is_refused(reduction, channels, message, nearest):
    with pytest.raises(ShapeError) as caught:
        SqueezeExcite(reduction=reduction).reduced(channels)
    assert caught.value.message == message
    assert caught.value.hint.endswith(nearest)
    with pytest.raises(SpecError) as told:
        network(channels, reduction=reduction)
    (problem,) = told.value.problems
    assert (problem.slug, problem.layer, problem.message) == ("shape-mismatch", "se", message)


def test_a_vector_is_refused():
    text = """
    archspec: 1
    name: wrong
    inputs: {x: [16]}
    layers: {se: squeeze_excite}
    outputs: {y: se}
    """
    with pytest.raises(SpecError, match="takes a feature map"):
        archspec.compile(archspec.load(text=text))


def test_it_can_be_shared():
    text = """
    archspec: 1
    name: twice
    inputs: {x: [8, 5, 4]}
    layers: {se: {op: squeeze_excite, reduction: 2}, again: {shares: se}}
    outputs: {y: again}
    """
    module = archspec.build(archspec.load(text=text))
    assert list(module.state_dict()) == [f"se.{fc}.{name}" for fc in ("fc1", "fc2") for name in ("weight", "bias")]
    x = image(8).float()
    once = x * gate_of(module, x)
    torch.testing.assert_close(module(x), once * gate_of(module, once))


def gate_of(module, x):
    state = module.state_dict()
    z = F.relu(F.conv2d(x.mean(dim=(2, 3), keepdim=True), state["se.fc1.weight"], state["se.fc1.bias"]))
    return torch.sigmoid(F.conv2d(z, state["se.fc2.weight"], state["se.fc2.bias"]))
