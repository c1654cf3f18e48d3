"""What is said of single layers, and that its arithmetic holds for every layer of the zoo."""

from __future__ import annotations

import json
import re
from math import prod

import pytest

from archspec import api
from archspec.errors import SpecError
from archspec.graph.graph import Graph
from archspec.graph.receptive_field import receptive_fields
from archspec.spec.document import Spec
from archspec.spec.shelves import zoo_names
from archspec.views.explain import explain_data, explain_text, origin, size_steps, size_text


def explained(name: str, layer: str, **settings: object) -> list[str]:
    spec = api.load(name, set=settings)
    return explain_text(api.compile(spec), spec, layer)


def of_text(layers: str, layer: str, inputs: str = "{image: [3, 32, 48]}", output: str = "last") -> list[str]:
    text = f"archspec: 1\nname: t\ninputs: {inputs}\nlayers: {layers}\noutputs: {{y: {output}}}\n"
    spec = api.load(text=text)
    return explain_text(api.compile(spec), spec, layer)


def line(lines: list[str], start: str) -> str:
    """The line that begins so, with its continuations."""
    at = next(k for k, text in enumerate(lines) if text.startswith(start))
    further = [text.strip() for text in lines[at + 1 :] if text.startswith("      ")]
    return " ".join([lines[at], *further]) if further and lines[at + 1].startswith("      ") else lines[at]


def test_a_convolution_from_its_fields_to_the_input():
    lines = explained("resnet50", "layer2.0.conv2")
    assert [re.sub(r"(specs/[a-z0-9/.]+:|line )\d+", r"\1N", text) for text in lines] == [
        "layer2.0.conv2 (conv2d): 128x28x28",
        "  specs/blocks/residual.yaml:N",
        "  in layer2, specs/resnet50.yaml:N",
        "  in layer2.0 (bottleneck): width 128, stride 2, shortcut B, stride_in conv1,",
        "      specs/resnet50.yaml:N",
        "  reads layer2.0.relu1: 128x28x28",
        "",
        "out_channels: 128 (=width, line N)",
        "kernel_size: 3 (line N)",
        "stride: 1 (=stride if stride_in == 'conv2' else 1, line N)",
        "padding: 1 (line N)",
        "bias: false (line N)",
        "by default: dilation 1, groups 1",
        "",
        "size: 28",
        "  <- 56 by layer2.0.conv1 (kernel 1, stride 2, line N)",
        "  <- 112 by pool1 (kernel 3, stride 2, padding 1, specs/resnet50.yaml:N)",
        "  <- 224 by conv1 (kernel 7, stride 2, padding 3, specs/resnet50.yaml:N)",
        "  <- image (input, specs/resnet50.yaml:N)",
        "  28 = (28 + 1 + 1 - 3) // 1 + 1",
        "channels: 128, out_channels",
        "",
        "params: weight 128 x 128 x 3 x 3 = 147,456",
        "MACs: 147,456 (weight) x 28 x 28 = 115,605,504",
        next(text for text in lines if text.startswith("receptive field: ")),
        "  place i sees from pixel 8 i - 25",
    ]


def test_lines_point_to_where_it_is_written():
    lines = explained("alexnet", "conv2")
    text = api.load("alexnet").position.source.lines
    number = int(line(lines, "  specs/alexnet.yaml:").rpartition(":")[2])
    assert text[number - 1].lstrip().startswith("conv2:")
    pool = re.search(r"by pool1 \(.*line (\d+)\)", "\n".join(lines))
    assert pool and text[int(pool[1]) - 1].lstrip().startswith("pool1:")


def test_a_block_is_explained_by_its_last_layer_and_a_concat_by_its_branches():
    lines = explained("googlenet", "inception3a")
    assert lines[0] == "inception3a ends with inception3a.concat (concat): 256x28x28"
    at = lines.index("channels: 256 = 64 + 128 + 32 + 32, the sum")
    told = " ".join(text.strip() for text in lines[at + 1 : at + 9])
    for branch in ("64 from inception3a.conv1x1.relu, out_channels of", "128 from inception3a.conv3x3.relu"):
        assert branch in told


def test_a_sum_names_both_sides():
    lines = explained("resnet50", "layer1.0.relu")
    at = next(k for k, text in enumerate(lines) if text.startswith("channels: 256, both sides of layer1.0.add"))
    assert lines[at + 1].startswith("  256 from layer1.0.bn3, out_channels of layer1.0.conv3")
    assert lines[at + 2].startswith("  256 from layer1.0.shortcut.bn, out_channels of layer1.0.shortcut.conv")


def test_a_vector_goes_back_through_the_map_it_was():
    lines = explained("alexnet", "fc8", classes=10)
    assert "  <- 4096 features by fc8 (out_features 10, line 38)" in lines
    assert any(text.startswith("  <- 256x6x6 by flat (") for text in lines)
    assert "MACs: 40,960, one per element of weight" in lines
    assert "params: 40,970" in lines and "  bias 10" in lines


def test_flattened_features_are_all_elements():
    assert "features: 9216 = 256 x 6 x 6, all elements" in explained("alexnet", "flat")


def test_lopsided_padding_and_rounding_up():
    assert "  55 = (224 + 3 - 11) // 4 + 1" in explained("alexnet", "conv1")
    assert "  56 = ceil((112 - 3) / 2) + 1" in explained("googlenet", "pool1")


def test_height_and_width_by_themselves():
    lines = of_text("{last: {op: conv2d, out_channels: 4, kernel_size: [3, 5], stride: [1, 2], dilation: 2}}", "last")
    assert "size: 28x20" in lines
    assert line(lines, "  <- 32x48").startswith("  <- 32x48 by last (kernel [3, 5], stride [1, 2], dilation 2, line ")
    assert "  height 28 = (32 - 5) // 1 + 1" in lines
    assert "  width 20 = (48 - 9) // 2 + 1" in lines


def test_of_branches_the_size_is_followed_that_is_kept():
    layers = (
        "{a: {op: conv2d, out_channels: 3, kernel_size: 1, stride: 2}, "
        "b: {op: max_pool2d, from: image, kernel_size: 2, ceil_mode: false}, last: {op: add, from: [a, b]}}"
    )
    lines = of_text(layers, "last")
    assert line(lines, "  <- 32x48").startswith("  <- 32x48 by a (kernel 1, stride 2, line ")
    assert "channels: 3, both sides" in lines
    assert any(text.startswith("  3 from b, those of image, ") for text in lines)


def test_an_input_and_a_layer_of_its_size():
    assert explained("resnet50", "image")[0] == "image (input): 3x224x224"
    lines = of_text("{last: relu}", "last", inputs="{v: [7]}")
    assert "size: 7 features, as v (input)" in lines
    assert line(lines, "features:").startswith("features: 7, those of v, line ")
    assert "params: none" in lines and "MACs: none" in lines
    assert not [text for text in lines if text.startswith("receptive field")]


def test_fields_of_an_alias_are_told_where_they_are_written():
    lines = explained("googlenet", "pool2")
    assert [text for text in lines if text.startswith("kernel_size: 3 (line ")]
    assert "by default: padding 0, dilation 1" in lines


@pytest.mark.parametrize(
    ("name", "said"), [("layer2.0.conv9", "did you mean `layer2.0.conv"), ("layr1", "`layer1`"), ("qqq", "layers: ")]
)
def test_an_unknown_layer_is_told_with_the_nearest(name, said):
    with pytest.raises(SpecError, match=r"resnet50 has no layer `") as caught:
        explained("resnet50", name)
    assert said in str(caught.value)
    assert [problem.slug for problem in caught.value.problems] == ["unknown-layer"]


def compiled(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """A graph whose receptive fields are worked out once, and not anew for each layer that is explained."""
    graph = api.compile(spec)
    fields = receptive_fields(graph)
    monkeypatch.setattr("archspec.views.explain.receptive_fields", lambda _: fields)
    return graph


@pytest.mark.parametrize("name", zoo_names())
def test_every_layer_of_the_zoo(name, monkeypatch):
    spec = api.load(name)
    graph = compiled(spec, monkeypatch)
    for node in graph:
        way, start = size_steps(graph, node)
        assert start.block is None
        sizes = [size_text(node.shape)] + [size_text(step.source.shape) for step in way]
        assert sizes[-1] == size_text(start.shape)
        assert all(size_text(step.node.shape) == size for step, size in zip(way, sizes, strict=False))
        assert origin(graph, node).shape.dims[0] == node.shape.dims[0]
        lines = explain_text(graph, spec, node.name)
        assert all(len(text) <= 80 for text in lines), lines
        check_sums(lines, node.params, node.macs)


def check_sums(lines: list[str], params: int, macs: int) -> None:
    """Every product and window formula that is shown comes out, and to the layer's costs."""
    for text in lines:
        if found := re.fullmatch(r".*?((?:[\d,]+ x )+[\d,]+) = ([\d,]+).*", text.replace(" (weight)", "")):
            assert prod(int(part.replace(",", "")) for part in found[1].split(" x ")) == int(found[2].replace(",", ""))
        if found := re.fullmatch(r"  (?:height |width )?(\d+) = (.+ // \d+ \+ 1)", text):
            assert eval(found[2]) == int(found[1])
        if text.startswith(("params: ", "MACs: ")) and "none" not in text:
            total = params if text.startswith("params") else macs
            assert re.search(rf"(?<![\d,]){total:,}(?!,?\d)", text), text


@pytest.mark.parametrize("name", zoo_names())
def test_data_of_every_layer(name, monkeypatch):
    spec = api.load(name)
    graph = compiled(spec, monkeypatch)
    for node in graph.layers[:40]:
        data = json.loads(json.dumps(explain_data(graph, spec, node.name)))
        assert data["layer"] == node.name and data["shape"] == list(node.shape.dims)
        assert sum(prod(shape) for shape in data["weights"].values()) == data["params"] == node.params
        assert set(data["fields"]) == set(vars(node.block))
        assert data["channels"]["from"] in graph and data["size_from"] == "image"


def test_the_keys_of_the_data():
    spec = api.load("resnet50")
    data = explain_data(api.compile(spec), spec, "layer2.0.conv1")
    assert list(data) == [
        "layer",
        "op",
        "shape",
        "file",
        "line",
        "groups",
        "inputs",
        "size",
        "size_from",
        "channels",
        "params",
        "weights",
        "macs",
        "receptive_field",
        "effective_stride",
        "effective_padding",
        "fields",
    ]
    assert data["groups"][1]["op"] == "bottleneck" and data["groups"][1]["params"]["width"] == 128
    assert data["size"][0] == {
        "layer": "layer2.0.conv1",
        "op": "conv2d",
        "line": data["line"],
        "from": [256, 56, 56],
        "to": [128, 28, 28],
        "kernel": [1, 1],
        "stride": [2, 2],
        "dilation": [1, 1],
        "padding": {"left": 0, "right": 0, "top": 0, "bottom": 0},
    }
    assert data["channels"] == {
        "from": "layer2.0.conv1",
        "field": "out_channels",
        "inputs": [{"name": "layer1.2.relu", "channels": 256}],
    }
    assert data["fields"]["stride"]["value"] == 2
    assert data["fields"]["stride"]["expression"] == "=stride if stride_in == 'conv1' else 1"
    assert data["fields"]["groups"] == {"value": 1, "expression": None, "line": None}
