from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from archspec import api
from archspec.errors import SpecError
from archspec.graph.graph import Graph
from archspec.graph.init_rules import initializer_of
from archspec.initializers import Constant


def spec_text(layers: str, head: str = "", outputs: str = "{out: last}", inputs: str = "{image: [4, 8, 8]}") -> str:
    body = indent(dedent(layers).strip(), "  ")
    return f"archspec: 1\nname: t\n{dedent(head)}\ninputs: {inputs}\nlayers:\n{body}\noutputs: {outputs}\n"


def compiled(layers: str, set: dict[str, Any] | None = None, **sections: str) -> Graph:
    return api.validate(api.load(text=spec_text(layers, **sections)), set=set)


def wiring(layers: str, set: dict[str, Any] | None = None, **sections: str) -> dict[str, str]:
    """Each layer with what it reads."""
    return {node.name: " ".join(node.inputs) for node in compiled(layers, set, **sections).layers}


def refusals(layers: str, set: dict[str, Any] | None = None, **sections: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        compiled(layers, set, **sections)
    return [problem.slug for problem in caught.value.problems]


JOIN = "blocks: {join: {inputs: [x, skip], layers: {add: {op: add, from: [x, skip]}}}}"

WIRING: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "a layer reads the one before it": (
        "{a: relu, b: tanh, last: relu}",
        {},
        {"a": "image", "b": "a", "last": "b"},
    ),
    "from names an earlier layer or the input by either name": (
        "{a: relu, b: {op: relu, from: image}, c: {op: relu, from: input}, last: {op: add, from: [a, b, c]}}",
        {},
        {"a": "image", "b": "image", "c": "image", "last": "a b c"},
    ),
    "the same value may be read twice": ("{last: {op: add, from: [image, image]}}", {}, {"last": "image image"}),
    "a group yields its last layer": (
        "{g: {layers: {a: relu, b: relu}}, last: relu}",
        {},
        {"g.a": "image", "g.b": "g.a", "last": "g.b"},
    ),
    "a group reads what its from names": (
        "{a: relu, g: {from: image, layers: {b: relu}}, last: {op: add, from: [a, g]}}",
        {},
        {"a": "image", "g.b": "image", "last": "a g.b"},
    ),
    "inside a group, input is the spec's": (
        "{a: relu, g: {layers: {b: {op: relu, from: a}, c: {op: add, from: [b, input]}}}, last: relu}",
        {},
        {"a": "image", "g.b": "a", "g.c": "g.b image", "last": "g.c"},
    ),
    "a path reaches into a group": (
        "{g: {layers: {a: relu, h: {layers: {b: relu, c: relu}}}}, last: {op: add, from: [g.a, g.h.b, g.h, g]}}",
        {},
        {"g.a": "image", "g.h.b": "g.a", "g.h.c": "g.h.b", "last": "g.a g.h.b g.h.c g.h.c"},
    ),
    "inner names win": (
        "{a: relu, g: {layers: {a: tanh, b: {op: relu, from: a}}}, last: {op: add, from: [a, g]}}",
        {},
        {"a": "image", "g.a": "a", "g.b": "g.a", "last": "a g.b"},
    ),
    "an outer name is seen until the inner one is made": (
        "{a: relu, g: {layers: {b: {op: relu, from: a}, a: relu}}, last: {op: add, from: [a, g]}}",
        {},
        {"a": "image", "g.b": "a", "g.a": "g.b", "last": "a g.a"},
    ),
    "a leading dot starts at the top": (
        "{a: relu, g: {layers: {a: tanh, h: {layers: {a: relu, b: {op: add, from: [a, .a]}}}}}, last: relu}",
        {},
        {"a": "image", "g.a": "a", "g.h.a": "g.a", "g.h.b": "g.h.a a", "last": "g.h.b"},
    ),
    "a leading dot in a block starts at the block's top": (
        "{a: tanh, u: u, last: relu}",
        {"head": "blocks: {u: {layers: {a: relu, g: {layers: {a: relu, b: {op: add, from: [a, .a]}}}}}}"},
        {"a": "image", "u.a": "a", "u.g.a": "u.a", "u.g.b": "u.g.a u.a", "last": "u.g.b"},
    ),
    "a block reads what comes before it": (
        "{a: relu, u: u, last: relu}",
        {"head": "blocks: {u: {layers: {x: relu, y: {op: add, from: [x, input]}}}}"},
        {"a": "image", "u.x": "a", "u.y": "u.x a", "last": "u.y"},
    ),
    "a block's own name for its input": (
        "{last: u}",
        {"head": "blocks: {u: {inputs: [x], layers: {a: {op: add, from: [x, input]}}}}"},
        {"last.a": "image image"},
    ),
    "a block of several inputs is given them in order": (
        "{a: relu, last: {op: join, from: [a, image]}}",
        {"head": JOIN},
        {"a": "image", "last.add": "a image"},
    ),
    "and in the other order": (
        "{a: relu, last: {op: join, from: [image, a]}}",
        {"head": JOIN},
        {"a": "image", "last.add": "image a"},
    ),
    "a path reaches into a block": (
        "{u: u, last: {op: add, from: [u.x, u]}}",
        {"head": "blocks: {u: {layers: {x: relu, y: relu}}}"},
        {"u.x": "image", "u.y": "u.x", "last": "u.x u.y"},
    ),
    "the layers of a list are numbered": (
        "{g: {layers: [relu, {op: tanh}, {layers: {a: relu}}]}, last: relu}",
        {},
        {"g.0": "image", "g.1": "g.0", "g.2.a": "g.1", "last": "g.2.a"},
    ),
    "numbers count only the layers present": (
        "{g: {layers: [{op: relu, when: =false}, tanh, {op: relu, repeat: 0}, {layers: [relu], when: =false}, relu]}, "
        "last: relu}",
        {},
        {"g.0": "image", "g.1": "g.0", "last": "g.1"},
    ),
    "copies are children": (
        "{a: {op: relu, repeat: 3}, last: relu}",
        {},
        {"a.0": "image", "a.1": "a.0", "a.2": "a.1", "last": "a.2"},
    ),
    "copies are reached by number": (
        "{a: {op: u, repeat: 2}, last: {op: add, from: [a.0, a.1.x, a]}}",
        {"head": "blocks: {u: {layers: {x: relu, y: relu}}}"},
        {"a.0.x": "image", "a.0.y": "a.0.x", "a.1.x": "a.0.y", "a.1.y": "a.1.x", "last": "a.0.y a.1.x a.1.y"},
    ),
    "copies may start at another number": (
        "{a: {op: relu, repeat: {count: 2, start: 4}}, last: relu}",
        {},
        {"a.4": "image", "a.5": "a.4", "last": "a.5"},
    ),
    "flat copies lie beside each other": (
        "{a: {op: relu, repeat: {count: 2, flat: true, start: 1}}, last: {op: add, from: [a1, a]}}",
        {},
        {"a1": "image", "a2": "a1", "last": "a1 a2"},
    ),
    "flat copies start at 0": (
        "{a: {op: relu, repeat: {count: 2, flat: true}}, last: relu}",
        {},
        {"a0": "image", "a1": "a0", "last": "a1"},
    ),
    "flat copies in a list are further items": (
        "{g: {layers: [relu, {op: tanh, repeat: {count: 2, flat: true}}, relu]}, last: relu}",
        {},
        {"g.0": "image", "g.1": "g.0", "g.2": "g.1", "g.3": "g.2", "last": "g.3"},
    ),
    "copies in a list are children of one item": (
        "{g: {layers: [relu, {op: tanh, repeat: 2}, relu]}, last: relu}",
        {},
        {"g.0": "image", "g.1.0": "g.0", "g.1.1": "g.1.0", "g.2": "g.1.1", "last": "g.2"},
    ),
    "the first copy reads what from names": (
        "{a: relu, b: {op: tanh, from: image, repeat: 2}, last: {op: add, from: [a, b]}}",
        {},
        {"a": "image", "b.0": "image", "b.1": "b.0", "last": "a b.1"},
    ),
    "no copies are as if not written": (
        "{a: relu, b: {op: tanh, repeat: 0}, last: relu}",
        {},
        {"a": "image", "last": "a"},
    ),
    "a layer left out is as if not written": (
        "{a: relu, b: {op: tanh, when: =false}, last: relu}",
        {},
        {"a": "image", "last": "a"},
    ),
    "else stands for another, for every reader": (
        "{a: relu, b: relu, s: {op: tanh, when: =false, else: image}, c: relu, last: {op: add, from: [b, c, s]}}",
        {},
        {"a": "image", "b": "a", "c": "image", "last": "b c image"},
    ),
    "no copies stand for else": (
        "{a: relu, s: {op: tanh, when: =true, repeat: 0, else: image}, last: {op: add, from: [a, s]}}",
        {},
        {"a": "image", "last": "a image"},
    ),
    "else of a present layer is not read": (
        "{a: relu, s: {op: tanh, when: =true, else: image}, last: {op: add, from: [a, s]}}",
        {},
        {"a": "image", "s": "a", "last": "a s"},
    ),
    "a group may be left out": (
        "{a: relu, g: {when: =false, else: a, layers: {x: tanh}}, last: {op: add, from: [image, g]}}",
        {},
        {"a": "image", "last": "image a"},
    ),
    "names are text": (
        "{0: relu, no: relu, 010: relu, 1e3: relu, null: relu, 'true': relu, "
        "last: {op: add, from: [0, no, 010, 1e3, null, true]}}",
        {},
        {
            "0": "image",
            "no": "0",
            "010": "no",
            "1e3": "010",
            "null": "1e3",
            "true": "null",
            "last": "0 no 010 1e3 null true",
        },
    ),
    "aliases are copies": (
        "{a: &n {op: tanh}, b: *n, last: *n}",
        {},
        {"a": "image", "b": "a", "last": "b"},
    ),
    "op may be an expression": (
        "{last: {op: =kind}}",
        {"head": "params: {kind: tanh}"},
        {"last": "image"},
    ),
}


@pytest.mark.parametrize("name", WIRING)
def test_wiring(name: str) -> None:
    layers, sections, expected = WIRING[name]
    found = wiring(layers, **sections)
    assert found == expected
    assert list(found) == list(expected)


REFUSED: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "later": ("{a: {op: relu, from: last}, last: relu}", {}, ["later-layer"]),
    "itself": ("{last: {op: relu, from: last}}", {}, ["later-layer"]),
    "later in the enclosing group": (
        "{g: {layers: {a: {op: relu, from: last}}}, last: relu}",
        {},
        ["later-layer"],
    ),
    "its own group": ("{last: {layers: {a: {op: relu, from: last}}}}", {}, ["later-layer"]),
    "a name of another group": (
        "{g: {layers: {a: relu}}, last: {op: relu, from: a}}",
        {},
        ["unknown-layer"],
    ),
    "a block sees no layer outside": (
        "{a: relu, last: u}",
        {"head": "blocks: {u: {layers: {x: {op: relu, from: a}}}}"},
        ["unknown-layer"],
    ),
    "a block sees no spec input": (
        "{last: u}",
        {"head": "blocks: {u: {layers: {x: {op: relu, from: image}}}}"},
        ["unknown-layer"],
    ),
    "a block sees no outer param": (
        "{last: u}",
        {"head": "params: {p: 0.5}\nblocks: {u: {layers: {x: {op: dropout, p: =p}}}}"},
        ["bad-expression"],
    ),
    "a block sees no outer let": (
        "{last: u}",
        {"head": "let: {p: 0.5}\nblocks: {u: {layers: {x: {op: dropout, p: =p}}}}"},
        ["bad-expression"],
    ),
    "a list has no names": ("{g: {layers: [relu]}, last: {op: relu, from: g.0}}", {}, ["unknown-layer"]),
    "a list's own layers": (
        "{last: {layers: [relu, {op: relu, from: '0'}]}}",
        {},
        ["unknown-layer"],
    ),
    "absent": ("{a: {op: relu, when: =false}, last: {op: relu, from: a}}", {}, ["absent-layer"]),
    "absent by repeat": ("{a: {op: relu, repeat: 0}, last: {op: relu, from: a}}", {}, ["absent-layer"]),
    "output of a stand-in": (
        "{a: relu, last: {op: relu, when: =false, else: a}}",
        {"outputs": "{x: a, out: last}"},
        ["absent-layer"],
    ),
    "several inputs, first layer": (
        "{last: {op: join, from: [image, image]}}",
        {"head": "blocks: {join: {inputs: [x, y], layers: {a: relu, b: {op: add, from: [a, y]}}}}"},
        ["wrong-arity"],
    ),
    "several inputs have no `input`": (
        "{last: {op: join, from: [image, image]}}",
        {"head": "blocks: {join: {inputs: [x, y], layers: {a: {op: add, from: [input, y]}}}}"},
        ["unknown-layer"],
    ),
    "too few for a block": ("{last: join}", {"head": JOIN}, ["wrong-arity"]),
    "a spec of several inputs": (
        "{last: relu}",
        {"inputs": "{x: [3], y: [3]}"},
        ["wrong-arity"],
    ),
    "repeat of two": ("{last: {op: add, from: [image, image], repeat: 2}}", {}, ["wrong-arity"]),
    "repeat of a group": ("{last: {layers: {a: relu}, repeat: 2}}", {}, ["repeat-group"]),
    "repeat of a fraction": ("{last: {op: relu, repeat: 1.5}}", {}, ["bad-repeat"]),
    "a group of two": ("{last: {from: [image, image], layers: {a: relu}}}", {}, ["wrong-arity"]),
    "flat copy meets a layer": (
        "{a1: relu, a: {op: relu, repeat: {count: 2, flat: true}}, last: relu}",
        {},
        ["duplicate-name"],
    ),
    "flat copy meets a later layer": (
        "{a: {op: relu, repeat: {count: 2, flat: true}}, a1: relu, last: relu}",
        {},
        ["duplicate-name"],
    ),
    "index outside repeat": (
        "{last: {op: dropout, p: =index / 10}}",
        {},
        ["bad-expression"],
    ),
    "index in count": ("{last: {op: relu, repeat: =index + 1}}", {}, ["bad-expression"]),
    "index in when": ("{a: relu, last: {op: relu, repeat: 2, when: =first}}", {}, ["bad-expression"]),
    "index inside a block of a repeat": (
        "{last: {op: u, repeat: 2}}",
        {"head": "blocks: {u: {layers: {a: {op: dropout, p: =index / 10}}}}"},
        ["bad-expression"],
    ),
    "recursion": ("{last: u}", {"head": "blocks: {u: {layers: {a: u}}}"}, ["block-recursion"]),
    "recursion of two": (
        "{last: u}",
        {"head": "blocks: {u: {layers: {a: v}}, v: {layers: {a: u}}}"},
        ["block-recursion"],
    ),
    "shadowed op": ("{last: relu}", {"head": "blocks: {relu: {layers: {a: tanh}}}"}, ["duplicate-name"]),
    "unreachable": ("{a: relu, last: {op: relu, from: image}}", {}, ["unreachable-layer"]),
    "unreachable at the end": ("{last: relu, a: relu}", {}, ["unreachable-layer"]),
    "unreachable in a block": (
        "{last: u}",
        {"head": "blocks: {u: {layers: {a: relu, b: {op: relu, from: input}}}}"},
        ["unreachable-layer"],
    ),
    "unused input": (
        "{last: {op: relu, from: x}}",
        {"inputs": "{x: [3], y: [3]}"},
        ["unused-input"],
    ),
    "no output left": ("{a: relu, last: {op: relu, when: =false}}", {}, ["no-output"]),
    "training outputs only": (
        "{last: relu}",
        {"outputs": "{out: {from: last, training_only: true}}"},
        ["no-output"],
    ),
    "no outputs at all": ("{last: relu}", {"outputs": "{}"}, ["no-output"]),
    "a place that is none": ("{last: {op: relu, place: left}}", {}, ["bad-place"]),
    "when is text": ("{last: {op: relu, when: no}}", {}, ["bad-when"]),
    "unknown field of a block": (
        "{last: {op: u, b: 1}}",
        {"head": "blocks: {u: {params: {a: 1}, layers: {x: relu}}}"},
        ["unknown-field"],
    ),
    "param of a block missing": (
        "{last: u}",
        {"head": "blocks: {u: {params: {a: int}, layers: {x: relu}}}"},
        ["missing-field"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    layers, sections, expected = REFUSED[name]
    assert refusals(layers, **sections) == expected


def test_what_depends_on_a_mistake_stays_silent() -> None:
    layers = """
    a: {op: conv2d, out_channels: 0, kernel_size: 1}
    b: {op: conv2d, out_channels: =a.channels, kernel_size: 1}
    c: {op: linear, from: image, out_features: 1}
    last: {op: add, from: [b, c]}
    """
    assert refusals(layers) == ["bad-field", "shape-mismatch"]


CONV = "{op: conv2d, kernel_size: 1, out_channels: %s}"
SIZES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "input axes": ("{last: " + CONV % "=input.channels * image.height" + "}", "", (32, 8, 8)),
    "axes of an earlier layer": ("{a: " + CONV % 6 + ", last: " + CONV % "=a.channels // 4" + "}", "", (1, 8, 8)),
    "axes of a path": (
        "{g: {layers: {a: " + CONV % 5 + ", b: " + CONV % 6 + "}}, last: " + CONV % "=g.a.channels + g.channels" + "}",
        "",
        (11, 8, 8),
    ),
    "axes of a block's input": (
        "{last: u}",
        "blocks: {u: {layers: {a: " + CONV % "=2 * input.channels" + "}}}",
        (8, 8, 8),
    ),
    "features": ("{f: flatten, last: {op: linear, out_features: =f.features // 2}}", "", (128,)),
    "params": ("{last: " + CONV % "=w" + "}", "params: {w: 5}", (5, 8, 8)),
    "let": ("{last: " + CONV % "=w" + "}", "params: {n: 2}\nlet: {w: =n * 3}", (6, 8, 8)),
    "let reads later let": ("{last: " + CONV % "=a" + "}", "let: {a: =b + 1, b: 2}", (3, 8, 8)),
    "let reads the input": ("{last: " + CONV % "=a" + "}", "let: {a: =image.channels + 1}", (5, 8, 8)),
    "let by key": (
        "{last: " + CONV % '"=counts[depth][1]"' + "}",
        "params: {depth: 34}\nlet: {counts: {18: [1, 2], 34: [3, 7]}}",
        (7, 8, 8),
    ),
    "lists of expressions": ("{last: " + CONV % '"=w[1]"' + "}", "params: {n: 2}\nlet: {w: [1, =n * 3]}", (6, 8, 8)),
    "a block's own let and params": (
        "{last: {op: u, w: 3}}",
        "params: {w: 100}\nblocks: {u: {params: {w: int}, let: {v: =w * 2}, layers: {a: " + CONV % "=v" + "}}}",
        (6, 8, 8),
    ),
    "a block's default": ("{last: u}", "blocks: {u: {params: {w: 3}, layers: {a: " + CONV % "=w" + "}}}", (3, 8, 8)),
    "index": ("{last: {op: conv2d, kernel_size: 1, out_channels: =10 + index, repeat: 3}}", "", (12, 8, 8)),
    "first": (
        "{last: {op: conv2d, kernel_size: 1, out_channels: 4, stride: =2 if first else 1, repeat: 3}}",
        "",
        (4, 4, 4),
    ),
    "last": (
        "{last: {op: conv2d, kernel_size: 1, out_channels: 4, stride: =2 if last else 1, repeat: 3}}",
        "",
        (4, 4, 4),
    ),
    "count": ("{last: {op: conv2d, kernel_size: 1, out_channels: =count, repeat: 3}}", "", (3, 8, 8)),
    "index counts from 0 whatever the start": (
        "{last: {op: conv2d, kernel_size: 1, out_channels: =10 + index, repeat: {count: 2, start: 5}}}",
        "",
        (11, 8, 8),
    ),
    "index of the layer's own repeat": (
        "{last: {op: u, w: =index + 1, repeat: 2}}",
        "blocks:\n  u:\n    params: {w: int}\n    layers:\n"
        "      a: {op: conv2d, kernel_size: 1, out_channels: =10 * w + index, repeat: 4}\n",
        (23, 8, 8),
    ),
    "fields are worked out once per copy": (
        "{last: {op: u, repeat: 3}}",
        "blocks: {u: {layers: {a: " + CONV % "=2 * input.channels" + "}}}",
        (32, 8, 8),
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    layers, head, dims = SIZES[name]
    graph = compiled(layers, head=head)
    assert graph[graph.outputs[0].node].shape.dims == dims


def test_input_sizes_may_be_expressions() -> None:
    graph = compiled("{last: relu}", head="params: {size: 8}", inputs="{image: [3, =size, =2 * size]}")
    assert graph["image"].shape.dims == (3, 8, 16)


def test_when_and_count_are_worked_out_once() -> None:
    layers = (
        "{last: {op: conv2d, kernel_size: 1, out_channels: 9, repeat: =input.channels, when: =input.channels == 4}}"
    )
    assert len(compiled(layers).layers) == 4


def test_let_is_asked_even_if_unused() -> None:
    assert refusals("{last: relu}", head="let: {a: =nothing}") == ["bad-expression"]


@pytest.mark.parametrize("let", ["{a: =a}", "{a: =b, b: =a}", "{a: =b + 1, b: [=c], c: =a}"])
def test_let_cycles(let: str) -> None:
    assert refusals("{last: relu}", head=f"let: {let}") == ["bad-expression"]


def test_let_out_of_reach_of_settings() -> None:
    assert refusals("{last: relu}", {"a": 3}, head="let: {a: 1}") == ["unknown-param"]


def test_group_left_out_is_not_looked_into() -> None:
    layers = "{a: relu, g: {when: =false, layers: {x: {op: dropout, p: =nothing}}}, last: relu}"
    assert list(wiring(layers)) == ["a", "last"]


# Params


PARAM: dict[str, tuple[str, Any, bool]] = {
    "int": ("{type: int, default: 1}", 3, True),
    "int from float": ("{type: int, default: 1}", 3.0, False),
    "int from text": ("{type: int, default: 1}", "3", False),
    "int from true": ("{type: int, default: 1}", True, False),
    "float from int": ("{type: float, default: 1.5}", 3, True),
    "float": ("1.5", 2.5, True),
    "float from true": ("1.5", True, False),
    "bool": ("true", False, True),
    "bool from int": ("true", 1, False),
    "str": ("A", "B", True),
    "str from int": ("A", 1, False),
    "list": ("[1, 2]", [3], True),
    "list from int": ("[1, 2]", 3, False),
    "any": ("{type: any, default: 1}", "x", True),
    "null is any": ("null", 3, True),
    "bare int": ("int", 3, True),
    "bare list": ("list", [3], True),
    "choice": ("{default: A, choices: [A, B]}", "B", True),
    "no choice": ("{default: A, choices: [A, B]}", "C", False),
    "min": ("{default: 1, min: 1, max: 3}", 1, True),
    "below min": ("{default: 1, min: 1, max: 3}", 0, False),
    "max": ("{default: 1, min: 1, max: 3}", 3, True),
    "above max": ("{default: 1, min: 1, max: 3}", 4, False),
    "required with limits": ("{type: int, min: 1}", 2, True),
}


@pytest.mark.parametrize("name", PARAM)
def test_params(name: str) -> None:
    form, value, accepted = PARAM[name]
    head = f"params: {{p: {form}}}"
    if accepted:
        assert compiled("{last: relu}", {"p": value}, head=head).settings == {"p": value}
    else:
        assert refusals("{last: relu}", {"p": value}, head=head) == ["bad-param"]


@pytest.mark.parametrize("name", PARAM)
def test_params_of_blocks(name: str) -> None:
    form, value, accepted = PARAM[name]
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    head = f"blocks: {{u: {{params: {{p: {form}}}, layers: {{x: relu}}}}}}"
    if accepted:
        assert compiled(f"{{last: {{op: u, p: {written}}}}}", head=head).groups["last"].params == {"p": value}
    else:
        assert refusals(f"{{last: {{op: u, p: {written}}}}}", head=head) == ["bad-field"]


def test_a_param_without_default_must_be_given() -> None:
    assert refusals("{last: relu}", head="params: {p: int}") == ["missing-param"]


def test_a_param_named_by_a_quoted_type_is_text() -> None:
    assert compiled("{last: relu}", head="params: {p: 'int'}").settings == {"p": "int"}


@pytest.mark.parametrize("name", ["max", "true", "op", "index", "input", "lambda", "1a", "a-b", "_a", "a.b"])
@pytest.mark.parametrize("section", ["params", "let"])
def test_names_of_values(section: str, name: str) -> None:
    assert refusals("{last: relu}", head=f"{section}: {{'{name}': 1}}") == ["bad-name"]


def test_param_and_let_of_one_name() -> None:
    assert refusals("{last: relu}", head="params: {a: 1}\nlet: {a: 2}") == ["duplicate-name"]


def test_checks() -> None:
    head = "params: {n: 3}\ncheck: [{that: =n > 1, say: too few}, {that: =n < 9, say: too many}]"
    assert compiled("{last: relu}", head=head).settings == {"n": 3}
    assert refusals("{last: relu}", {"n": 1}, head=head) == ["check"]
    assert refusals("{last: relu}", {"n": 9}, head=head) == ["check"]


def test_check_of_a_block_names_its_use() -> None:
    head = "blocks: {u: {params: {n: int}, check: [{that: =n > 1, say: too few}], layers: {x: relu}}}"
    with pytest.raises(SpecError) as caught:
        compiled("{a: {op: u, n: 2}, last: {op: u, n: 1}}", head=head)
    (problem,) = caught.value.problems
    assert problem.slug == "check"
    assert [use.layer for use in problem.uses] == ["last"]


# Names of layers


@pytest.mark.parametrize("name", ["train", "type", "to", "input", "forward", "_x", "half", "parameters", "state_dict"])
def test_names_that_modules_have(name: str) -> None:
    assert refusals(f"{{{name}: relu, last: relu}}") == ["bad-name"]


@pytest.mark.parametrize("name", ["a.b", "a b", "é", "a/b", "'*'", "''"])
def test_names_that_are_no_names(name: str) -> None:
    assert refusals(f"{{{name}: relu, last: relu}}") != []


@pytest.mark.parametrize("name", ["0", "no", "a-b", "-a", "A_1", "weight", "conv2d", "op", "layers", "max"])
def test_names_of_layers(name: str) -> None:
    assert list(wiring(f"{{{name}: relu, last: relu}}")) == [name, "last"]


# Outputs


def test_outputs() -> None:
    outputs = "{main: last, aux: {from: a, training_only: true, loss_weight: 0.3}}"
    graph = compiled("{a: relu, last: relu}", outputs=outputs)
    assert [(out.name, out.node, out.training_only, out.loss_weight) for out in graph.outputs] == [
        ("main", "last", False, 1.0),
        ("aux", "a", True, 0.3),
    ]
    assert [out.name for out in graph.main_outputs] == ["main"]


def test_an_output_of_a_group_is_its_last_layer() -> None:
    assert compiled("{last: {layers: {a: relu, b: relu}}}").outputs[0].node == "last.b"


def test_an_output_by_path() -> None:
    assert [o.node for o in compiled("{g: {layers: {a: relu, b: relu}}}", outputs="{x: g.a, y: g}").outputs] == [
        "g.a",
        "g.b",
    ]


def test_outputs_left_out_are_dropped() -> None:
    layers = "{last: relu, aux: {op: tanh, when: =aux}}"
    sections = {"head": "params: {aux: true}", "outputs": "{out: last, aux: {from: aux, training_only: true}}"}
    assert [out.name for out in compiled(layers, **sections).outputs] == ["out", "aux"]
    assert [out.name for out in compiled(layers, {"aux": False}, **sections).outputs] == ["out"]


def test_inference_leaves_out_what_only_training_needs() -> None:
    layers = """
    a: {op: conv2d, out_channels: 2, kernel_size: 1}
    aux: {op: conv2d, out_channels: 3, kernel_size: 1}
    aux2: relu
    last: {op: relu, from: a}
    """
    graph = compiled(layers, outputs="{out: last, aux: {from: aux2, training_only: true}}")
    inference = graph.inference()
    assert [node.name for node in graph] == ["image", "a", "aux", "aux2", "last"]
    assert [node.name for node in inference] == ["image", "a", "last"]
    assert [out.name for out in inference.outputs] == ["out"]
    assert (graph.params, inference.params) == (10 + 9, 10)
    assert (graph.macs, inference.macs) == ((8 + 6) * 64, 8 * 64)


def test_pruned_keeps_every_input() -> None:
    layers = "{a: {op: relu, from: x}, b: {op: tanh, from: y}}"
    graph = compiled(layers, inputs="{x: [3], y: [4]}", outputs="{a: a, b: b}")
    pruned = graph.pruned(graph.outputs[:1])
    assert [node.name for node in pruned] == ["x", "y", "a"]
    assert [out.name for out in pruned.outputs] == ["a"]
    assert len(graph) == 4


def test_state_shapes_are_in_file_order() -> None:
    layers = "{b: {op: conv2d, out_channels: 2, kernel_size: 1, bias: false}, a: batch_norm2d, last: relu}"
    assert compiled(layers).state_shapes() == {
        "b.weight": (2, 4, 1, 1),
        "a.weight": (2,),
        "a.bias": (2,),
        "a.running_mean": (2,),
        "a.running_var": (2,),
        "a.num_batches_tracked": (),
    }
    assert list(compiled(layers).state_shapes())[:2] == ["b.weight", "a.weight"]


def test_groups() -> None:
    layers = "{g: {layers: {a: relu}}, u: {op: u, w: 3, repeat: 2}, last: relu}"
    graph = compiled(layers, head="blocks: {u: {params: {w: 1}, layers: {x: relu}}}")
    assert {path: (group.op, dict(group.params)) for path, group in graph.groups.items()} == {
        "g": ("", {}),
        "u": ("", {}),
        "u.0": ("u", {"w": 3}),
        "u.1": ("u", {"w": 3}),
    }


def test_settings_of_a_graph() -> None:
    graph = compiled("{last: relu}", {"a": 5}, head="params: {a: 1, b: 2}")
    assert (graph.settings, graph.changed) == ({"a": 5, "b": 2}, {"a": 5})


# Init


INIT_LAYERS = """
fc: {op: linear, out_features: 3}
a: {layers: {fc: {op: linear, out_features: 3}, fc2: {op: linear, out_features: 3}}}
last: {layers: {b: {layers: {fc: {op: linear, out_features: 3}}}}}
"""


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ("fc", ["fc"]),
        ("a.fc", ["a.fc"]),
        ("a.*", ["a.fc", "a.fc2"]),
        ("*.fc", ["a.fc"]),
        ("*.*.fc", ["last.b.fc"]),
        ("**.fc", ["fc", "a.fc", "last.b.fc"]),
        ("last.**.fc", ["last.b.fc"]),
        ("last.**.b.fc", ["last.b.fc"]),
        ("a.fc*", ["a.fc", "a.fc2"]),
        ("*", ["fc"]),
        ("**.*", ["fc", "a.fc", "a.fc2", "last.b.fc"]),
        ("[fc, a.fc2]", ["fc", "a.fc2"]),
        ("f*", ["fc"]),
    ],
)
def test_init_matches(match: str, names: list[str]) -> None:
    written = match if match.startswith("[") else f'"{match}"'
    graph = compiled(INIT_LAYERS, inputs="{image: [3]}", head=f"init: [{{match: {written}, weight: 7}}]")
    chosen = {node.name: initializer_of(graph.rules, node, "weight", node.weights["weight"]) for node in graph.layers}
    assert [name for name, found in chosen.items() if found == Constant(value=7.0)] == names


@pytest.mark.parametrize(
    "match", ["b.fc", "?c", "a", "fc.*", "**.fc.weight", "a.b.**.fc", "fc[2]", "", "a.fc.", "last.b"]
)
def test_init_globs_that_match_nothing(match: str) -> None:
    head = f"init: [{{match: '{match}', weight: 7}}]"
    assert refusals(INIT_LAYERS, inputs="{image: [3]}", head=head)[0] in ("unused-init", "bad-init")


def test_the_first_rule_that_names_the_parameter_wins() -> None:
    head = "init: [{match: fc, weight: 1}, {op: linear, weight: 2, bias: 3}, {bias: 4, weight: 5}]"
    graph = compiled(
        "{c: {op: conv2d, out_channels: 1, kernel_size: 1}, f: flatten, fc: {op: linear, out_features: 2}}",
        head=head,
        outputs="{o: fc}",
    )
    found = {
        f"{node.name}.{name}": initializer_of(graph.rules, node, name, weight)
        for node in graph.layers
        for name, weight in node.weights.items()
    }
    assert {key: item.value for key, item in found.items() if isinstance(item, Constant)} == {
        "c.weight": 5.0,
        "c.bias": 4.0,
        "fc.weight": 1.0,
        "fc.bias": 3.0,
    }


@pytest.mark.parametrize(
    "rule",
    [
        "3",
        "{op: conv2d}",
        "{op: [], weight: [normal]}",
        "{op: conv2d, weight: [normal]}",
        "{op: conv2d, weight: {normal: {std: 1}, uniform: {}}}",
        "{op: conv2d, weight: {normal: 3}}",
        "{op: conv2d, weight: true}",
        "{op: conv2d, weight: {}}",
        "{op: conv2d, weight: .nan}",
        "{op: conv2d, weight: {1: {}}}",
        "{op: 3, weight: 0}",
        "{match: {a: 1}, weight: 0}",
    ],
)
def test_init_rules_that_are_none(rule: str) -> None:
    layers = "{last: {op: conv2d, out_channels: 1, kernel_size: 1}}"
    assert refusals(layers, head=f"init: [{rule}]") == ["bad-init"]


def test_without_a_rule_torchs_default() -> None:
    graph = compiled("{last: {op: conv2d, out_channels: 1, kernel_size: 1}}", head="init: [{bias: 0}]")
    weight = graph["last"].weights["weight"]
    assert initializer_of(graph.rules, graph["last"], "weight", weight) is weight.init


def test_a_rule_used_only_in_an_expected_case_is_used() -> None:
    layers = "{c: {op: conv2d, out_channels: 1, kernel_size: 1, when: =big}, last: relu}"
    head = "params: {big: false}\ninit: [{op: conv2d, weight: 0}]\n"
    assert refusals(layers, head=head) == ["unused-init"]
    assert compiled(layers, head=head + "expect: [{set: {big: true}, params: 5}]").params == 0


# Expect


@pytest.mark.parametrize(
    ("case", "slugs"),
    [
        ("{params: 10}", []),
        ("{params: 11}", ["expectation"]),
        ("{params: 11, within: 0.1}", []),
        ("{macs: 512}", []),
        ("{macs: 500}", ["expectation"]),
        ("{params: 11, macs: 500}", ["expectation", "expectation"]),
        ("{shapes: {c: [2, 8, 8], g: [2, 8, 8], g.r: [2, 8, 8]}}", []),
        ("{shapes: {c: [2, 8]}}", ["expectation"]),
        ("{shapes: {x: [2]}}", ["expectation"]),
        ("{set: {w: 4}, params: 20}", []),
        ("{set: {w: 4}, params: 21}", ["expectation"]),
        ("{set: {x: 4}, params: 21}", ["unknown-param"]),
        ("{set: {w: 0}, params: 21}", ["bad-field"]),
        ("{within: 2}", ["bad-field"]),
        ("{parms: 2}", ["unknown-field"]),
        ("text", ["bad-field"]),
    ],
)
def test_expectations(case: str, slugs: list[str]) -> None:
    layers = "{c: {op: conv2d, out_channels: =w, kernel_size: 1}, g: {layers: {r: relu}}, last: relu}"
    head = f"params: {{w: 2}}\nexpect: [{case}]"
    if slugs:
        assert refusals(layers, head=head) == slugs
    else:
        assert compiled(layers, head=head).params == 10


def test_expectations_hold_at_the_defaults_only() -> None:
    layers = "{last: {op: conv2d, out_channels: =w, kernel_size: 1}}"
    assert compiled(layers, {"w": 3}, head="params: {w: 2}\nexpect: [{params: 10}]").params == 15


# Composition


PARENT = """\
archspec: 1
name: parent
description: of the parent
params: {width: {default: 4, choices: [4, 8], doc: channels}, depth: 1}
let: {a: 1, b: =a}
inputs: {image: [3, 8, 8]}
blocks:
  u: {params: {w: int}, layers: {c: {op: conv2d, out_channels: =w, kernel_size: 1}}}
layers:
  u: {op: u, w: =width, repeat: =depth}
  r: relu
outputs: {out: r}
init: [{op: conv2d, weight: 0}]
expect: [{params: 16}]
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parent.yaml").write_text(PARENT)
    return tmp_path


def child(family: Path, sections: str, set: dict[str, Any] | None = None) -> Graph:
    (family / "child.yaml").write_text(f"archspec: 1\nname: child\nextends: parent.yaml\n{sections}\n")
    return api.validate("child.yaml", set=set)


def test_a_child_has_everything_of_its_parent(family: Path) -> None:
    graph = child(family, "")
    assert (graph.name, graph.description, graph.params) == ("child", "of the parent", 16)
    assert [node.name for node in graph.layers] == ["u.0.c", "r"]
    assert len(graph.rules) == 1


def test_expect_is_not_inherited(family: Path) -> None:
    assert child(family, "params: {depth: 2}").params == 16 + 20


def test_a_new_default_keeps_choices(family: Path) -> None:
    assert child(family, "params: {width: 8}").settings == {"width": 8, "depth": 1}
    with pytest.raises(SpecError, match="must be one of 4, 8"):
        child(family, "params: {width: 5}")
    with pytest.raises(SpecError, match="must be one of 4, 8"):
        child(family, "", {"width": 5})


def test_a_long_form_replaces_the_param(family: Path) -> None:
    assert child(family, "params: {width: {default: 5}}").settings["width"] == 5


def test_params_are_joined(family: Path) -> None:
    assert child(family, "params: {more: 3}").settings == {"width": 4, "depth": 1, "more": 3}


def test_let_is_joined(family: Path) -> None:
    layers = "layers: {r: {op: conv2d, kernel_size: 1, out_channels: =a + b + c}}"
    assert child(family, f"let: {{a: 2, c: 3}}\n{layers}")["r"].shape.dims == (7, 8, 8)


def test_blocks_are_joined(family: Path) -> None:
    blocks = "blocks: {u: {params: {w: int}, layers: {r: relu}}, v: {layers: {t: tanh}}}\ninit: []"
    assert [node.name for node in child(family, f"{blocks}\nlayers: {{u: {{op: u, w: 1}}, r: v}}").layers] == [
        "u.r",
        "r.t",
    ]


def test_inputs_are_joined(family: Path) -> None:
    assert child(family, "inputs: {image: [5, 4, 4]}")["image"].shape.dims == (5, 4, 4)


def test_layers_outputs_and_init_are_replaced(family: Path) -> None:
    graph = child(family, "layers: {x: relu}\noutputs: {y: x}\ninit: []")
    assert [node.name for node in graph.layers] == ["x"]
    assert [out.name for out in graph.outputs] == ["y"]
    assert graph.rules == ()


def test_children_have_children(family: Path) -> None:
    (family / "middle.yaml").write_text("archspec: 1\nname: middle\nextends: parent.yaml\nparams: {width: 8}\n")
    (family / "last.yaml").write_text("archspec: 1\nname: last\nextends: middle.yaml\nparams: {depth: 2}\n")
    assert api.validate("last.yaml").settings == {"width": 8, "depth": 2}


def test_a_zoo_spec_can_be_extended_by_name(family: Path) -> None:
    (family / "mine.yaml").write_text("archspec: 1\nname: mine\nextends: alexnet\nparams: {classes: 7}\n")
    graph = api.validate("mine.yaml")
    assert graph[graph.outputs[0].node].shape.dims == (7,)


def test_use(family: Path) -> None:
    (family / "lib").mkdir()
    (family / "lib" / "a.yaml").write_text("archspec: 1\nuse: b.yaml\nblocks: {a: {layers: {x: b}}}\n")
    (family / "lib" / "b.yaml").write_text("archspec: 1\nblocks: {b: {layers: {y: relu}}}\n")
    (family / "net.yaml").write_text(spec_text("{last: a}", head="use: [lib/a.yaml]"))
    assert [node.name for node in api.validate("net.yaml").layers] == ["last.x.y"]


def test_the_same_block_by_two_ways_is_one(family: Path) -> None:
    (family / "a.yaml").write_text("archspec: 1\nuse: b.yaml\nblocks: {a: {layers: {x: b}}}\n")
    (family / "b.yaml").write_text("archspec: 1\nblocks: {b: {layers: {y: relu}}}\n")
    (family / "net.yaml").write_text(spec_text("{a: a, last: b}", head="use: [a.yaml, b.yaml]"))
    assert [node.name for node in api.validate("net.yaml").layers] == ["a.x.y", "last.y"]


@pytest.mark.parametrize(
    ("head", "slug"),
    [
        ("use: [a.yaml, b.yaml]", "duplicate-name"),
        ("use: [a.yaml]\nblocks: {u: {layers: {x: tanh}}}", "duplicate-name"),
        ("use: [parent.yaml]", "unknown-key"),
        ("use: [3]", "bad-section"),
        ("use: [none.yaml]", "missing-file"),
        ("extends: [parent.yaml]", "bad-section"),
    ],
)
def test_use_refused(family: Path, head: str, slug: str) -> None:
    for name in "ab":
        (family / f"{name}.yaml").write_text("archspec: 1\nblocks: {u: {layers: {x: relu}}}\n")
    (family / "net.yaml").write_text(spec_text("{last: relu}", head=head))
    with pytest.raises(SpecError) as caught:
        api.validate("net.yaml")
    assert slug in [problem.slug for problem in caught.value.problems]
