"""Convolutions take the addition and the activation behind them along, for evaluation."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn
from torch.nn import functional as F

from archspec.graph.graph import Graph
from archspec.lowering.emitter import Construction, Emitter
from archspec.ops.packed_conv2d import ACTIVATIONS, PackedConv2d
from archspec.tensor import CHW

NAMES = {function: name for name, (function, _) in ACTIVATIONS.items() if function is not None}
ADDITIONS = (torch.add, operator.add)


def fuse(emitter: Emitter, graph: Graph) -> int:
    """Replace convolutions, and an addition or activation that alone reads one, by one module at its path.

    State-dict keys stay. A convolution that is called more than once stays as it is. Returns how many were replaced.
    """
    calls: dict[str, int] = {}
    done = 0
    order = {node: k for k, node in enumerate(emitter.graph.nodes)}
    for node in emitter.graph.nodes:
        if node.op == "call_module":
            calls[str(node.target)] = calls.get(str(node.target), 0) + 1
    for node in list(emitter.graph.nodes):
        made = emitter.constructions.get(str(node.target)) if node.op == "call_module" else None
        if made is None or made.cls is not nn.Conv2d or calls[str(node.target)] > 1 or len(node.args) != 1:
            continue
        last: fx.Node = node
        other: fx.Node | None = None
        addition = _only_user(last)
        # the later one of what is added takes the addition along: there, the other value is known
        if addition is not None and _adds(addition) and all(order[v] <= order[node] for v in addition.all_input_nodes):
            (other,) = (value for value in addition.all_input_nodes if value is not node)
            last = addition
        activation = _only_user(last)
        name = NAMES.get(activation.target) if activation is not None and _is_plain_call(activation) else None
        if name is not None and activation is not None:
            last = activation
        order[_replace(emitter, node, last, other, _size(graph, node), name or "none")] = order[last]
        done += 1
    return done


def _size(graph: Graph, conv: fx.Node) -> tuple[int, int]:
    """Height and width of what a convolution reads, its own padding not counted."""
    layer = graph[conv.meta["layer"]]
    read = graph[layer.inputs[0]].shape
    assert isinstance(read, CHW)
    value = conv.args[0]
    if isinstance(value, fx.Node) and value.target is F.pad and layer.window is not None:
        read = layer.window.padding.around(read)
    return read.height, read.width


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_plain_call(node: fx.Node) -> bool:
    """Whether a node calls a function on one value and nothing else."""
    return node.op == "call_function" and len(node.args) == 1 and not node.kwargs


def _adds(node: fx.Node) -> bool:
    two = (
        len(node.args) == 2 and all(isinstance(arg, fx.Node) for arg in node.args) and node.args[0] is not node.args[1]
    )
    return node.op == "call_function" and node.target in ADDITIONS and two and not node.kwargs


def _replace(
    emitter: Emitter, conv: fx.Node, last: fx.Node, other: fx.Node | None, at: tuple[int, int], activation: str
) -> fx.Node:
    made = emitter.constructions[str(conv.target)]
    kwargs = {**made.kwargs, "at": at} | ({} if activation == "none" else {"activation": activation})
    emitter.constructions[str(conv.target)] = Construction(PackedConv2d, made.args, kwargs)
    if last is conv:
        return conv
    arguments = (*conv.args, *([other] if other is not None else []))
    with emitter.graph.inserting_before(last):
        one = emitter.graph.create_node("call_module", str(conv.target), arguments, {}, name=last.name)
    one.meta.update(last.meta)
    last.replace_all_uses_with(one)
    for node in reversed(_chain(conv, last)):
        emitter.graph.erase_node(node)
    return one


def _chain(conv: fx.Node, last: fx.Node) -> list[fx.Node]:
    """The nodes from a convolution to the last that it takes along."""
    found = [conv]
    while found[-1] is not last:
        found.append(next(iter(found[-1].users)))
    return found
