"""The zoo as a whole, and those of its specs that no list of layers and no torchvision holds: against twins by hand."""

from functools import cache

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F

import archspec
from archspec import api
from archspec.spec.shelves import zoo, zoo_names


@pytest.mark.parametrize("name", zoo_names())
def test_a_spec_keeps_what_it_expects_and_is_called_like_its_file(name):
    graph = api.validate(name)
    assert graph.name == name
    assert graph.paper


@pytest.mark.parametrize("name", zoo_names())
def test_a_spec_opens_with_a_comment_and_promises_numbers(name):
    text = (zoo() / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    expected = api.load(name).expect
    assert any(case.get("params") for case in expected)
    assert any(case.get("macs") for case in expected)


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


def assert_twins(ours, twin, size):
    """The same values for the same image, after the twin has taken our state in order."""
    state = list(randomise(ours.double()).state_dict().values())
    keys = list(twin.state_dict())
    assert len(keys) == len(state)
    twin.load_state_dict(dict(zip(keys, state, strict=True)), assign=True)
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        found, expected = ours.eval()(x), twin.eval()(x)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-9


def paper_lrn():
    """torch divides alpha by the size, the paper does not."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def zfnet_by_hand():
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 7, 2, 1), nn.ReLU(), pool, paper_lrn()),
        *(nn.Conv2d(96, 256, 5, 2), nn.ReLU(), pool, paper_lrn()),
        *(nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(), pool, nn.Flatten()),
        *(nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        *(nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )


def nin_by_hand():
    def mlpconv(before, width, maps, *window):
        convolutions = nn.Conv2d(before, width, *window), nn.Conv2d(width, width, 1), nn.Conv2d(width, maps, 1)
        return [layer for convolution in convolutions for layer in (convolution, nn.ReLU())]

    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        *(*mlpconv(3, 96, 96, 11, 4), pool),
        *(*mlpconv(96, 256, 256, 5, 1, 2), pool),
        *(*mlpconv(256, 384, 384, 3, 1, 1), pool),
        *(*mlpconv(384, 1024, 1000, 3, 1, 1), nn.AvgPool2d(6), nn.Flatten()),
    )


class PreactUnit(nn.Module):
    """He et al. 2016, appendix: the first unit is activated before it, and units that change shapes in common."""

    def __init__(self, before, after, stride, bottleneck, activated):
        super().__init__()
        self.bn1 = nn.Identity() if activated else nn.BatchNorm2d(before)
        width = after // 4 if bottleneck else after
        kernels = [1, 3, 1] if bottleneck else [3, 3]
        widths = [before, *[width] * (len(kernels) - 1), after]
        for i, kernel in enumerate(kernels):
            step = stride if i == 0 else 1
            convolution = nn.Conv2d(widths[i], widths[i + 1], kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{i + 1}", convolution)
            if i + 1 < len(kernels):
                setattr(self, f"bn{i + 2}", nn.BatchNorm2d(widths[i + 1]))
        self.changes, self.depth, self.stride, self.activated = before != after, len(kernels), stride, activated
        if self.changes and bottleneck:
            self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        first = x if self.activated else F.relu(self.bn1(x))
        y = self.conv1(first)
        for i in range(2, self.depth + 1):
            y = getattr(self, f"conv{i}")(F.relu(getattr(self, f"bn{i}")(y)))
        if not self.changes:
            return y + x
        if hasattr(self, "shortcut"):
            return y + self.shortcut(first)
        kept = first[:, :, :: self.stride, :: self.stride]
        return y + torch.cat([kept, torch.zeros_like(kept)], 1)


def preact_by_hand(depth):
    bottleneck = depth != 110
    units = (depth - 2) // (9 if bottleneck else 6)
    widths = [64, 128, 256] if bottleneck else [16, 32, 64]
    layers, before = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage, width in enumerate(widths):
        for index in range(units):
            stride = 2 if stage and not index else 1
            layers.append(PreactUnit(before, width, stride, bottleneck, activated=not stage and not index))
            before = width
    head = [nn.BatchNorm2d(before), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(before, 10)]
    return nn.Sequential(*layers, *head)


TABLE_I = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]
"""LeCun et al. 1998: which of the 16 maps of C3, across, read each of the 6 maps of S2, down."""


def test_lenet_computes_what_its_twin_by_hand_computes():
    """The twin's C3 is one convolution, with zeros where Table I has no cross."""
    lenet = randomise(archspec.build("lenet5", dtype=torch.float64)).eval()
    state = lenet.state_dict()

    def joined(name, count=1, kinds=("weight", "bias")):
        return [torch.cat([state[f"{name.format(i)}.{kind}"] for i in range(count)]) for kind in kinds]

    def subsampled(x, weight, bias):
        return torch.tanh(F.avg_pool2d(x, 2) * weight.view(-1, 1, 1) + bias.view(-1, 1, 1))

    weight = torch.zeros(16, 6, 5, 5, dtype=torch.float64)
    for index in range(16):
        weight[index, [row[index] == "X" for row in TABLE_I]] = state[f"c3.{index}.conv.weight"][0]
    x = images = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = torch.tanh(F.conv2d(x, *joined("c1")))
    x = subsampled(x, *joined("s2.scale"))
    x = torch.tanh(F.conv2d(x, weight, *joined("c3.{}.conv", 16, ["bias"])))
    x = subsampled(x, *joined("s4.scale"))
    x = torch.tanh(F.conv2d(x, *joined("c5"))).flatten(1)
    x = F.linear(torch.tanh(F.linear(x, *joined("f6"))), *joined("out"))
    with torch.no_grad():
        torch.testing.assert_close(lenet(images), x, rtol=1e-12, atol=1e-12)


CONNECTIONS = {"C1": 122_304, "S2": 5_880, "C3": 151_600, "S4": 2_000, "C5": 48_120, "F6": 10_164}
"""What section II.B says of each layer."""


def test_lenet_has_the_connections_and_the_60000_params_of_its_paper():
    graph, found = archspec.compile("lenet5"), dict.fromkeys(CONNECTIONS, 0)
    for node in graph:
        if not node.params or node.name == "out":
            continue
        sums = 4 * node.shape.size if node.op == "scale" else node.macs  # a unit of S2 or S4 adds four places up
        found[node.name.split(".")[0].upper()] += sums + node.shape.size
    assert found == CONNECTIONS
    assert graph.params - graph["out"].params == 60_000


TWINS = {
    "nin": (nin_by_hand, {}, 224),
    "preact-resnet-cifar 110": (lambda: preact_by_hand(110), {"depth": 110}, 32),
    "preact-resnet-cifar 164": (lambda: preact_by_hand(164), {"depth": 164}, 32),
    "zfnet": (zfnet_by_hand, {}, 224),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_network_computes_what_its_twin_by_hand_computes(name):
    by_hand, settings, size = TWINS[name]
    assert_twins(archspec.build(name.split()[0], set=settings), by_hand(), size)


SAME_LAYERS = [
    ("squeezenet", {}, "squeezenet1_0-torchvision", 227),
    ("vgg11", {}, "vgg11-torchvision", 64),
    ("vgg13", {"batch_norm": True}, "vgg13_bn-torchvision", 64),
    ("vgg16", {}, "vgg16-torchvision", 64),
    ("vgg19", {"batch_norm": True}, "vgg19_bn-torchvision", 64),
]
"""A paper's network, and torchvision's with other names: same operations and params in the same order."""


@pytest.mark.parametrize(("spec", "settings", "peer", "size"), SAME_LAYERS)
def test_the_papers_networks_are_torchvisions_but_for_names(spec, settings, peer, size):
    mine, other = archspec.compile(spec, set=settings), archspec.compile(peer)
    assert mine.params == other.params
    assert list(mine.state_shapes().values()) == list(other.state_shapes().values())
    if spec.startswith("vgg"):
        assert mine.macs == other.macs
        reshape = {"adaptive_avg_pool2d", "dropout"}  # torchvision's pool to 7x7 changes nothing at 224
        assert [n.op for n in mine if n.op not in reshape] == [n.op for n in other if n.op not in reshape]
        assert [n.shape for n in mine if n.op == "conv2d"] == [n.shape for n in other if n.op == "conv2d"]
    else:
        assert_twins(archspec.build(mine), archspec.build(other), size)


VGG_TABLE_2 = {"vgg11": 133, "vgg13": 133, "vgg16-c": 134, "vgg16": 138, "vgg19": 144}


@pytest.mark.parametrize("spec", VGG_TABLE_2)
def test_vggs_have_the_params_of_table_2(spec):
    assert round(archspec.compile(spec).params / 1e6) == VGG_TABLE_2[spec]


WEIGHTED = {"vgg11": 11, "vgg13": 13, "vgg16-c": 16, "vgg16": 16, "vgg19": 19, "zfnet": 8, "nin": 12, "squeezenet": 26}


@pytest.mark.parametrize("spec", WEIGHTED)
def test_networks_are_as_deep_as_their_papers_say(spec):
    assert sum(node.op in ("conv2d", "linear") for node in archspec.compile(spec)) == WEIGHTED[spec]


def test_configuration_c_has_1x1_kernels_where_table_1_has_them():
    kernels = {n.name: n.window.kernel for n in archspec.compile("vgg16-c") if n.op == "conv2d"}
    small = {name for name, kernel in kernels.items() if kernel == (1, 1)}
    assert small == {"conv3_3.conv", "conv4_3.conv", "conv5_3.conv"}


@pytest.mark.parametrize(("depth", "printed"), [(110, "1.7"), (164, "1.7"), (1001, "10.2")])
def test_preact_resnets_have_the_params_of_table_3(depth, printed):
    """10.2 million is what ResNet-1001 has without the scales and shifts of its normalisations."""
    graph = archspec.compile("preact-resnet-cifar", set={"depth": depth})
    norms = sum(node.params for node in graph if node.op == "batch_norm2d")
    assert f"{(graph.params - norms) / 1e6:.1f}" == printed
    branch = [node for node in graph if node.op in ("conv2d", "linear") and not node.name.endswith(".shortcut")]
    assert len(branch) == depth


TABLE_1 = {
    "3a": (64, 128, 32, 28),
    "3b": (128, 192, 96, 28),
    "4a": (192, 208, 48, 14),
    "4b": (160, 224, 64, 14),
    "4c": (128, 256, 64, 14),
    "4d": (112, 288, 64, 14),
    "4e": (256, 320, 128, 14),
    "5a": (256, 320, 128, 7),
    "5b": (384, 384, 128, 7),
}
"""Row of GoogLeNet's Table 1 -> its 1x1, 3x3 and 5x5 kernels, and the height of its maps."""


def test_naive_inception_modules_grow_by_what_they_read():
    graph, channels = archspec.compile("googlenet-naive"), 192
    for row, (n1x1, n3x3, n5x5, side) in TABLE_1.items():
        inside = [node for node in graph if node.name.startswith(f"inception{row}.")]
        macs = channels * (n1x1 + 9 * n3x3 + 25 * n5x5) * side**2
        assert sum(node.macs for node in inside) == macs
        channels += n1x1 + n3x3 + n5x5
        assert inside[-1].shape.dims == (channels, side, side)


@cache
def weight_map():
    return yaml.safe_load((zoo() / "weights" / "alexnet-two-tower.yaml").read_text(encoding="utf-8"))


def test_the_towers_hold_every_tensor_of_alexnet_once():
    mapped = weight_map()
    towers = [key for parts in mapped["tensors"].values() for key in parts]
    assert list(mapped["tensors"]) == list(archspec.compile("alexnet").state_shapes())
    assert sorted(towers) == sorted(archspec.compile("alexnet-two-tower").state_shapes())


def test_the_two_towers_are_alexnet_in_two():
    mapped = weight_map()
    whole, parted = (mapped[side] for side in ("from", "to"))
    alexnet = randomise(archspec.build(whole["spec"], set=whole["set"], dtype=torch.float64)).eval()
    towers = archspec.build(parted["spec"], dtype=torch.float64).eval()
    state = alexnet.state_dict()
    cut = {
        key: part
        for name, keys in mapped["tensors"].items()
        for key, part in zip(keys, state[name].chunk(len(keys), mapped["axis"]), strict=True)
    }
    towers.load_state_dict(cut)
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        expected, found = alexnet(x), towers(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-12


def test_one_tower_alone_is_not_alexnet():
    """Normalising over both towers' maps, as alexnet does unless told otherwise, is another network."""
    assert archspec.compile("alexnet")["norm1"].block.groups == 1
    assert archspec.compile("alexnet", set={"lrn_groups": 2})["norm1"].block.groups == 2
    assert archspec.compile("alexnet-two-tower")["tower0_1and2.norm1"].block.groups == 1
