"""Two networks as one graph that can be drawn."""

import json
import random
from pathlib import Path

import pytest

import archspec
from archspec.drawing.comparison import compared
from archspec.drawing.look import Look
from archspec.drawing.picture import Picture
from archspec.drawing.union import REMOVED, union
from archspec.graph.match import match
from tests.drawing.geometry import mistakes
from tests.drawing.graphs import random_graph

ZOO = sorted(path.stem for path in (Path(__file__).parents[2] / "specs").glob("*.yaml"))
CONV = {"op": "conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}


def network(layers, outputs=None):
    data = {"archspec": 1, "name": "net", "inputs": {"image": [4, 8, 8]}, "layers": layers}
    data["outputs"] = outputs or {"main": list(layers)[-1]}
    return archspec.compile(archspec.load(text=json.dumps(data)))


def pairs_of_the_zoo(count: int) -> list[tuple[str, str]]:
    chance = random.Random(7)
    graphs = {name: len(archspec.compile(name)) for name in ZOO}
    pairs = [(a, b) for a in ZOO for b in ZOO if a != b and graphs[a] + graphs[b] <= 350]
    return chance.sample(pairs, count)


@pytest.mark.parametrize("part", range(4))
def test_pairs_of_the_zoo_can_be_drawn(part):
    for one, two in pairs_of_the_zoo(80)[part::4]:
        picture = Picture([archspec.compile(one), archspec.compile(two)], Look(depth=9), diff=True)
        assert mistakes(picture.placed[0]) == [], (one, two)


def test_random_networks_can_be_compared():
    for seed in range(0, 60, 2):
        one, two = random_graph(seed), random_graph(seed + 1)
        picture = Picture([one, two], Look(depth=9, direction="right"), diff=True)
        assert mistakes(picture.placed[0]) == [], seed


def test_every_layer_of_both_is_there_once_and_after_what_it_reads():
    a, b = archspec.compile("alexnet"), archspec.compile("plain18")
    pairs = dict(match(a, b).pairs)
    both = union(a, b, pairs)
    names = [node.name for node in both.nodes]
    assert len(set(names)) == len(names) == len(a) + len(b) - len(pairs)
    seen: set[str] = set()
    for node in both.nodes:
        assert set(node.inputs) <= seen
        seen.add(node.name)
    assert set(both.names.values()) | {node.name for node in b} == set(names)


def test_removed_layers_that_would_close_a_circle_get_a_group_of_their_own():
    """g reads x, and x read q, which was in g."""
    a = network({"g": {"layers": {"q": "relu"}}, "x": CONV, "e": "gelu"})
    b = network({"x": CONV, "g": {"layers": {"p": "sigmoid"}}, "e": "gelu"})
    both = union(a, b, {"image": "image", "x": "x", "e": "e"})
    assert [node.name for node in both.nodes] == ["image", f"g{REMOVED}.q", "x", "g.p", "e"]
    assert both.names["g.q"] == f"g{REMOVED}.q"


def test_removed_layers_go_where_their_neighbours_have_gone():
    a = network({"old": {"layers": {"conv": CONV, "norm": "batch_norm2d", "relu": "relu"}}})
    b = network({"new": {"layers": {"conv": CONV, "relu": "relu"}}})
    both = union(a, b, {"image": "image", "old.conv": "new.conv", "old.relu": "new.relu"})
    assert both.names["old.norm"] == "new.norm"


def marks(a, b):
    return {name: mark.change for name, mark in compared(a, b).marks.items()}


def test_outputs_that_only_one_has_are_marked():
    layers = {"conv": CONV, "relu": "relu"}
    one, two = network(layers), network(layers, {"main": "relu", "early": "conv"})
    assert marks(one, two) == {"output early": "added"}
    assert marks(two, one) == {"output early": "removed"}


def test_a_renamed_layer_says_what_it_was():
    found = compared(network({"conv": CONV, "relu": "relu"}), network({"first": CONV, "relu": "relu"}))
    assert {name: (mark.change, mark.text) for name, mark in found.marks.items()} == {"first": ("same", "was conv")}


def test_a_group_in_which_only_shapes_differ_is_not_changed_itself():
    picture = archspec.render("googlenet", "googlenet-naive", diff=True, depth=1)
    found = {box["path"]: box["change"] for box in json.loads(picture.json)["boxes"]}
    assert (found["aux1"], found["inception3a"], found["pool1"]) == ("derived", "changed", "same")


PAIR = (
    {"conv": CONV, "norm": "batch_norm2d", "relu": "relu"},
    {"conv": CONV, "relu": "relu", "drop": {"op": "dropout", "p": 0.5}},
)


def test_every_format_tells_what_has_changed():
    picture = archspec.render(network(PAIR[0]), network(PAIR[1]), diff=True)
    data = json.loads(picture.json)
    assert {box["label"]: box["change"] for box in data["boxes"]}["norm"] == "removed"
    assert sorted(wire["change"] for wire in data["wires"]) == ["added"] * 3 + ["removed"] * 2 + ["same"]
    colours = {"added": "#0072b2", "removed": "#c45500"}
    for text in (picture.svg, picture.dot, picture.mermaid):
        assert all(text.count(colour) >= 2 for colour in colours.values())


def test_focus_keeps_the_marks_of_wires():
    picture = archspec.render("resnet34", "resnet50", diff=True, focus="layer2.0.shortcut")
    data = json.loads(picture.json)
    assert {wire["change"] for wire in data["wires"]} >= {"removed", "added"}


def test_a_comparison_has_no_receptive_fields_and_no_memory_to_keep():
    picture = archspec.render("resnet34", "resnet50", diff=True, columns=("params", "saved", "sees"), depth=2)
    assert "params" in picture.svg
    assert "sees" not in picture.svg


@pytest.mark.parametrize("look", [{"heat": "params"}, {"style": "blocks"}])
def test_colours_are_taken_in_a_comparison(look):
    with pytest.raises(ValueError, match="its colours say what has changed"):
        archspec.render("lenet5", "alexnet", diff=True, **look)
