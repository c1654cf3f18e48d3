"""Our specs against lists of every layer of the papers' networks, one to one and in order."""

from functools import cache
from pathlib import Path

import pytest
import yaml

import archspec
from archspec.graph.init_rules import initializer_of
from archspec.initializers import Constant, Normal

DATA = Path(__file__).parent / "data"
SPECS = Path(__file__).parents[2] / "specs"

LISTS = {
    "alexnet_caffe": ("alexnet-caffe", {}),
    "alexnet_caffenet": ("caffenet", {}),
    "alexnet_paper_224_ceil": ("alexnet", {}),
    "alexnet_torchvision": ("alexnet-torchvision", {}),
    "googlenet_paper": ("googlenet", {}),
    "plain18": ("plain18", {}),
    "plain34": ("plain34", {}),
    "resnet18_A": ("resnet18", {}),
    "resnet18_B": ("resnet18", {"shortcut": "B"}),
    "resnet34_A": ("resnet34", {}),
    "resnet34_B": ("resnet34", {"shortcut": "B"}),
    "resnet34_C": ("resnet34", {"shortcut": "C"}),
    "resnet50_B_v1": ("resnet50", {}),
    "resnet50_B_v1_5": ("resnet50", {"stride_in": "conv2"}),
    "resnet101_B_v1": ("resnet101", {}),
    "resnet101_B_v1_5": ("resnet101", {"stride_in": "conv2"}),
    "resnet152_B_v1": ("resnet152", {}),
    "resnet152_B_v1_5": ("resnet152", {"stride_in": "conv2"}),
    **{f"resnet{depth}_cifar": ("resnet-cifar", {"depth": depth}) for depth in (20, 32, 44, 56, 110)},
    **{f"plain{depth}_cifar": ("plain-cifar", {"depth": depth}) for depth in (20, 32, 44, 56, 110)},
}
"""List of layers -> spec and settings."""

KINDS = {
    "adaptive_avg_pool2d": "adaptive_avgpool",
    "add": "add",
    "avg_pool2d": "avgpool",
    "batch_norm2d": "bn",
    "concat": "concat",
    "conv2d": "conv",
    "dropout": "dropout",
    "flatten": "flatten",
    "linear": "linear",
    "lrn": "lrn",
    "max_pool2d": "maxpool",
    "option_a": "pad_identity",
    "relu": "relu",
}
"""Our ops -> kinds of the lists."""


@cache
def compiled(spec, **settings):
    return archspec.compile(archspec.load(SPECS / f"{spec}.yaml"), set=settings)


def listed(name):
    return yaml.load((DATA / f"{name}.yaml").read_text(), Loader=yaml.CSafeLoader)


def geometry(node):
    """Kernel, stride and padding as the lists write them: [left, right, top, bottom] if not all the same."""
    window = node.window
    pad = [window.padding.left, window.padding.right, window.padding.top, window.padding.bottom]
    pairs = {"kernel": window.kernel, "stride": window.stride}
    square = {what: pair[0] if pair[0] == pair[1] else list(pair) for what, pair in pairs.items()}
    return square | {"pad": pad[0] if len(set(pad)) == 1 else pad}


def particulars(node, graph):
    """What the lists say of a layer of this kind alone."""
    block = node.block
    match KINDS[node.op]:
        case "conv":
            assert node.window.dilation == (1, 1)
            return geometry(node) | {"groups": block.groups, "bias": block.bias}
        case "maxpool" | "avgpool":
            assert node.window.dilation == (1, 1)
            return geometry(node) | {"ceil": block.ceil_mode}
        case "lrn":
            assert block.groups == 1
            sums = {"n": block.size, "alpha": block.alpha, "beta": block.beta, "k": block.k}
            return sums | {"alpha_divided_by_n": block.divide_by_size}
        case "linear":
            return {"bias": block.bias}
        case "bn":
            assert block.affine
            assert block.momentum == 0.1
            return {"eps": block.eps}
        case "dropout":
            return {"rate": block.p}
        case "adaptive_avgpool":
            height, width = block.output_size
            assert height == width
            return {"size": height}
        case "pad_identity":
            assert block.zeros == "after"
            extra = node.shape.channels - graph[node.inputs[0]].shape.channels
            return {"stride": block.stride, "zero_channels": extra}
    return {}


def initial(node, graph):
    """The init of each parameter, as the lists write it."""
    found = {}
    for name, weight in node.weights.items():
        init = initializer_of(graph.rules, node, name, weight)
        match init:
            case Constant():
                found[name] = init.value
            case Normal():
                found[name] = f"normal({init.mean:g}, {init.std:g})"
    return found


def described(node, graph, names):
    """A layer as the lists write it; `names` maps our names to theirs."""
    costs = {"params": node.params, "macs": node.macs}
    return {
        "kind": KINDS[node.op],
        "in": [names[source] for source in node.inputs],
        "out": list(node.shape.dims),
        **particulars(node, graph),
        **{what: cost for what, cost in costs.items() if cost},
    }


@pytest.mark.parametrize("name", LISTS)
def test_every_layer_is_the_papers(name):
    spec, settings = LISTS[name]
    graph, expected = compiled(spec, **settings), listed(name)
    assert len(graph.layers) == len(expected["layers"])
    names = {graph.inputs[0].name: "input"}
    for node, layer in zip(graph.layers, expected["layers"], strict=True):
        names[node.name] = layer["name"]
        found = described(node, graph, names) | {"name": layer["name"]}
        if "init" in layer:
            found["init"] = initial(node, graph)
        assert found == layer, node.name


@pytest.mark.parametrize("name", LISTS)
def test_totals_are_the_papers(name):
    spec, settings = LISTS[name]
    graph, expected = compiled(spec, **settings), listed(name)
    assert list(graph.inputs[0].shape.dims) == expected["input"]
    assert {"params": graph.params, "macs": graph.macs} == expected["totals"]


def test_every_list_is_compared():
    assert {path.stem for path in DATA.glob("*.yaml")} == set(LISTS)


def test_alexnet_states_the_init_of_every_parameter():
    layers = [layer for layer in listed("alexnet_paper_224_ceil")["layers"] if "params" in layer]
    assert len(layers) == 8
    assert all(layer["init"].keys() == {"weight", "bias"} for layer in layers)


NEURONS = {"conv2": 186624, "conv3": 64896, "conv4": 64896, "conv5": 43264, "fc6": 4096, "fc7": 4096, "fc8": 1000}


@pytest.mark.parametrize("layer", NEURONS)
def test_alexnet_has_the_neurons_of_figure_2(layer):
    assert compiled("alexnet")[layer].shape.size == NEURONS[layer]


def test_alexnet_conv1_has_more_neurons_than_figure_2_prints():
    """The caption's 253,440 is 55 * 48 * 96: one 55 became 48."""
    assert compiled("alexnet")["conv1"].shape.size == 55 * 55 * 96 == 290_400


def test_alexnet_input_is_150528_dimensional():
    assert compiled("alexnet").inputs[0].shape.size == 150_528


TABLE_1 = {
    "conv2": (["reduce2", "conv2"], 112.0, 359.66, 360),
    "3a": (["inception3a"], 159.5, 128.05, 128),
    "3b": (["inception3b"], 379.0, 304.27, 304),
    "4a": (["inception4a"], 366.8, 73.61, 73),
    "4b": (["inception4b"], 438.0, 87.91, 88),
    "4c": (["inception4c"], 497.5, 99.85, 100),
    "4d": (["inception4d"], 590.5, 118.52, 119),
    "4e": (["inception4e"], 847.0, 170.00, 170),
    "5b": (["inception5b"], 1409.0, 70.70, 71),
    "linear": (["fc"], 1000.0, 1.02, 1),
}
"""Row of GoogLeNet's Table 1 -> our layers, weights / 1024 and MACs / 1e6 as computed, ops / 1e6 as printed."""


def row(layers):
    """The nodes of a row."""
    groups = tuple(f"{layer}." for layer in layers)
    return [node for node in compiled("googlenet").layers if node.name.startswith(groups) or node.name in layers]


@pytest.mark.parametrize("name", TABLE_1)
def test_googlenet_rows_do_the_operations_of_table_1(name):
    layers, _, computed, printed = TABLE_1[name]
    macs = sum(node.macs for node in row(layers)) / 1e6
    assert macs == pytest.approx(computed, abs=0.0051)
    assert abs(macs - printed) < 1


@pytest.mark.parametrize("name", TABLE_1)
def test_googlenet_rows_have_the_weights_that_their_widths_give(name):
    layers, computed, _, _ = TABLE_1[name]
    weights = sum(node.params - node.weights["bias"].shape[0] for node in row(layers) if node.weights)
    assert weights / 1024 == pytest.approx(computed, abs=0.051)


OFF = {"conv1": (["conv1"], 118.01, 34), "5a": (["inception5a"], 51.08, 54)}
"""Rows whose printed ops their own kernels and widths cannot give."""


@pytest.mark.parametrize("name", OFF)
def test_googlenet_rows_that_table_1_prints_otherwise(name):
    layers, computed, printed = OFF[name]
    macs = sum(node.macs for node in row(layers)) / 1e6
    assert macs == pytest.approx(computed, abs=0.0051)
    assert abs(macs - printed) > 2


WIDTHS = {
    "3a": (256, 28),
    "3b": (480, 28),
    "4a": (512, 14),
    "4b": (512, 14),
    "4c": (512, 14),
    "4d": (528, 14),
    "4e": (832, 14),
    "5a": (832, 7),
    "5b": (1024, 7),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_googlenet_modules_have_the_output_sizes_of_table_1(name):
    channels, side = WIDTHS[name]
    assert compiled("googlenet")[f"inception{name}.concat"].shape.dims == (channels, side, side)


def test_googlenet_inference_leaves_out_the_auxiliary_heads():
    inference = compiled("googlenet").inference()
    assert (inference.params, inference.macs) == (6_998_552, 1_582_671_872)
    assert compiled("googlenet").params - inference.params == 3_188_840 + 3_190_888
    assert [output.loss_weight for output in compiled("googlenet").outputs] == [1.0, 0.3, 0.3]


def test_googlenet_is_22_layers_deep():
    inference, depth = compiled("googlenet").inference(), {}
    for node in inference:
        before = max((depth[source] for source in node.inputs), default=0)
        depth[node.name] = before + (node.op in ("conv2d", "linear"))
    assert max(depth.values()) == 22


PUBLISHED_FLOPS = {
    "resnet18": 1.8e9,
    "resnet34": 3.6e9,
    "plain34": 3.6e9,
    "resnet50": 3.8e9,
    "resnet101": 7.6e9,
    "resnet152": 11.3e9,
}


@pytest.mark.parametrize("spec", PUBLISHED_FLOPS)
def test_imagenet_networks_do_the_published_operations(spec):
    assert compiled(spec).macs == pytest.approx(PUBLISHED_FLOPS[spec], rel=0.03)


@pytest.mark.parametrize("spec", ["resnet50", "resnet101", "resnet152"])
def test_published_operations_prove_where_the_stride_sits(spec):
    """Striding in the 3x3 convolution, as torchvision does, costs 231 million more."""
    assert compiled(spec, stride_in="conv2").macs - compiled(spec).macs == 231_211_008


IMAGENET = [
    ("resnet18", {"shortcut": "A"}, 11_515_688, 1_794_805_760),
    ("resnet18", {"shortcut": "B"}, 11_689_512, 1_814_073_344),
    ("resnet18", {"shortcut": "C"}, 12_043_816, 1_878_298_624),
    ("plain18", {}, 11_515_688, 1_794_805_760),
    ("resnet34", {"shortcut": "A"}, 21_623_848, 3_644_493_824),
    ("resnet34", {"shortcut": "B"}, 21_797_672, 3_663_761_408),
    ("resnet34", {"shortcut": "C"}, 22_716_840, 3_830_747_136),
    ("plain34", {}, 21_623_848, 3_644_493_824),
    ("resnet50", {"shortcut": "A"}, 22_780_456, 3_498_311_680),
    ("resnet50", {"shortcut": "A", "stride_in": "conv2"}, 22_780_456, 3_729_522_688),
    ("resnet50", {"shortcut": "B"}, 25_557_032, 3_857_973_248),
    ("resnet50", {"shortcut": "B", "stride_in": "conv2"}, 25_557_032, 4_089_184_256),
    ("resnet50", {"shortcut": "C"}, 40_128_552, 6_324_224_000),
    ("resnet50", {"shortcut": "C", "stride_in": "conv2"}, 40_128_552, 6_555_435_008),
    ("resnet101", {"shortcut": "A"}, 41_772_584, 7_210_532_864),
    ("resnet101", {"shortcut": "A", "stride_in": "conv2"}, 41_772_584, 7_441_743_872),
    ("resnet101", {"shortcut": "B"}, 44_549_160, 7_570_194_432),
    ("resnet101", {"shortcut": "B", "stride_in": "conv2"}, 44_549_160, 7_801_405_440),
    ("resnet101", {"shortcut": "C"}, 76_981_288, 13_530_300_416),
    ("resnet101", {"shortcut": "C", "stride_in": "conv2"}, 76_981_288, 13_761_511_424),
    ("resnet152", {"shortcut": "A"}, 57_416_232, 10_922_754_048),
    ("resnet152", {"shortcut": "A", "stride_in": "conv2"}, 57_416_232, 11_153_965_056),
    ("resnet152", {"shortcut": "B"}, 60_192_808, 11_282_415_616),
    ("resnet152", {"shortcut": "B", "stride_in": "conv2"}, 60_192_808, 11_513_626_624),
    ("resnet152", {"shortcut": "C"}, 107_335_720, 20_736_376_832),
    ("resnet152", {"shortcut": "C", "stride_in": "conv2"}, 107_335_720, 20_967_587_840),
]


@pytest.mark.parametrize(("spec", "settings", "params", "macs"), IMAGENET)
def test_imagenet_variants(spec, settings, params, macs):
    graph = compiled(spec, **settings)
    assert (graph.params, graph.macs) == (params, macs)


CIFAR = [
    (20, 269_722, 40_551_040, 272_474, 40_813_184, 0.27e6),
    (32, 464_154, 68_862_592, 466_906, 69_124_736, 0.46e6),
    (44, 658_586, 97_174_144, 661_338, 97_436_288, 0.66e6),
    (56, 853_018, 125_485_696, 855_770, 125_747_840, 0.85e6),
    (110, 1_727_962, 252_887_680, 1_730_714, 253_149_824, 1.7e6),
    (1202, 19_421_274, 2_829_238_912, 19_424_026, 2_829_501_056, 19.4e6),
]
"""Depth, params and MACs of option A, of option B, and Table 6's params."""


@pytest.mark.parametrize(("depth", "params", "macs", "params_b", "macs_b", "published"), CIFAR)
def test_cifar_resnets(depth, params, macs, params_b, macs_b, published):
    a, b = compiled("resnet-cifar", depth=depth), compiled("resnet-cifar", depth=depth, shortcut="B")
    assert (a.params, a.macs, b.params, b.macs) == (params, macs, params_b, macs_b)
    printed = 2 if published < 1e6 else len(f"{published / 1e6:g}") - 1
    assert float(f"{a.params:.{printed}g}") == published


@pytest.mark.parametrize(("depth", "params", "macs"), [case[:3] for case in CIFAR])
def test_cifar_plain_nets_have_exactly_the_parameters_of_the_resnets(depth, params, macs):
    graph = compiled("plain-cifar", depth=depth)
    assert (graph.params, graph.macs) == (params, macs)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 1202])
@pytest.mark.parametrize("spec", ["resnet-cifar", "plain-cifar"])
def test_cifar_networks_have_as_many_weighted_layers_as_their_depth(spec, depth):
    assert sum(node.op in ("conv2d", "linear") for node in compiled(spec, depth=depth)) == depth


@pytest.mark.parametrize("spec", ["resnet18", "resnet34", "plain34", "resnet50", "resnet101", "resnet152"])
def test_imagenet_networks_have_as_many_weighted_layers_as_their_name_says(spec):
    weighted = [node for node in compiled(spec) if node.op in ("conv2d", "linear")]
    branch = [node for node in weighted if ".shortcut." not in node.name]
    assert len(branch) == int(spec.removeprefix("resnet").removeprefix("plain"))


INITS = [
    ("alexnet-caffe", "conv1", "bias", ("constant", {"value": 0.0})),
    ("alexnet-caffe", "conv2", "bias", ("constant", {"value": 0.1})),
    ("alexnet-caffe", "conv2", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("alexnet-caffe", "fc7", "bias", ("constant", {"value": 0.1})),
    ("alexnet-caffe", "fc7", "weight", ("normal", {"mean": 0.0, "std": 0.005})),
    ("alexnet-caffe", "fc8", "bias", ("constant", {"value": 0.0})),
    ("alexnet-caffe", "fc8", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("caffenet", "conv3", "bias", ("constant", {"value": 0.0})),
    ("caffenet", "conv5", "bias", ("constant", {"value": 1.0})),
    ("caffenet", "fc6", "weight", ("normal", {"mean": 0.0, "std": 0.005})),
    ("alexnet-two-tower", "tower1_1and2.conv2", "bias", ("constant", {"value": 1.0})),
    ("alexnet-two-tower", "tower1_3to5.conv3", "bias", ("constant", {"value": 0.0})),
    ("alexnet-two-tower", "tower0_7.fc", "bias", ("constant", {"value": 1.0})),
    ("alexnet-two-tower", "fc8", "bias", ("constant", {"value": 0.0})),
    (
        "googlenet-torchvision",
        "inception3a.branch2.0.conv",
        "weight",
        ("trunc_normal", {"mean": 0.0, "std": 0.01, "low": -2.0, "high": 2.0}),
    ),
    ("nin", "mlpconv1.conv", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("nin", "mlpconv1.cccp2", "weight", ("normal", {"mean": 0.0, "std": 0.05})),
    ("nin", "mlpconv4.cccp2", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("vgg16", "conv5_3.conv", "weight", ("normal", {"mean": 0.0, "std": 0.1})),
    ("vgg16-torchvision", "features.28", "weight", ("kaiming_normal", {"mode": "fan_out"})),
    ("vgg16-torchvision", "classifier.6", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("squeezenet1_1-torchvision", "features.0", "weight", ("kaiming_uniform", {"mode": "fan_in"})),
    ("squeezenet1_1-torchvision", "classifier.1", "weight", ("normal", {"mean": 0.0, "std": 0.01})),
    ("squeezenet", "fire2.squeeze", "weight", ("xavier_uniform", {"mode": "fan_in"})),
    ("preact-resnet-cifar", "stage2.0.conv1", "weight", ("kaiming_normal", {"mode": "fan_out"})),
    ("googlenet", "conv1.conv", "weight", ("xavier_uniform", {"mode": "fan_in"})),
    ("googlenet", "conv1.conv", "bias", ("constant", {"value": 0.2})),
    ("googlenet", "aux1.fc1", "bias", ("constant", {"value": 0.2})),
    ("googlenet", "aux1.fc2", "bias", ("constant", {"value": 0.0})),
    ("googlenet", "aux2.fc2", "bias", ("constant", {"value": 0.0})),
    ("googlenet", "fc", "bias", ("constant", {"value": 0.0})),
    ("resnet34", "conv1", "weight", ("kaiming_normal", {"mode": "fan_out"})),
    ("resnet50", "layer1.0.bn3", "weight", ("constant", {"value": 1.0})),
    ("resnet50", "layer1.0.bn3", "bias", ("constant", {"value": 0.0})),
    ("resnet-cifar", "stage3.2.conv2", "weight", ("kaiming_normal", {"mode": "fan_out"})),
    ("plain34", "layer4.2.conv2", "weight", ("kaiming_normal", {"mode": "fan_out"})),
]


@pytest.mark.parametrize(("spec", "layer", "parameter", "expected"), INITS)
def test_init(spec, layer, parameter, expected):
    graph = compiled(spec)
    init = initializer_of(graph.rules, graph[layer], parameter, graph[layer].weights[parameter])
    assert (init.name, init.model_dump()) == expected
