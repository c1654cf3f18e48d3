"""The specs against the installed torchvision: same keys in the same order, same shapes, same values."""

import sys
import types

import pytest
import torch

import archspec
from archspec import api

# torchvision's compiled operations do not load beside a CPU-only torch, and its models need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision import models  # noqa: E402
from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf  # noqa: E402

PARAMS = {
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "shufflenet_v2_x0_5": 1_366_792,
    "shufflenet_v2_x1_0": 2_278_604,
    "shufflenet_v2_x1_5": 3_503_624,
    "shufflenet_v2_x2_0": 7_393_996,
}
"""What torchvision documents."""
WIDTHS = [(name, width) for name in PARAMS if name.startswith("mobilenet") for width in (0.35, 0.5, 0.75, 1.3, 1.4)]


def peer_of(name, width=1.0, **kwargs):
    """torchvision's model."""
    if name.startswith("mobilenet_v3"):
        return MobileNetV3(*_mobilenet_v3_conf(name, width_mult=width), **kwargs)
    return getattr(models, name)(**({"width_mult": width} if name == "mobilenet_v2" else {}), **kwargs)


def randomised(peer):
    """In float64, with random values everywhere, moving averages too."""
    peer = peer.double().to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for key, value in peer.state_dict().items():
        if value.ndim > 1:
            bound = (6 / value[0].numel()) ** 0.5
            value.uniform_(-bound, bound, generator=generator)
        elif value.is_floating_point():
            low = 0.5 if key.endswith(("weight", "running_var")) else -0.5
            value.uniform_(low, 1.5, generator=generator)
        else:
            value.zero_()
    return peer


def pair(name, width=1.0):
    """Our module and torchvision's, with the same values."""
    with torch.device("meta"):
        peer = peer_of(name, width)
    peer = randomised(peer)
    ours = archspec.build(name, set={} if width == 1.0 else {"width": width}, dtype=torch.float64)
    ours.load_state_dict(peer.state_dict())
    return ours, peer


def images(count, size):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seeded(network, x):
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return network(x)


def assert_close(ours, peer):
    assert ours.shape == peer.shape
    assert float((ours - peer).abs().max() / peer.abs().max()) < 1e-9


def shapes_of(peer):
    return [(key, tuple(value.shape)) for key, value in peer.state_dict().items()]


@pytest.mark.parametrize("name", PARAMS)
def test_a_spec_keeps_what_it_expects(name):
    graph = api.validate(name)
    assert graph.name == name
    assert graph.paper


@pytest.mark.parametrize("name", PARAMS)
def test_keys_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        expected = shapes_of(peer_of(name))
    graph = archspec.compile(name)
    assert list(graph.state_shapes().items()) == expected
    assert graph.params == PARAMS[name]


@pytest.mark.parametrize(("name", "width"), WIDTHS)
def test_at_other_widths_too(name, width):
    with torch.device("meta"):
        expected = shapes_of(peer_of(name, width, num_classes=7))
    graph = archspec.compile(name, set={"width": width, "classes": 7})
    assert list(graph.state_shapes().items()) == expected


@pytest.mark.parametrize("size", [96, 75])
@pytest.mark.parametrize("name", PARAMS)
def test_logits_are_torchvisions(name, size):
    ours, peer = pair(name)
    x = images(1, size)
    with torch.no_grad():
        assert_close(ours.eval()(x), peer.eval()(x))


@pytest.mark.parametrize(("name", "width"), [("mobilenet_v2", 0.35), ("mobilenet_v3_small", 1.3)])
def test_logits_at_another_width_are_torchvisions(name, width):
    ours, peer = pair(name, width)
    x = images(1, 96)
    with torch.no_grad():
        assert_close(ours.eval()(x), peer.eval()(x))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "shufflenet_v2_x1_0"])
def test_training_outputs_are_torchvisions(name):
    """Outputs and new moving averages; both draw the same dropout."""
    ours, peer = pair(name)
    x = images(2, 96)
    assert_close(seeded(ours.train(), x), seeded(peer.train(), x))
    for mine, theirs in zip(ours.buffers(), peer.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_first_values_are_torchvisions(name):
    """Constants to the bit, of the others the spread where there are enough of them."""
    ours, peer = archspec.build(name, seed=0).state_dict(), peer_of(name).state_dict()
    for key, theirs in peer.items():
        mine = ours[key]
        if theirs.ndim > 1 and theirs.numel() > 2000:
            assert float(mine.std()) == pytest.approx(float(theirs.std()), rel=0.1), key
            assert float(mine.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.5), key
        elif float(theirs.float().std(correction=0)) == 0:
            assert torch.equal(mine, theirs), key
