"""Focus, comparisons, and the two styles of papers."""

import json
import re

import pytest

import archspec
from archspec.drawing.columns import line_of, placed_columns, size_of
from archspec.drawing.compact import compact
from archspec.drawing.comparison import compared
from archspec.drawing.look import Look
from archspec.drawing.picture import Picture
from archspec.drawing.volumes import Scale, captions
from archspec.errors import SpecError


def item_of(name, **look):
    return Picture([archspec.compile(name)], Look(**look)).items[0]


def labels(item):
    return [box.lines[0].text for box in item.items]


def texts_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


# Focus.


def test_focus_draws_a_part_between_what_it_reads_and_what_reads_it():
    item = item_of("resnet50", focus="layer3.2")
    assert labels(item) == ["layer3.1", "2", "layer3.3"]
    assert [box.faint for box in item.items] == [True, False, True]
    assert item.items[1].open


def test_focus_on_a_layer():
    item = item_of("googlenet", focus="inception3a.concat")
    assert labels(item) == [
        "inception3a.conv1x1", "inception3a.conv3x3", "inception3a.conv5x5", "inception3a.pool_proj",
        "concat", "inception3b",
    ]  # fmt: skip


def test_focus_sees_auxiliary_heads_and_outputs():
    assert labels(item_of("googlenet", focus="inception4a")) == ["pool3", "inception4a", "inception4b", "aux1"]
    assert labels(item_of("googlenet", focus="fc")) == ["drop5", "fc", "logits"]


def test_depth_counts_from_the_focus():
    assert not any(box.open for box in item_of("googlenet", focus="inception3a", depth=1).items[1].items)
    assert all(
        box.open for box in item_of("googlenet", focus="inception3a", depth=2).items[1].items if box.box.is_group
    )
    assert item_of("resnet34", focus="layer3", depth=1).items[1].open
    assert item_of("resnet34", focus="layer1", depth=1).items[1].open, "a fold shows its first copy"


def test_a_focus_is_no_deeper_than_is_easy_to_read():
    layers = {f"g{n}": {"layers": {f"r{k}": "relu" for k in range(10)}} for n in range(20)}
    item = Picture([network({"all": {"layers": layers}})], Look(focus="all")).items[0]
    assert not any(box.open for box in item.items[1].items)


def test_the_costs_of_a_focus_are_its_own():
    texts = texts_of(archspec.render("googlenet", focus="inception3a").svg)
    assert texts[:2] == ["googlenet: inception3a", "164k params, 128M MACs"]


def test_neighbours_are_named_by_their_whole_path():
    assert labels(item_of("resnet34", focus="layer2.0")) == ["layer1", "0", "layer2.1 … 3"]


def test_an_unknown_focus_names_the_nearest():
    with pytest.raises(SpecError, match="googlenet has no layer `inception3c`") as error:
        item_of("googlenet", focus="inception3c")
    assert "did you mean `inception" in str(error.value).split("hint:")[1]


# Comparisons.


def changes(a, b):
    found = compared(a, b)
    return {name: mark.change for name, mark in found.marks.items()}, found


def network(layers, **more):
    data = {"archspec": 1, "name": "net", "inputs": {"image": [4, 8, 8]}, "layers": layers}
    data |= {"outputs": {"main": list(layers)[-1]}, **more}
    return archspec.compile(archspec.load(text=json.dumps(data)))


CONV = {"op": "conv2d", "out_channels": 8, "kernel_size": 3, "padding": 1}


def test_a_comparison_tells_added_removed_and_changed():
    a = network({"conv": CONV, "norm": "batch_norm2d", "relu": "relu"})
    b = network({"conv": {**CONV, "kernel_size": 5, "padding": 2}, "relu": "relu", "drop": {"op": "dropout", "p": 0.5}})
    found, comparison = changes(a, b)
    assert found["conv"] == "changed"
    assert found["norm"] == "removed"
    assert found["drop"] == "added"
    assert comparison.marks["conv"].text == "kernel_size 3 → 5, padding 1 → 2"
    assert comparison.gains["conv"] == (8 * 4 * 16, 8 * 4 * 16 * 64)
    assert comparison.gains["norm"] == (-16, -a["norm"].macs)
    assert "312 → 808 params (+159.0%)" in comparison.heading[1]


def test_wires_that_only_one_has_are_marked():
    a = network({"conv": CONV, "norm": "batch_norm2d", "relu": "relu"})
    b = network({"conv": CONV, "relu": "relu"})
    _, comparison = changes(a, b)
    assert comparison.readings[("conv", "norm")] == "removed"
    assert comparison.readings[("norm", "relu")] == "removed"
    assert comparison.readings[("conv", "relu")] == "added"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"x": {"layers": {"conv": CONV}}, "end": "relu"}, {"x": "tanh", "end": "relu"}),
        ({"x": "tanh", "end": "relu"}, {"x": {"layers": {"conv": CONV}}, "end": "relu"}),
    ],
    ids=["a group gives way to a layer", "a layer gives way to a group"],
)
def test_names_that_both_use_for_different_things(a, b):
    data = json.loads(archspec.render(network(a), network(b), diff=True).json)
    paths = [box["path"] for box in data["boxes"]]
    assert sorted(paths) == ["end", "image", "output main", "x", "x (removed)"]
    assert {box["path"]: box["change"] for box in data["boxes"]} == {
        "image": "same", "x": "added", "x (removed)": "removed", "end": "derived", "output main": "same",
    }  # fmt: skip


def test_equal_networks_have_no_marks():
    graph = archspec.compile("resnet34")
    found, comparison = changes(graph, graph)
    assert found == {}
    assert comparison.heading[1] == "21.6M params as before, 3.64G MACs as before"


@pytest.mark.parametrize(
    ("one", "two"),
    [("plain34", "resnet34"), ("resnet34", "resnet50"), ("googlenet", "googlenet-naive"), ("alexnet", "vgg16")],
)
def test_whole_networks_are_compared_in_one_picture(one, two):
    from tests.drawing.geometry import mistakes

    picture = Picture([archspec.compile(one), archspec.compile(two)], Look(), diff=True)
    assert mistakes(picture.placed[0]) == []
    assert {"added", "removed", "changed"} & set(texts_of(picture.svg))


# Compact pictures.


def test_what_is_taken_for_granted_is_left_out():
    item = compact(item_of("resnet18", depth=9, unfold=True))
    ops = {box.box.op for box in item.items}
    assert ops == {"input", "conv2d", "max_pool2d", "add", "adaptive_avg_pool2d", "linear"}
    assert sum(box.box.op == "conv2d" for box in item.items) == 17


def test_readers_read_what_was_read_by_what_is_left_out():
    item = compact(item_of("alexnet"))
    assert [(wire.source, wire.target) for wire in item.wires] == [(k, k + 1) for k in range(len(item.items) - 1)]


def test_shortcuts_that_change_shapes_are_dotted():
    item = compact(item_of("resnet18", depth=9, unfold=True))
    assert sum(wire.mark == "dotted" for wire in item.wires) == 3
    assert sum(box.box.op == "add" for box in item.items) == 8


def test_a_group_shows_its_last_value_and_each_reader_reads_its_own():
    enc = {"layers": {"c1": CONV, "c2": {**CONV, "stride": 2}, "c3": {**CONV, "stride": 2}}}
    late = {"op": "upsample", "scale_factor": 2, "mode": "nearest", "from": "enc.c2"}
    graph = network(
        {"enc": enc, "late": late, "sum": {"op": "add", "from": ["late", "enc.c1"]}, "end": {**CONV, "from": "enc"}},
        outputs={"a": "sum", "b": "end"},
    )
    item = compact(Picture([graph], Look(depth=1, style="paper")).items[0])
    group = next(box for box in item.items if box.box.path == "enc")
    assert group.box.value == "enc.c3"
    values = {
        item.items[w.target].box.path: item.items[w.source].outs[w.out_port]
        for w in item.wires
        if item.items[w.source] is group
    }
    assert values == {"late": "enc.c2", "sum": "enc.c1", "end": "enc.c3"}


def test_a_last_layer_is_drawn_however_minor():
    graph = network({"conv": CONV, "soft": "softmax"})
    assert [box.box.label for box in compact(Picture([graph], Look(style="blocks")).items[0]).items] == [
        "image", "conv", "soft",
    ]  # fmt: skip


def test_the_trunk_of_googlenet_is_straight_in_columns():
    (column,) = Picture([archspec.compile("googlenet")], Look(style="blocks")).placed
    middles = {round(box.x + box.width / 2, 3) for box in column.items if box.item.box.op == "concat"}
    assert len(middles) == 1


def test_the_margin_follows_the_trunk():
    texts = texts_of(archspec.render("googlenet", style="blocks").svg)
    assert [text for text in texts if text.startswith("output ")] == [
        "output 224", "output 112", "output 56", "output 28", "output 14", "output 7", "output 1",
    ]  # fmt: skip


def test_columns_have_equal_sizes_at_equal_heights():
    names = ("vgg19", "plain34", "resnet34")
    graphs = [archspec.compile(name) for name in names]
    items = [(graph, compact(Picture([graph], Look(style="blocks")).items[0])) for graph in graphs]
    columns = placed_columns(items)
    for size in ((56, 56), (28, 28), (14, 14), (7, 7)):
        tops = [
            min(box.y for box in column.items if size_of(box, graph) == size)
            for column, graph in zip(columns, graphs, strict=True)
        ]
        assert len(set(tops)) == 1, size


def test_columns_say_what_the_paper_says():
    said = [line_of(box.box) for box in compact(item_of("resnet34", style="blocks")).items]
    assert said[:4] == ["image", "7×7 conv, 64, /2", "3×3 max pool, /2", "3×3 conv, 64"]
    assert said[-2:] == ["global avg pool", "fc, 1000"]
    assert sum("conv" in text for text in said) == 33


def test_volumes_follow_the_feature_maps():
    graph = archspec.compile("alexnet")
    item = compact(Picture([graph], Look(style="paper")).items[0])
    scale = Scale.of([(graph, item)])
    solids = {box.box.label: scale.solid(box, graph) for box in item.items}
    assert solids["image"][1] > solids["conv1"][1] > solids["pool1"][1] > solids["pool5"][1]
    assert solids["image"][0] < solids["conv1"][0] < solids["conv2"][0] < solids["conv3"][0]
    assert solids["conv3"][:2] == solids["conv4"][:2]
    assert [text for text, _ in captions(item.items[1], graph)] == ["11×11 conv, 96, /4", "96×55×55"]


def test_volumes_beside_each_other_have_one_scale():
    graphs = [archspec.compile("alexnet"), archspec.compile("resnet-cifar")]
    large, small = Picture(graphs, Look(style="paper")).placed
    heights = [next(box.height for box in picture.items if box.item.box.kind == "input") for picture in (large, small)]
    assert heights[0] > 1.5 * heights[1]


def test_windows_are_seen_through_groups():
    graph = archspec.compile("googlenet")
    item = compact(Picture([graph], Look(style="paper")).items[0])
    group = next(box.box for box in item.items if box.box.is_group)
    assert group.main_layer is not None
    assert group.main_layer.op == "conv2d"


@pytest.mark.parametrize(
    ("name", "least", "most"), [("vgg16", 22, 22), ("alexnet-two-tower", 10, 25), ("resnet50", 8, 25)]
)
def test_volumes_are_as_many_as_fit_one_line(name, least, most):
    item = compact(Picture([archspec.compile(name)], Look(style="paper")).items[0])
    assert least <= len(item.items) <= most


@pytest.mark.parametrize("style", ["paper", "blocks"])
@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet", "resnet152", "squeezenet", "alexnet-two-tower", "preact-resnet-cifar"]
)
def test_styles_keep_boxes_apart(style, name):
    from tests.drawing.geometry import overlap, within

    picture = Picture([archspec.compile(name)], Look(style=style))
    boxes = picture.placed[0].items
    pairs = [(one, two) for n, one in enumerate(boxes) for two in boxes[n + 1 :]]
    assert not [(one.item.box.path, two.item.box.path) for one, two in pairs if overlap(one, two)]
    assert all(within(box, picture.placed[0]) for box in boxes)
