"""What is drawn: boxes, folds, ports and wires, before anything has a place."""

import json

import pytest

import archspec
from archspec.drawing.diagram import BORDER, Box, Wire, diagram_of
from archspec.drawing.flat import closed_items, edges
from archspec.drawing.item import Shower, boxes_shown, comfortable_depth, deepest, level

INPUT = {"archspec": 1, "name": "net", "inputs": {"image": [4, 8, 8]}}


def network(layers, outputs=None, **more):
    names = list(layers)
    data = {**INPUT, "layers": layers, "outputs": outputs or {"main": names[-1]}, **more}
    return archspec.compile(archspec.load(text=json.dumps(data)))


def root_of(name, **settings) -> Box:
    return diagram_of(archspec.compile(name, set=settings)).root


def child(box: Box, *labels: str) -> Box:
    for label in labels:
        (box,) = [one for one in box.children if one.label == label]
    return box


def test_the_network_holds_inputs_layers_and_outputs_in_the_order_of_the_file():
    root = root_of("alexnet")
    assert [box.kind for box in root.children[:2]] == ["input", "layer"]
    assert [box.label for box in root.children[-2:]] == ["fc8", "logits"]
    assert root.children[-1].kind == "output"


def test_identical_copies_are_folded():
    root = root_of("resnet34")
    assert (child(root, "layer1").kind, child(root, "layer1").count) == ("fold", 3)
    assert child(root, "layer1").path == "layer1"
    inside = child(root, "layer3").children
    assert [(box.label, box.kind, box.count) for box in inside] == [("0", "group", 1), ("1 … 5", "fold", 5)]


def test_the_deepest_stage_of_resnet152_folds_35_of_its_36_blocks():
    inside = child(root_of("resnet152"), "layer3").children
    assert [box.count for box in inside] == [1, 35]


def test_a_fold_reads_what_its_first_copy_reads_and_gives_what_its_last_gives():
    fold = child(root_of("resnet34"), "layer3", "1 … 5")
    assert fold.ins == ("layer3.0.relu",)
    assert fold.outs == ("layer3.5.relu",)


@pytest.mark.parametrize(
    ("fields", "folded"),
    [({}, True), ({"width": "=2 if index == 2 else 4"}, False)],
    ids=["equal copies", "one copy differs"],
)
def test_only_equal_copies_fold(fields, folded):
    blocks = {
        "unit": {
            "params": {"width": 4},
            "layers": {
                "a": {"op": "conv2d", "out_channels": "=width", "kernel_size": 1},
                "b": {"op": "conv2d", "out_channels": 4, "kernel_size": 1},
            },
        }
    }
    root = diagram_of(network({"x": {"op": "unit", "repeat": 4, **fields}}, blocks=blocks)).root
    counts = [box.count for box in ([root.children[1]] if folded else child(root, "x").children)]
    assert counts == ([4] if folded else [2, 1, 1])


def test_a_copy_whose_value_is_read_elsewhere_ends_a_fold():
    blocks = {"unit": {"layers": {"a": "relu"}}}
    layers = {
        "x": {"op": "unit", "repeat": {"count": 4, "flat": True}},
        "sum": {"op": "add", "from": ["x1", "x3"]},
    }
    root = diagram_of(network(layers, blocks=blocks)).root
    assert [(box.label, box.count) for box in root.children[1:-2]] == [("x0 … x1", 2), ("x2 … x3", 2)]


def test_a_value_enters_a_group_once_however_many_branches_read_it():
    inception = child(root_of("googlenet"), "inception3a")
    assert inception.ins == ("pool2",)
    assert [wire.target for wire in inception.wires if wire.source == BORDER] == [0, 1, 3, 5]
    assert Wire(7, 0, BORDER, 0) in inception.wires


def test_a_value_that_is_read_inside_and_outside_has_an_out_port():
    root = diagram_of(
        network(
            {
                "group": {"layers": {"a": "relu", "b": "tanh"}},
                "sum": {"op": "add", "from": ["group.a", "group.b"]},
            }
        )
    ).root
    assert child(root, "group").outs == ("group.a", "group.b")
    assert [wire.in_port for wire in root.wires if wire.target == 2] == [0, 1]


def test_a_value_that_is_added_to_itself_has_two_wires():
    root = diagram_of(network({"twice": {"op": "add", "from": ["image", "image"]}})).root
    assert [(wire.source, wire.in_port) for wire in root.wires if wire.target == 1] == [(0, 0), (0, 1)]


def test_auxiliary_heads_are_marked():
    root = root_of("googlenet")
    assert [box.label for box in root.children if box.training_only] == ["aux1", "aux2", "aux1", "aux2"]
    assert not child(root, "inception4a").training_only


def test_every_reading_of_the_graph_is_an_edge_between_boxes():
    for name in ("googlenet", "resnet34", "alexnet-two-tower"):
        graph = archspec.compile(name)
        diagram = diagram_of(graph)
        item = Shower(diagram, lambda box: True, unfold=lambda fold: True).item(diagram.root)
        found = {(edge.value, edge.target.box.path) for edge in edges(item)}
        wanted = {(source, node.name) for node in graph for source in node.inputs}
        assert found == wanted | {(output.node, f"output {output.name}") for output in graph.outputs}


def test_closed_groups_stand_for_all_that_is_inside():
    graph = archspec.compile("googlenet")
    diagram = diagram_of(graph)
    item = Shower(diagram, lambda box: False).item(diagram.root)
    paths = [box.box.path for box in closed_items(item)]
    assert paths.count("inception3a") == 1
    assert not [path for path in paths if "." in path]
    names = [name for box in closed_items(item) for name in box.box.nodes]
    assert names == [node.name for node in graph.layers]


def test_depth_counts_names_of_a_path():
    root = root_of("googlenet")
    assert boxes_shown(root, 1) == len(root.children)
    assert boxes_shown(root, 2) > boxes_shown(root, 1)
    assert boxes_shown(root, 3) == boxes_shown(root, 9)
    assert (deepest(root), level(child(root, "inception3a", "conv3x3"))) == (3, 2)


@pytest.mark.parametrize(("name", "depth"), [("alexnet", 1), ("googlenet", 2), ("resnet34", 4), ("lenet5", 3)])
def test_the_usual_depth_is_the_greatest_that_is_easy_to_read(name, depth):
    root = root_of(name)
    assert min(comfortable_depth(root), deepest(root)) == min(depth, deepest(root))


def test_a_path_is_found_through_folds():
    diagram = diagram_of(archspec.compile("resnet34"))
    assert [box.path for box in diagram.find("layer3.4.conv2")] == ["", "layer3", "layer3.4", "layer3.4.conv2"]
    assert diagram.find("layer1")[-1].count == 3
    assert diagram.find("layer1.2")[-1].path == "layer1.2"
    assert diagram.find("layer9") == ()
