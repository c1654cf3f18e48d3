"""`shares`: an earlier layer applied again, with the same parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import archspec
from archspec.graph.graph import Graph
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import standalone_module
from archspec.spec.writer import write
from archspec.views.expanded import expanded

HEAD = """
archspec: 1
name: shared
inputs: {image: [4, 8, 8], other: [4, 8, 8]}
blocks:
  res:
    params: {width: 4}
    layers:
      conv1: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1, bias: false}
      bn: batch_norm2d
      drop: {op: dropout, p: 0.5}
      add: {op: add, from: [drop, input]}
  pair:
    inputs: [x, y]
    layers:
      conv: {op: conv2d, from: x, out_channels: 4, kernel_size: 1}
      add: {op: add, from: [conv, y]}
layers:
"""


def spec(layers: str) -> str:
    body = "".join(f"  {line.strip()}\n" for line in layers.strip().splitlines())
    read = "a, last" if layers.startswith("a: ") else "last"
    tail = f"  sum: {{op: add, from: [{read}, image, other]}}\n  gap: global_avg_pool2d\noutputs: {{out: gap}}\n"
    return HEAD + body + tail


def compiled(layers: str) -> Graph:
    return archspec.compile(archspec.load(text=spec(layers)))


CASES: dict[str, tuple[str, dict[str, str]]] = {
    "a primitive": (
        """a: {op: conv2d, from: image, out_channels: 4, kernel_size: 1}
        last: {shares: a, from: other}""",
        {"last": "a"},
    ),
    "a primitive after itself": (
        """a: {op: conv2d, from: image, out_channels: 4, kernel_size: 1}
        b: {shares: a}
        last: {shares: b}""",
        {"b": "a", "last": "a"},
    ),
    "a block": (
        """a: {op: res, from: image}
        last: {shares: a, from: other}""",
        {"last.conv1": "a.conv1", "last.bn": "a.bn"},
    ),
    "a block of several inputs": (
        """a: {op: pair, from: [image, other]}
        last: {shares: a, from: [other, a]}""",
        {"last.conv": "a.conv"},
    ),
    "a repeat": (
        """a: {op: res, from: image, repeat: 2}
        last: {shares: a, from: other}""",
        {f"last.{i}.{name}": f"a.{i}.{name}" for i in (0, 1) for name in ("conv1", "bn")},
    ),
    "one copy of a repeat": (
        """a: {op: res, from: image, repeat: 2}
        last: {shares: a.1}""",
        {"last.conv1": "a.1.conv1", "last.bn": "a.1.bn"},
    ),
    "one copy of a flat repeat": (
        """a: {op: res, from: image, repeat: {count: 2, flat: true, start: 1}}
        last: {shares: a2}""",
        {"last.conv1": "a2.conv1", "last.bn": "a2.bn"},
    ),
    "a group": (
        """a: {from: image, layers: {c: {op: conv2d, out_channels: 4, kernel_size: 1}, r: relu}}
        last: {shares: a, from: other}""",
        {"last.c": "a.c"},
    ),
    "what is in another group": (
        """a: {from: image, layers: {c: {op: conv2d, out_channels: 4, kernel_size: 1}, r: relu}}
        last: {layers: {own: {op: conv2d, out_channels: 4, kernel_size: 1}, again: {shares: a.c}, r: relu}}""",
        {"last.again": "a.c"},
    ),
    "a group that shares": (
        """a: {from: image, layers: {c: {op: conv2d, out_channels: 4, kernel_size: 1}, d: {shares: c}}}
        last: {shares: a, from: other}""",
        {"a.d": "a.c", "last.c": "a.c", "last.d": "a.c"},
    ),
    "a list inside": (
        """a: {from: image, layers: [{op: conv2d, out_channels: 4, kernel_size: 1}, relu]}
        last: {shares: a, from: other}""",
        {"last.0": "a.0"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_parameters(name: str) -> None:
    layers, shares = CASES[name]
    graph = compiled(layers)
    assert {node.name: node.shares for node in graph if node.shares} == shares
    assert not [key for key in graph.state_shapes() if key.rpartition(".")[0] in shares]
    assert all(graph[node].macs == graph[original].macs for node, original in shares.items())


@pytest.mark.parametrize("name", CASES)
def test_the_module_does_as_the_graph_says(name: str) -> None:
    graph = compiled(CASES[name][0])
    module = archspec.build(graph, seed=1)
    assert list(module.state_dict()) == list(graph.state_shapes())
    assert sum(p.numel() for p in module.parameters()) == graph.params
    inputs = [torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)]
    for node in graph:  # changing the original's weights must change every place that uses them
        if node.shares:
            assert torch.equal(apart(graph, module, inputs), module.eval()(*inputs))
            break
    else:
        raise AssertionError("nothing is shared")


def apart(graph: Graph, module: torch.nn.Module, inputs: list[torch.Tensor]) -> Any:
    """The network's value computed layer by layer, each shared layer with its original's module."""
    values = dict(zip(("image", "other"), inputs, strict=True))
    for node in graph.layers:
        read = [values[name] for name in node.inputs]
        if node.op in ("conv2d", "batch_norm2d"):
            value = module.get_submodule(node.shares or node.name).eval()(*read)
        else:
            value = {"add": lambda *xs: sum(xs[1:], xs[0]), "relu": torch.relu, "dropout": lambda x: x}.get(
                node.op, lambda x: x.mean((2, 3))
            )(*read)
        values[node.name] = value
    return values["gap"]


@pytest.mark.parametrize("name", CASES)
def test_expanding_keeps_what_is_shared(name: str) -> None:
    graph = compiled(CASES[name][0])
    text = write(expanded(graph))
    again = archspec.compile(archspec.load(text=text))
    assert write(expanded(again)) == text
    assert {node.name: node.shares for node in again} == {node.name: node.shares for node in graph}
    x, y = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    first, second = archspec.build(graph).eval(), archspec.build(again).eval()
    assert torch.equal(first(x, y), second(x, y))


@pytest.mark.parametrize("name", CASES)
def test_model_py_keeps_what_is_shared(name: str) -> None:
    graph = compiled(CASES[name][0])
    module = archspec.build(graph).eval()
    alone = standalone_module(graph, standalone_source(graph)).eval()
    alone.load_state_dict(module.state_dict())
    assert list(alone.state_dict()) == list(module.state_dict())
    x, y = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    assert torch.equal(alone(x, y), module(x, y))


def test_gradients_of_both_places_add_up() -> None:
    graph = compiled(CASES["a primitive after itself"][0])
    module = archspec.build(graph)
    x = torch.randn(2, 4, 8, 8)
    module(x, x).sum().backward()
    weight, bias = module.a.weight.detach().requires_grad_(), module.a.bias.detach()
    values = [torch.nn.functional.conv2d(x, weight, bias)]
    for _ in range(2):
        values.append(torch.nn.functional.conv2d(values[-1], weight, bias))
    (values[0] + values[-1] + 2 * x).mean((2, 3)).sum().backward()
    torch.testing.assert_close(module.a.weight.grad, weight.grad)


REFUSED = {
    "other channels": (
        "a: {op: conv2d, from: image, out_channels: 6, kernel_size: 1}\nlast: {shares: a}",
        "bad-shares",
        "which has weight 6x4x1x1, bias 6; here they are weight 6x6x1x1, bias 6",
    ),
    "a later layer": (
        "a: {shares: last, from: image}\nlast: {op: conv2d, out_channels: 4, kernel_size: 1}",
        "later-layer",
        "`last` comes later",
    ),
    "itself": ("last: {shares: last, from: image}", "later-layer", "reads itself"),
    "nothing": ("last: {shares: nowhere, from: image}", "unknown-layer", "no earlier layer or input `nowhere`"),
    "an input": ("last: {shares: image, from: other}", "bad-shares", "must name a layer, found `image`"),
    "a layer left out": (
        "b: {op: relu, from: image, when: =false}\nlast: {shares: b, from: image}",
        "absent-layer",
        "left out here by its `when`",
    ),
    "with fields": (
        "a: {op: relu, from: image}\nlast: {shares: a, stride: 2}",
        "bad-layer",
        "a layer that `shares` another has no `stride`",
    ),
    "with an op": ("a: {op: relu, from: image}\nlast: {shares: a, op: relu}", "bad-layer", "has no `op`"),
    "two inputs": (
        "a: {op: conv2d, from: image, out_channels: 4, kernel_size: 1}\nlast: {shares: a, from: [image, other]}",
        "wrong-arity",
        "conv2d takes one input, found 2",
    ),
    "a group with two inputs": (
        "a: {from: image, layers: {r: relu}}\nlast: {shares: a, from: [image, other]}",
        "wrong-arity",
        "a group of layers reads one value, found 2",
    ),
    "all of a flat repeat": (
        "a: {op: res, from: image, repeat: {count: 2, flat: true}}\nlast: {shares: a, from: other}",
        "bad-shares",
        "a flat repeat, whose copies are layers of their own",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    layers, slug, message = REFUSED[name]
    with pytest.raises(archspec.SpecError) as caught:
        compiled(layers)
    assert [problem.slug for problem in caught.value.problems] == [slug]
    assert message in str(caught.value)
