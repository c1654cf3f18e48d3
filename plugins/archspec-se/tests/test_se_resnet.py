"""The SE-ResNets: what they promise, and against twins by hand."""

import pytest
import torch
from torch import nn

import archspec
from archspec import api

COUNTS = {"se-resnet50": [3, 4, 6, 3], "se-resnet101": [3, 4, 23, 3], "se-resnet152": [3, 8, 36, 3]}
WIDTHS = [256, 512, 1024, 2048]
PLAIN = {"se-resnet50": "resnet50", "se-resnet101": "resnet101", "se-resnet152": "resnet152"}


@pytest.mark.parametrize("name", COUNTS)
def test_a_spec_keeps_what_it_expects(name):
    graph = api.validate(name)
    assert graph.name == name
    assert graph.paper


@pytest.mark.parametrize("reduction", [4, 16])
@pytest.mark.parametrize("name", COUNTS)
def test_what_is_added_is_equation_5(name, reduction):
    """Without biases; each bias of C and C / r channels is one param more."""
    weights = 2 * sum(n * c * c for n, c in zip(COUNTS[name], WIDTHS, strict=True)) // reduction
    biases = sum(n * (c + c // reduction) for n, c in zip(COUNTS[name], WIDTHS, strict=True))
    plain = archspec.compile(PLAIN[name])
    bare = archspec.compile(name, set={"bias": False, "reduction": reduction})
    full = archspec.compile(name, set={"reduction": reduction})
    assert bare.params - plain.params == weights
    assert full.params - bare.params == biases
    assert bare.macs - plain.macs == full.macs - plain.macs == weights


def test_equation_5_of_the_50_layer_net_is_the_printed_number():
    found = archspec.compile("se-resnet50", set={"bias": False}).params - archspec.compile("resnet50").params
    assert found == 2_514_944


def test_it_gates_the_residual_branch_before_the_sum():
    graph = archspec.compile("se-resnet50")
    for prefix, shortcut in ("layer1.0", "layer1.0.shortcut.bn"), ("layer1.1", "layer1.0.relu"):
        assert graph[f"{prefix}.se.squeeze"].inputs == (f"{prefix}.bn3",)
        assert graph[f"{prefix}.se.scale"].inputs == (f"{prefix}.bn3", f"{prefix}.se.gate")
        assert graph[f"{prefix}.add"].inputs == (f"{prefix}.se.scale", shortcut)


def test_keys_of_a_block():
    state = archspec.compile("se-resnet50").state_shapes()
    found = {key: shape for key, shape in state.items() if key.startswith("layer2.1.se.")}
    assert found == {
        "layer2.1.se.fc1.weight": (32, 512, 1, 1),
        "layer2.1.se.fc1.bias": (32,),
        "layer2.1.se.fc2.weight": (512, 32, 1, 1),
        "layer2.1.se.fc2.bias": (512,),
    }


def test_first_values_are_hes():
    state = archspec.build("se-resnet50", seed=0).state_dict()
    for key in "layer4.0.se.fc1", "layer4.0.se.fc2":
        weight = state[f"{key}.weight"]
        assert float(weight.std()) == pytest.approx((2 / weight.shape[0]) ** 0.5, rel=0.02)
        assert not state[f"{key}.bias"].any()


class Unit(nn.Module):
    """A bottleneck of figure 3, right: its gate is made of linear layers, in the order of our state dict."""

    def __init__(self, before, width, stride, project):
        super().__init__()
        after = 4 * width
        sizes = [(before, width, 1, stride), (width, width, 3, 1), (width, after, 1, 1)]
        units = [(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o)) for i, o, k, s in sizes]
        self.branch = nn.Sequential(*units[0], nn.ReLU(), *units[1], nn.ReLU(), *units[2])
        self.fc1, self.fc2 = nn.Linear(after, after // 16), nn.Linear(after // 16, after)
        shortcut = nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential(*shortcut) if project else nn.Identity()

    def forward(self, x):
        y = self.branch(x)
        s = self.fc2(self.fc1(y.mean(dim=(2, 3))).relu()).sigmoid()
        return (torch.einsum("nchw,nc->nchw", y, s) + self.shortcut(x)).relu()


def twin(counts, classes):
    """An SE-ResNet by hand."""
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for stage, (count, width) in enumerate(zip(counts, (64, 128, 256, 512), strict=True)):
        for index in range(count):
            stride = 2 if stage and not index else 1
            layers.append(Unit(before, width, stride, project=not index))
            before = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def randomise(network):
    """Random values in every parameter and moving average, small enough to pass many layers."""
    generator = torch.Generator().manual_seed(0)
    for key, value in network.state_dict().items():
        if value.ndim > 1:
            bound = (6 / value[0].numel()) ** 0.5
            value.uniform_(-bound, bound, generator=generator)
        elif value.is_floating_point():
            low = 0.5 if key.endswith(("weight", "running_var")) else -0.5
            value.uniform_(low, 1.5, generator=generator)
    return network


def test_logits_are_those_of_a_twin():
    ours = randomise(archspec.build("se-resnet50", set={"classes": 10}).double()).eval()
    peer = twin(COUNTS["se-resnet50"], 10).double().eval()
    state = list(ours.state_dict().values())
    keys = peer.state_dict()
    peer.load_state_dict({key: mine.reshape(at.shape) for (key, at), mine in zip(keys.items(), state, strict=True)})
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        found, expected = ours(x), peer(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-9
