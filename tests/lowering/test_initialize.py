"""First values: by the spec's rules or torch's default, from a seed and the parameter's name alone."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import archspec

SPECS = Path(__file__).parents[2] / "specs"

LAYERS = """
  conv:  {op: conv2d, out_channels: 32, kernel_size: 5, groups: 2}
  bn:    batch_norm2d
  flat:  flatten
  fc1:   {op: linear, out_features: 64}
  fc2:   {op: linear, out_features: 50}
"""


def load(layers=LAYERS, init=""):
    text = f"archspec: 1\nname: net\ninputs: {{image: [4, 9, 9]}}\nlayers:{layers}outputs: {{logits: fc2}}\n"
    return archspec.load(text=text + (f"init:\n{init}" if init else ""))


def values(spec=None, **options):
    """The state dict of a freshly built network."""
    return archspec.build(load() if spec is None else spec, **options).state_dict()


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for key in expected:
        assert torch.equal(found[key], expected[key]), key


DRAWN = ["conv.weight", "conv.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def test_the_same_seed_gives_the_same_bits():
    assert_same_bits(values(seed=3), values(seed=3))


@pytest.mark.parametrize("key", DRAWN)
def test_another_seed_gives_other_values(key):
    assert not torch.isin(values(seed=0)[key], values(seed=1)[key]).all()


def test_no_two_parameters_share_their_values():
    spec = load(
        LAYERS.replace("out_features: 64", "out_features: 800").replace("out_features: 50", "out_features: 800")
    )
    state = values(spec)
    assert state["fc1.weight"].shape == state["fc2.weight"].shape
    scaled = [state[key] / state[key].abs().max() for key in ("fc1.weight", "fc2.weight")]
    assert not torch.isclose(*scaled, rtol=1e-4).float().mean() > 0.01


EDITS = {
    "a layer is added before": LAYERS.replace(
        "  flat:", "  new: {op: conv2d, out_channels: 32, kernel_size: 1}\n  flat:"
    ),
    "a layer is added between": LAYERS.replace("  fc2:", "  relu: relu\n  fc2:"),
    "another layer changes": LAYERS.replace("groups: 2", "groups: 4"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_elsewhere_leaves_a_parameter_as_it_was(edit):
    before, after = values(), values(load(EDITS[edit]))
    for key in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
        assert torch.equal(before[key], after[key]), key


def test_a_rule_elsewhere_leaves_a_parameter_as_it_was():
    before, after = values(), values(load(init="  - {match: fc1, weight: 0, bias: 0}\n"))
    assert not after["fc1.weight"].any()
    for key in ("conv.weight", "conv.bias", "fc2.weight", "fc2.bias"):
        assert torch.equal(before[key], after[key]), key


def test_torchs_generator_is_untouched():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    values()
    assert torch.equal(torch.get_rng_state(), before)


def test_torchs_generator_has_no_influence():
    torch.manual_seed(1)
    first = values()
    torch.manual_seed(2)
    assert_same_bits(values(), first)


def filled_memory(*args, **kwargs):
    return TRUE_EMPTY(*args, **kwargs).fill_(float("nan"))


TRUE_EMPTY = torch.empty


def test_every_parameter_is_initialised(monkeypatch):
    """Fresh memory is poisoned: what no one draws stays NaN."""
    expected = values()
    monkeypatch.setattr(torch, "empty", filled_memory)
    found = values()
    monkeypatch.undo()
    assert_same_bits(found, expected)
    assert all(value.isfinite().all() for value in found.values())


@pytest.mark.parametrize("spec", ["alexnet", "googlenet", "plain-cifar", "resnet-cifar", "resnet18", "resnet50"])
def test_every_parameter_of_the_papers_networks_is_initialised(spec, monkeypatch):
    graph = archspec.compile(SPECS / f"{spec}.yaml")
    monkeypatch.setattr(torch, "empty", filled_memory)
    state = archspec.build(graph).state_dict()
    monkeypatch.undo()
    assert [key for key, value in state.items() if not value.isfinite().all()] == []


def reset_by_torch(module):
    """Bounds of torch's own default, by drawing from it."""
    module.reset_parameters()
    return {name: parameter.abs().max().item() for name, parameter in module.named_parameters()}


DEFAULTS = {"conv": nn.Conv2d(4, 32, 5, groups=2), "fc1": nn.Linear(800, 64), "fc2": nn.Linear(64, 50)}


@pytest.mark.parametrize("layer", DEFAULTS)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_without_a_rule_a_parameter_is_torchs_default(layer, name):
    """kaiming_uniform(a=sqrt(5)) and the bias of nn.Conv2d and nn.Linear: both uniform in +-1 / sqrt(fan in)."""
    module = DEFAULTS[layer]
    fan_in = module.weight[0].numel()
    gain = nn.init.calculate_gain("leaky_relu", math.sqrt(5))
    bound = gain * math.sqrt(3 / fan_in)
    drawn = torch.cat([values(seed=seed)[f"{layer}.{name}"].flatten() for seed in range(8)])
    assert drawn.abs().max().item() == pytest.approx(bound, rel=0.02)
    assert drawn.abs().max().item() <= bound * (1 + 1e-6)
    assert drawn.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    assert reset_by_torch(module)[name] <= bound * (1 + 1e-6)
    assert reset_by_torch(module)[name] == pytest.approx(bound, rel=0.15)


def test_without_a_rule_batch_norm_starts_as_nothing():
    state, usual = values(), nn.BatchNorm2d(32).state_dict()
    for name, value in usual.items():
        assert torch.equal(state[f"bn.{name}"], value), name


RULES = {
    "the first match wins": ("  - {match: fc1, bias: 1}\n  - {match: fc1, bias: 2}\n  - {bias: 3}\n", "fc1.bias", 1),
    "a rule that does not name it is passed over": ("  - {match: fc1, weight: 9}\n  - {bias: 3}\n", "fc1.bias", 3),
    "by op": ("  - {op: linear, bias: 4}\n  - {bias: 3}\n", "fc2.bias", 4),
    "by another op": ("  - {op: linear, bias: 4}\n  - {bias: 3}\n", "conv.bias", 3),
    "by a list of ops": ("  - {op: [conv2d, linear], bias: 5}\n", "conv.bias", 5),
    "by a glob": ('  - {match: "fc*", bias: 6}\n', "fc2.bias", 6),
    "by a list of globs": ('  - {match: [conv, "*2"], bias: 7}\n', "fc2.bias", 7),
    "by op and glob": ('  - {op: linear, match: "*2", bias: 8}\n  - {bias: 3}\n', "fc1.bias", 3),
    "batch norm": ("  - {op: batch_norm2d, weight: 0.5}\n", "bn.weight", 0.5),
}


@pytest.mark.parametrize("name", RULES)
def test_rules(name):
    init, key, expected = RULES[name]
    assert set(values(load(init=init))[key].tolist()) == {expected}


FAN_IN, FAN_OUT = 64, 50
"""Of fc2's weight."""
MEAN = (FAN_IN + FAN_OUT) / 2

UNIFORM = {
    "{uniform: {low: -0.2, high: 0.2}}": 0.2,
    "{kaiming_uniform: {mode: fan_in}}": math.sqrt(6 / FAN_IN),
    "{kaiming_uniform: {mode: fan_out}}": math.sqrt(6 / FAN_OUT),
    "{xavier_uniform: {mode: fan_in}}": math.sqrt(3 / FAN_IN),
    "{xavier_uniform: {mode: fan_out}}": math.sqrt(3 / FAN_OUT),
    "{xavier_uniform: {mode: average}}": math.sqrt(3 / MEAN),
}


@pytest.mark.parametrize("init", UNIFORM)
def test_uniform_bounds(init):
    weight = values(load(init=f"  - {{match: fc2, weight: {init}}}\n"))["fc2.weight"]
    assert weight.abs().max().item() <= UNIFORM[init] * (1 + 1e-6)
    assert weight.abs().max().item() == pytest.approx(UNIFORM[init], rel=0.01)
    assert weight.std().item() == pytest.approx(UNIFORM[init] / math.sqrt(3), rel=0.05)


NORMAL = {
    "{normal: {std: 0.01}}": (0, 0.01),
    "{normal: {mean: 3.0, std: 0.5}}": (3, 0.5),
    "{kaiming_normal: {mode: fan_in}}": (0, math.sqrt(2 / FAN_IN)),
    "{kaiming_normal: {mode: fan_out}}": (0, math.sqrt(2 / FAN_OUT)),
    "{xavier_normal: {mode: fan_in}}": (0, math.sqrt(1 / FAN_IN)),
    "{xavier_normal: {mode: average}}": (0, math.sqrt(1 / MEAN)),
    "{trunc_normal: {std: 0.1}}": (0, 0.1),
}


@pytest.mark.parametrize("init", NORMAL)
def test_normal_moments(init):
    """Within four standard errors of 3,200 draws."""
    mean, std = NORMAL[init]
    weight = values(load(init=f"  - {{match: fc2, weight: {init}}}\n"))["fc2.weight"]
    count = weight.numel()
    assert abs(weight.mean().item() - mean) < 4 * std / math.sqrt(count)
    assert abs(weight.std().item() - std) < 4 * std / math.sqrt(2 * count)
    assert (weight - mean).abs().max() > 2 * std


def test_a_truncated_normal_stays_within_its_bounds():
    init = "  - {match: fc2, weight: {trunc_normal: {std: 1.0, low: -0.5, high: 1.5}}}\n"
    weight = values(load(init=init))["fc2.weight"]
    assert weight.min() >= -0.5
    assert weight.max() <= 1.5
    assert weight.mean() > 0.2


def test_fans_of_a_grouped_convolution_are_those_of_one_kernel():
    weight = values(load(init="  - {op: conv2d, weight: {kaiming_normal: {mode: fan_in}}}\n"))["conv.weight"]
    assert weight.shape == (32, 2, 5, 5)
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (2 * 25)), rel=4 / math.sqrt(2 * weight.numel()))


@pytest.fixture(scope="module")
def alexnet():
    return archspec.build(SPECS / "alexnet.yaml").state_dict()


ALEXNET_BIASES = {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc7": 1, "fc8": 0}


@pytest.mark.parametrize("layer", ALEXNET_BIASES)
def test_alexnet_starts_as_section_5_says(alexnet, layer):
    assert set(alexnet[f"{layer}.bias"].tolist()) == {ALEXNET_BIASES[layer]}
    weight = alexnet[f"{layer}.weight"]
    tolerance = 4 * 0.01 / math.sqrt(weight.numel())
    assert abs(weight.mean().item()) < tolerance
    assert abs(weight.std().item() - 0.01) < tolerance


def test_resnet_starts_with_the_fan_out():
    state = archspec.build(SPECS / "resnet-cifar.yaml").state_dict()
    weight = state["stage3.1.conv2.weight"]
    expected = math.sqrt(2 / (64 * 9))
    assert abs(weight.std().item() - expected) < 4 * expected / math.sqrt(2 * weight.numel())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_dtype_is_the_float32_values_cast(dtype):
    for key, value in values(dtype=dtype).items():
        expected = values()[key]
        assert torch.equal(value, expected.to(dtype) if expected.is_floating_point() else expected), key


def test_torchs_default_dtype_changes_no_values():
    expected = values()
    torch.set_default_dtype(torch.float64)
    try:
        found = values()
    finally:
        torch.set_default_dtype(torch.float32)
    for key, value in found.items():
        assert torch.equal(value, expected[key].to(value.dtype)), key


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_torchs_default_device_changes_no_values(device):
    expected = values()
    with torch.device(device):
        found = values()
    assert_same_bits(found, expected)


def test_inference_mode_and_no_grad_change_no_values():
    expected = values()
    with torch.no_grad():
        module = archspec.build(load())
    assert_same_bits(module.state_dict(), expected)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_a_network_can_be_built_on_meta():
    module = archspec.build(load(), device="meta")
    assert {value.device.type for value in module.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_values(threads):
    expected, before = values(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_same_bits(values(), expected)
    finally:
        torch.set_num_threads(before)


FROZEN = [-0.0145511776, 0.0673577040, -0.0018505603]


def test_the_values_of_this_version_are_frozen():
    """A change of these numbers is a change of every result that was obtained from a seed."""
    state = values(seed=0)
    assert state["fc2.bias"][:3].tolist() == pytest.approx(FROZEN, abs=1e-7)
