"""No box overlaps another, no wire crosses a box, no label is wider than its box, whatever is drawn."""

from pathlib import Path

import pytest

import archspec
from archspec.drawing.item import COLUMNS
from archspec.drawing.layout import Placed
from archspec.drawing.look import Look
from archspec.drawing.picture import Picture
from tests.drawing.geometry import mistakes
from tests.drawing.graphs import chain_graph, dense_graph, random_graph

ZOO = sorted(path.stem for path in (Path(__file__).parents[2] / "specs").glob("*.yaml"))
LOOKS = {
    "usual": Look(),
    "outline": Look(depth=1),
    "right": Look(direction="right"),
    "all": Look(depth=9, unfold=True),
    "all right": Look(depth=9, direction="right", unfold=True),
    "full boxes": Look(depth=9, columns=COLUMNS, edge_shapes=True),
    "full boxes right": Look(depth=2, columns=("params", "sees"), edge_shapes=True, direction="right"),
}


def placed(graph, look: Look) -> Placed:
    return Picture([graph], look).placed[0]


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo(name):
    graph = archspec.compile(name)
    assert {what: found for what, look in LOOKS.items() if (found := mistakes(placed(graph, look)))} == {}


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_networks(first):
    for seed in range(first, first + 20):
        graph = random_graph(seed)
        for look in (LOOKS["outline"], LOOKS["all"], LOOKS["all right"]):
            assert mistakes(placed(graph, look)) == [], f"seed {seed}, {look}"


@pytest.mark.parametrize("count", [3, 12, 24])
def test_densely_connected_networks(count):
    assert mistakes(placed(dense_graph(count), Look())) == []


def test_long_networks():
    assert mistakes(placed(chain_graph(300), Look())) == []


def test_the_networks_of_the_tests_are_varied():
    graphs = [random_graph(seed) for seed in range(200)]
    assert max(len(graph) for graph in graphs) > 60
    assert sum(any(node.name.count(".") >= 2 for node in graph) for graph in graphs) > 30
    assert sum(bool(graph.outputs[1:]) for graph in graphs) > 50


def test_mistakes_are_found():
    """The checks themselves: a picture that is wrong on purpose."""
    from dataclasses import replace

    good = placed(archspec.compile("resnet34"), Look(depth=1))
    first, second, *rest = good.items
    above = replace(good, items=(first, replace(second, y=first.y + 3), *rest))
    assert any("overlap" in text for text in mistakes(above))
    aside = replace(good, items=(first, replace(second, x=second.x + 300), *rest))
    assert any("reaches out of" in text for text in mistakes(aside))
    assert any("does not end at" in text for text in mistakes(aside))
    narrow = replace(good, items=(first, replace(second, width=20.0), *rest))
    assert any("is wider than its box" in text for text in mistakes(narrow))
    graph = archspec.compile("googlenet")
    inside = next(item for item in placed(graph, Look()).items if item.item.box.path == "inception3a")
    boxes = list(inside.items)
    boxes[2] = replace(boxes[2], x=boxes[0].x)
    assert any("crosses inception3a.conv3x3" in text for text in mistakes(replace(inside, items=tuple(boxes))))


@pytest.mark.parametrize("name", ["googlenet", "resnet34", "lenet5"])
def test_a_chain_is_straight(name):
    """Boxes that only read each other stand middle under middle."""
    picture = placed(archspec.compile(name), Look(depth=1))
    main = [item for item in picture.items if not item.item.box.training_only]
    assert len({round(item.x + item.width / 2, 3) for item in main}) == 1


def test_branches_stand_beside_each_other_in_the_order_of_the_file():
    picture = placed(archspec.compile("googlenet"), Look(depth=2))
    inception = next(item for item in picture.items if item.item.box.path == "inception3a")
    at = {item.item.box.label: item for item in inception.items}
    tops = ["conv1x1", "reduce3x3", "reduce5x5", "pool"]
    assert len({at[name].y for name in tops}) == 1
    assert [at[name].x for name in tops] == sorted(at[name].x for name in tops)
    assert at["conv3x3"].x + at["conv3x3"].width / 2 == pytest.approx(at["reduce3x3"].x + at["reduce3x3"].width / 2)
    concat = at["concat"].x + at["concat"].width / 2
    assert concat == pytest.approx(inception.x + inception.width / 2, abs=20)


def test_a_shortcut_is_one_arc_beside_its_branch():
    picture = placed(archspec.compile("resnet34"), Look())
    block = next(item for item in picture.items if item.item.box.path == "layer1")
    (shortcut,) = [r for r in block.routes if r.target.endswith(".add") and not r.source]
    lane = {round(x, 3) for x, _ in shortcut.points[1:-1]}
    assert len(lane) == 1, "it runs straight beside the branch"
    branch = [item for item in block.items if item.item.box.label in ("conv1", "bn1", "relu1", "conv2", "bn2")]
    assert lane.pop() > max(item.x + item.width for item in branch)


def test_auxiliary_heads_are_set_off_to_the_side():
    picture = placed(archspec.compile("googlenet"), Look(depth=2))
    main = max(i.x + i.width for i in picture.items if not i.item.box.training_only)
    aside = [item for item in picture.items if item.item.box.training_only]
    assert len(aside) == 4
    assert all(item.x >= main for item in aside)


def test_reading_to_the_right_has_the_layers_in_a_row():
    picture = placed(archspec.compile("alexnet"), Look(direction="right"))
    assert len({round(item.y + item.height / 2, 3) for item in picture.items}) == 1
    lefts = [item.x for item in picture.items]
    assert lefts == sorted(lefts)
