"""The specs against the installed torchvision: same keys, same shapes, same values, same first values."""

import sys
import types

import pytest
import torch

import archspec

# torchvision's compiled operations do not load beside a CPU-only torch, and its models need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision.models import vision_transformer  # noqa: E402

DOCUMENTED = {
    "vit_b_16": ("ViT_B_16", 86_567_656, 17.564),
    "vit_b_32": ("ViT_B_32", 88_224_232, 4.409),
    "vit_l_16": ("ViT_L_16", 304_326_632, 61.555),
    "vit_l_32": ("ViT_L_32", 306_535_400, 15.378),
    "vit_h_14": ("ViT_H_14", 632_045_800, 167.295),
}
"""The names of torchvision's weights, params, and operations in 1e9."""

SMALL = """
archspec: 1
name: small
extends: vit_b_16
params: {classes: 10}
inputs: {image: [3, 48, 48]}
let: {patch_size: 8, width: 32, depth: 3, num_heads: 4, mlp_dim: 80}
"""


def small_peer(**options):
    """torchvision's network of the same sizes as SMALL."""
    return vision_transformer.VisionTransformer(
        image_size=48, patch_size=8, num_layers=3, num_heads=4, hidden_dim=32, mlp_dim=80, num_classes=10, **options
    )


def randomised(network):
    """With random values everywhere, of a spread that keeps numbers of many layers near 1."""
    generator = torch.Generator().manual_seed(0)
    for key, value in network.state_dict().items():
        if key.endswith("weight") and value.ndim == 1:
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            bound = (3 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.5
            value.uniform_(-bound, bound, generator=generator)
    return network


def images(count, size):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seeded(network, x):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return network(x)


def difference(ours, peer):
    return float((ours - peer).detach().abs().max() / peer.detach().abs().max())


def test_every_model_of_torchvision_has_its_spec():
    assert sorted(DOCUMENTED) == sorted(name for name in vision_transformer.__all__ if name.startswith("vit_"))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_keys_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        peer = getattr(vision_transformer, name)()
    graph = archspec.compile(name)
    expected = [(key, tuple(value.shape)) for key, value in peer.state_dict().items()]
    assert list(graph.state_shapes().items()) == expected
    assert expected[0][0] == "class_token"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_numbers_are_those_that_torchvision_documents(name):
    weights, params, giga_macs = DOCUMENTED[name]
    metas = [weight.meta for weight in getattr(vision_transformer, f"{weights}_Weights")]
    assert (params, giga_macs) in [(meta["num_params"], meta["_ops"]) for meta in metas]
    graph = archspec.compile(name)
    assert graph.params == params
    assert round(graph.macs / 1e9, 3) == giga_macs


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 384), ("vit_l_16", 512), ("vit_h_14", 518)])
def test_numbers_at_other_sizes_are_those_that_torchvision_documents(name, size):
    """The weights tuned at larger images."""
    metas = [weight.meta for weight in getattr(vision_transformer, f"{DOCUMENTED[name][0]}_Weights")]
    meta = next(meta for meta in metas if meta["min_size"] == (size, size))
    graph = archspec.compile(name, inputs={"image": (3, size, size)})
    assert graph.params == meta["num_params"]
    assert round(graph.macs / 1e9, 3) == meta["_ops"]


@pytest.mark.parametrize("name", ["vit_b_16", "vit_b_32"])
def test_logits_are_torchvisions(name):
    with torch.device("meta"):
        peer = getattr(vision_transformer, name)()
    peer = randomised(peer.double().to_empty(device="cpu")).eval()
    ours = archspec.build(name).eval()
    ours.load_state_dict(peer.state_dict(), assign=True)
    x = images(1, 224)
    with torch.no_grad():
        expected = peer(x)
        assert difference(ours(x), expected) < 1e-9
    assert expected.std() > 0.1


@pytest.mark.parametrize("training", [False, True])
def test_logits_and_gradients_of_a_small_one_are_torchvisions(training):
    """In training both draw the same dropout in the same order.

    For one image: torchvision's attention leaves a batch with its first two axes swapped in memory, and dropout is
    drawn in the order of memory.
    """
    rates = {"dropout": 0.2, "attention_dropout": 0.3}
    peer = randomised(small_peer(**rates).double()).train(training)
    ours = archspec.build(archspec.load(text=SMALL), set=rates, dtype=torch.float64).train(training)
    ours.load_state_dict(peer.state_dict())
    x = images(1 if training else 3, 48)
    found, expected = seeded(ours, x), seeded(peer, x)
    assert difference(found, expected) < 1e-9
    for output in found, expected:
        (output**2).sum().backward()
    for (key, mine), theirs in zip(ours.named_parameters(), peer.parameters(), strict=True):
        assert difference(mine.grad, theirs.grad) < 1e-9, key


def test_logits_depend_on_the_rates():
    """The comparison above would notice a dropout that is left out."""
    ours = archspec.build(archspec.load(text=SMALL), dtype=torch.float64)
    state = randomised(ours).state_dict()
    x, outputs = images(3, 48), []
    for rates in {}, {"dropout": 0.2}, {"attention_dropout": 0.3}, {"drop_path": 0.5}:
        network = archspec.build(archspec.load(text=SMALL), set=rates, dtype=torch.float64)
        network.load_state_dict(state)
        outputs.append(seeded(network, x))
    assert all(difference(output, outputs[0]) > 0.01 for output in outputs[1:])


def test_first_values_are_torchvisions():
    """Each parameter is constant in both, or of the same mean, spread and shape of distribution."""
    wide = SMALL.replace("width: 32", "width: 192").replace("mlp_dim: 80", "mlp_dim: 384")
    ours = archspec.build(archspec.load(text=wide), seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        peer = vision_transformer.VisionTransformer(
            image_size=48, patch_size=8, num_layers=3, num_heads=4, hidden_dim=192, mlp_dim=384, num_classes=10
        )
    for (key, mine), theirs in zip(ours.state_dict().items(), peer.state_dict().values(), strict=True):
        if theirs.std() == 0:
            assert torch.equal(mine, theirs), key
            continue
        room = 6 / theirs.numel() ** 0.5
        assert abs(mine.mean() - theirs.mean()) < room * theirs.std(), key
        for power in (2, 4):
            torch.testing.assert_close((mine**power).mean(), (theirs**power).mean(), rtol=2 * power * room, atol=0)
