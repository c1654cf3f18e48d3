"""The `-torchvision` specs against the installed torchvision: same keys, same shapes, same values."""

import sys
import types
import warnings

import pytest
import torch

import archspec
from archspec.lowering.module import assemble, plan
from archspec.spec.shelves import zoo_names

# torchvision's compiled operations do not load beside a CPU-only torch, and its models need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision import models  # noqa: E402

SPECS = [name for name in zoo_names() if name.endswith("-torchvision")]

PARAMS = {
    "alexnet": 61_100_840,
    "googlenet": 13_004_888,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "wide_resnet50_2": 68_883_240,
}
"""What torchvision documents, for GoogLeNet with its auxiliary heads."""


def peer_of(spec):
    """torchvision's model in float64, with random values everywhere, moving averages too."""
    name = spec.removesuffix("-torchvision")
    with torch.device("meta"):
        peer = getattr(models, name)(**({"init_weights": False} if name == "googlenet" else {}))
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


def ours_of(spec, peer):
    """Our module of a spec, made without values, holding the very tensors of its peer."""
    with torch.device("meta"):
        ours = assemble(plan(archspec.compile(spec)))
    ours.load_state_dict(peer.state_dict(), assign=True)
    return ours


def images(count, size):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seeded(network, x):
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return network(x)


def assert_close(ours, peer):
    assert float((ours - peer).abs().max() / peer.abs().max()) < 1e-9


def test_every_model_has_its_spec():
    assert sorted(PARAMS) == sorted(name.removesuffix("-torchvision") for name in SPECS)


@pytest.mark.parametrize("spec", SPECS)
def test_keys_and_shapes_are_torchvisions(spec):
    name = spec.removesuffix("-torchvision")
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        peer = getattr(models, name)()
    expected = [(key, tuple(value.shape)) for key, value in peer.state_dict().items()]
    graph = archspec.compile(spec)
    assert list(graph.state_shapes().items()) == expected
    assert graph.params == PARAMS[name]


@pytest.mark.parametrize("spec", SPECS)
def test_logits_are_torchvisions(spec):
    peer = peer_of(spec).eval()
    ours = ours_of(spec, peer).eval()
    size = 96 if spec.startswith(("res", "vgg", "wide")) else 224  # these adapt to any size, and are slow
    x = images(1, size)
    with torch.no_grad():
        assert_close(ours(x), peer(x))


@pytest.mark.parametrize("spec", ["googlenet-torchvision", "resnet18-torchvision"])
def test_training_outputs_are_torchvisions(spec):
    """Outputs, those of auxiliary heads too, and new moving averages; both draw the same dropout in the same order."""
    peer = peer_of(spec).train()
    ours = archspec.build(spec, dtype=torch.float64).train()
    ours.load_state_dict(peer.state_dict())
    x = images(2, 224)
    found, expected = seeded(ours, x), seeded(peer, x)
    if isinstance(expected, torch.Tensor):
        found, expected = (found,), (expected,)
    else:
        assert found._fields == expected._fields
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs)
    for mine, theirs in zip(ours.buffers(), peer.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
