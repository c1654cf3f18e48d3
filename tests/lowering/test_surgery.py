"""Parts of networks as modules: features by path, frozen layers, and weights of the whole network."""

import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.errors import SpecError

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_features_are_the_values_inside_the_whole_network():
    whole = archspec.build("resnet-cifar", seed=3).eval()
    seen = {}
    for path in "stage2.0.conv1", "fc":
        whole.get_submodule(path).register_forward_hook(lambda m, x, y, path=path: seen.setdefault(path, y))
    part = archspec.build("resnet-cifar", seed=3, outputs=["stage2.0.conv1", "logits"]).eval()
    with torch.no_grad():
        logits, found = whole(IMAGES), part(IMAGES)
    assert found._fields == ("stage2_0_conv1", "logits")
    assert torch.equal(found.stage2_0_conv1, seen["stage2.0.conv1"])
    assert torch.equal(found.logits, logits)


def test_modules_that_are_not_needed_are_not_made():
    part = archspec.build("resnet-cifar", outputs=["stage1"])
    assert part(IMAGES).shape == (2, 16, 32, 32)
    assert not [name for name, _ in part.named_modules() if name.startswith(("stage2", "stage3", "fc"))]


def test_a_graph_can_be_cut_by_build():
    graph = archspec.compile("resnet-cifar")
    assert list(archspec.build(graph, outputs="conv1").state_dict()) == ["conv1.weight"]


def test_the_weights_of_the_whole_network_load_into_a_part(tmp_path):
    whole = archspec.build("resnet-cifar", seed=8).state_dict()
    save_file(whole, tmp_path / "whole.safetensors")
    part = archspec.build("resnet-cifar", weights=tmp_path / "whole.safetensors", outputs=["stage1"]).state_dict()
    assert 0 < len(part) < len(whole)
    assert all(torch.equal(value, whole[name]) for name, value in part.items())


def trained(**options):
    module = archspec.build("resnet-cifar", **options)
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad]


EVERY = trained()


@pytest.mark.parametrize(
    ("globs", "prefixes"),
    [
        (["stage1"], ["stage1."]),
        ("stage1", ["stage1."]),
        (["stage1.**"], ["stage1."]),
        (["stage1.*", "conv1"], ["stage1.", "conv1."]),
        (["stage*.0"], ["stage1.0.", "stage2.0.", "stage3.0."]),
        (["stage1.0.**.bn*"], ["stage1.0.bn1.", "stage1.0.bn2."]),
        (["fc.bias"], ["fc.bias"]),
        (["*"], [""]),
    ],
)
def test_what_is_frozen(globs, prefixes):
    assert trained(freeze=globs) == [name for name in EVERY if not name.startswith(tuple(prefixes))]


def test_every_depth_is_reached_by_two_stars():
    assert trained(freeze=["**.bn*"]) == [name for name in EVERY if ".bn" not in f".{name}"]


def test_training_leaves_frozen_parameters_alone_but_not_their_statistics():
    module = archspec.build("resnet-cifar", freeze=["bn1", "stage1"])
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    module(IMAGES).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert "bn1.running_mean" in changed and "bn1.weight" not in changed
    assert "stage2.0.conv1.weight" in changed and "stage1.0.conv1.weight" not in changed


@pytest.mark.parametrize(("glob", "hint"), [("stage9", "did you mean `stage"), ("relu1", ""), ("stge1.0", "stage1.0")])
def test_a_glob_that_freezes_nothing_is_a_mistake(glob, hint):
    with pytest.raises(SpecError) as caught:
        archspec.build("resnet-cifar", freeze=["fc", glob])
    assert f"freeze: `{glob}` matches no layer with parameters" in str(caught.value)
    assert hint in str(caught.value)
    assert len(caught.value.problems) == 1


SHARING = """
archspec: 1
name: sharing
inputs: {left: [3], right: [3]}
layers:
  a: {op: linear, from: left, out_features: 3}
  b: {shares: a, from: right}
  c: {shares: a}
  d: {op: add, from: [a, c]}
outputs: {y: d}
init: [{match: a, weight: {normal: {std: 0.5}}, bias: 1}]
"""


def test_a_part_without_the_layer_that_others_share_with() -> None:
    """It keeps the parameters, under their key and with their first values."""
    spec = archspec.load(text=SHARING)
    whole, part = archspec.build(spec), archspec.build(spec, outputs=["b"])
    assert list(part.state_dict()) == ["a.weight", "a.bias"]
    left, right = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(part(left, right), torch.nn.functional.linear(right, whole.a.weight, whole.a.bias))
    again = archspec.build(spec, outputs=["c"])
    expected = torch.nn.functional.linear(part(left, right), whole.a.weight, whole.a.bias)
    assert torch.equal(again(left, right), expected)
