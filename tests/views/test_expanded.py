from __future__ import annotations

from typing import Any

import pytest

from archspec import api
from archspec.graph.graph import Graph
from archspec.graph.init_rules import initializer_of
from archspec.spec.shelves import zoo_names
from archspec.spec.writer import write
from archspec.views.expanded import expanded

ZOO: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in zoo_names()),
    ("alexnet", {"lrn_groups": 2}),
    ("googlenet", {"aux": False}),
    ("resnet34", {"shortcut": "B"}),
    ("resnet50", {"shortcut": "A"}),
    ("resnet50", {"stride_in": "conv2", "classes": 10}),
    ("resnet-cifar", {"depth": 56, "shortcut": "C"}),
    ("plain-cifar", {"depth": 8}),
]


def expansion(graph: Graph) -> str:
    return write(expanded(graph))


def reread(text: str) -> Graph:
    return api.compile(api.load(text=text))


def facts(graph: Graph) -> list[tuple[object, ...]]:
    """Everything of a network's layers that building it depends on."""
    return [
        (
            node.name,
            node.op,
            node.inputs,
            node.shape,
            node.block,
            node.params,
            node.macs,
            {name: initializer_of(graph.rules, node, name, weight) for name, weight in node.weights.items()},
        )
        for node in graph
    ]


def assert_same_network(graph: Graph) -> None:
    text = expansion(graph)
    again = reread(text)
    assert facts(again) == facts(graph)
    assert again.outputs == graph.outputs
    assert again.state_shapes() == graph.state_shapes()
    assert (again.name, again.description, again.paper) == (graph.name, graph.description, graph.paper)
    assert expansion(again) == text


@pytest.mark.parametrize(("name", "settings"), ZOO, ids=str)
def test_zoo(name: str, settings: dict[str, Any]) -> None:
    assert_same_network(api.compile(name, set=settings))


@pytest.mark.parametrize("name", zoo_names())
def test_nothing_is_left_to_work_out(name: str) -> None:
    spec = api.load(text=expansion(api.compile(name)))
    assert not spec.params
    assert not spec.let
    assert not spec.blocks
    assert "=" not in expansion(api.compile(name)).split("layers:")[1].split("outputs:")[0]


BLOCKS = """
blocks:
  unit:
    params: {n: 4}
    layers:
      conv: {op: conv2d, out_channels: =n, kernel_size: 1}
      relu: relu
  residual:
    layers:
      a: relu
      b: tanh
      add: {op: add, from: [b, input]}
  join:
    inputs: [x, skip]
    layers:
      a: {op: relu, from: x}
      add: {op: add, from: [a, skip]}
  second:
    inputs: [x, skip]
    layers:
      a: {op: relu, from: skip}
      add: {op: add, from: [a, x]}
  twice: {layers: {one: residual, two: residual}}
"""

TRICKY = {
    "an inner layer shadows an outer one": "{a: relu, g: {layers: {a: tanh, b: {op: add, from: [a, .a]}}}, last: relu}",
    "shadowed twice": (
        "{a: relu, g: {layers: {a: tanh, h: {layers: {a: sigmoid, b: {op: add, from: [a, .a]}}}}}, last: relu}"
    ),
    "a group's first layer shadows": "{a: relu, g: {layers: {a: relu, b: {op: add, from: [a, .a]}}}, last: relu}",
    "a group with its outer name inside": "{g: {layers: {g: relu, x: {op: relu, from: g}}}, last: relu}",
    "a layer named like the one it reads outside": "{add: relu, r: residual, last: relu}",
    "a layer that reads past an inner one of its name": "{g: {layers: {a: tanh, h: residual}}, last: relu}",
    "the same in a block in a block": "{g: {layers: {b: tanh, t: twice}}, last: relu}",
    "a block that reads its input late": "{a: relu, r: residual, last: residual}",
    "nested blocks": "{a: relu, t: twice, t2: {op: twice, from: a}, last: {op: add, from: [t, t2.one, t2]}}",
    "a repeated block": "{r: {op: residual, repeat: 3}, last: {op: add, from: [r.0.b, r.1, r]}}",
    "flat copies": (
        "{r: {op: unit, n: =index + 1, repeat: {count: 3, flat: true}}, last: {op: concat, from: [r0, r1, r]}}"
    ),
    "copies that start late": "{r: {op: relu, repeat: {count: 2, start: 5}}, last: relu}",
    "a block of two inputs": "{a: relu, b: {op: join, from: [a, image]}, last: {op: second, from: [b, a]}}",
    "a list": "{g: {layers: [relu, {op: tanh}, {op: unit}, {layers: [relu, relu]}]}, last: relu}",
    "a list whose layers are read twice": (
        "{a: relu, g: {layers: [{op: add, from: [a, image]}, relu]}, last: {op: add, from: [g, g]}}"
    ),
    "lists in lists": "{g: {layers: [{layers: [{layers: [relu]}, tanh]}, {op: relu, repeat: 2}]}, last: relu}",
    "numbers as names": "{0: relu, g: {layers: {0: tanh, 1: {op: add, from: ['0', .0]}}}, last: relu}",
    "names that YAML could mistake": (
        "{no: relu, null: relu, 1e3: relu, 0x1f: relu, -: relu, -1: relu, -a: relu, "
        "last: {op: add, from: [no, 'null', 1e3, -1, -a]}}"
    ),
    "a group that reads past its neighbour": (
        "{a: relu, b: {from: image, layers: {x: relu}}, last: {op: add, from: [a, b]}}"
    ),
    "a group whose first layer joins": "{a: relu, g: {layers: {x: {op: add, from: [a, image]}, y: relu}}, last: relu}",
    "a group that is read inside only": "{g: {layers: {x: relu, y: tanh}}, last: {op: add, from: [g.x, g.y]}}",
    "a group left and entered by one path": (
        "{r: {op: residual, repeat: 2}, s: {from: r.0, layers: {x: relu}}, last: {op: add, from: [r, s]}}"
    ),
    "a stand-in": "{a: relu, b: tanh, s: {op: tanh, from: a, when: =false, else: a}, last: {op: add, from: [b, s]}}",
    "a layer left out": "{a: relu, b: {op: relu, when: =false}, last: relu}",
    "odd fields": (
        "{a: {op: conv2d, out_channels: 2, kernel_size: [1, 3], padding: {left: 1, right: 2}, stride: [1, 2]}, "
        "b: {op: dropout, p: 1e-7}, last: {op: conv2d, out_channels: 2, kernel_size: 1, padding: same, bias: false}}"
    ),
}


def spec_text(layers: str, inputs: str = "{image: [4, 8, 8]}", rest: str = "") -> str:
    return f"archspec: 1\nname: t\ninputs: {inputs}\n{BLOCKS}\nlayers: {layers}\noutputs: {{out: last}}\n{rest}"


@pytest.mark.parametrize("name", TRICKY)
def test_tricky(name: str) -> None:
    layers = TRICKY[name]
    assert_same_network(api.compile(api.load(text=spec_text(layers))))


@pytest.mark.parametrize(
    "layers",
    [
        "{a: {op: relu, from: y}, b: {op: relu, from: x}, last: {op: add, from: [a, b]}}",
        "{g: {from: y, layers: {a: relu, b: {op: add, from: [a, x]}}}, last: relu}",
        "{j: {op: join, from: [y, x]}, last: {op: second, from: [x, j]}}",
        "{j: {op: join, from: [x, y]}, g: {from: x, layers: {a: relu, h: {layers: {b: relu}}}}, "
        "last: {op: add, from: [j, g]}}",
    ],
)
def test_several_inputs(layers: str) -> None:
    assert_same_network(api.compile(api.load(text=spec_text(layers, inputs="{x: [4, 8, 8], y: [4, 8, 8]}"))))


def test_outputs_of_every_kind() -> None:
    text = spec_text("{g: {layers: {x: relu, y: tanh}}, aux: relu, last: {op: relu, from: g}}")
    text = text.replace(
        "{out: last}", "{out: last, inner: g.x, aux: {from: aux, training_only: true, loss_weight: 0.3}}"
    )
    assert_same_network(api.compile(api.load(text=text)))


def test_init_rules_are_worked_out_and_unused_ones_left_out() -> None:
    rest = """
params: {std: 0.5, big: false}
init:
  - {match: "*.conv", weight: {normal: {std: =std}}}
  - {op: [conv2d], weight: {constant: {value: 2}}, bias: 1e-3}
  - {bias: =std * 2}
"""
    layers = "{u: unit, c: {op: conv2d, out_channels: 1, kernel_size: 1}, last: relu}"
    graph = api.compile(api.load(text=spec_text(layers, rest=rest)), set={"std": 0.25})
    assert_same_network(graph)
    assert "std: 0.25" in expansion(graph)


@pytest.mark.parametrize(
    "description", ["a: b # c", "no", "1e-4", "=1 + 1", "'quoted' \"twice\"", "é 日本語 🙂", "- a", "x\\ny"]
)
def test_descriptions_are_kept(description: str) -> None:
    written = description.replace("\\", "\\\\").replace('"', '\\"')
    text = spec_text("{last: relu}", rest=f'description: "{written}"\npaper: "{written}"\n')
    graph = api.compile(api.load(text=text))
    assert graph.description == description
    assert_same_network(graph)
