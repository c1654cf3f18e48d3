"""Segments of a training forward as methods of their own, which are computed again in the backward pass."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Mapping
from dataclasses import replace

from torch import fx
from torch.nn import functional as F

from archspec.graph.graph import Graph
from archspec.graph.recompute import Segments
from archspec.lowering.emitter import Emitter
from archspec.ops.recompute import recompute

RECOMPUTED = "_recomputed_"
"""What the names of the methods begin with."""
Unit = list[fx.Node]
"""Operations that are one method, or one operation."""


def with_checkpoints(emitter: Emitter, segments: Segments, graph: Graph) -> tuple[Emitter, dict[str, Emitter]]:
    """The forward, in which each segment is a call, and the methods that are called, by name."""
    segment_of = {layer: path for path, inside in segments.items() for layer in inside}
    has_buffers = {node.owner for node in graph if node.buffers}
    made, methods = fx.Graph(), dict[str, Emitter]()
    new: dict[fx.Node, fx.Node] = {}
    for unit in _in_order(emitter.graph, segment_of):
        if unit[0].meta.get("layer") not in segment_of:
            new[unit[0]] = made.node_copy(unit[0], new.__getitem__)
            continue
        method, reads, gives = _method(unit)
        name = f"{RECOMPUTED}{len(methods)}"
        methods[name] = replace(emitter, graph=method)
        held = made.create_node("get_attr", name)
        called = (str(node.target) for node in unit if node.op == "call_module")
        stateful = tuple(dict.fromkeys(path for path in called if path in has_buffers))
        call = made.create_node("call_function", recompute, (held, stateful, *(new[node] for node in reads)))
        for k, node in enumerate(gives):
            new[node] = call if len(gives) == 1 else made.create_node("call_function", operator.getitem, (call, k))
    return replace(emitter, graph=made), methods


def _in_order(graph: fx.Graph, segment_of: Mapping[str, str]) -> list[Unit]:
    """Operations, those of a segment together: each after what it needs, and otherwise as they were."""
    units: dict[str | fx.Node, Unit] = {}
    of: dict[fx.Node, str | fx.Node] = {}
    for node in graph.nodes:
        of[node] = segment_of.get(node.meta.get("layer", ""), node)
        units.setdefault(of[node], []).append(node)
    number = {key: k for k, key in enumerate(units)}
    needs = {
        key: {of[other] for node in unit for other in node.all_input_nodes if of[other] != key}
        for key, unit in units.items()
    }
    users: dict[str | fx.Node, list[str | fx.Node]] = {key: [] for key in units}
    for key, others in needs.items():
        for other in others:
            users[other].append(key)
    keys, ready = list(units), [number[key] for key, others in needs.items() if not others]
    left = {key: len(others) for key, others in needs.items()}
    heapq.heapify(ready)
    found = []
    while ready:
        key = keys[heapq.heappop(ready)]
        found.append(units[key])
        for user in users[key]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, number[user])
    assert len(found) == len(units), "groups follow each other in their file, so that none needs a later one"
    return found


def _method(unit: Unit) -> tuple[fx.Graph, Unit, Unit]:
    """The operations of a segment as a method, what it reads, and what it gives."""
    inside = set(unit)
    reads = list(dict.fromkeys(other for node in unit for other in node.all_input_nodes if other not in inside))
    gives = [node for node in unit if any(user not in inside for user in node.users)]
    method = fx.Graph()
    new = {node: method.placeholder(node.name) for node in reads}
    for node in unit:
        new[node] = method.node_copy(node, new.__getitem__)
        if node.target is F.relu and node.args[0] in reads:
            new[node].kwargs = {}  # in place, it would change what the second pass reads
    results = tuple(new[node] for node in gives)
    method.output(results[0] if len(results) == 1 else results)
    return method, reads, gives
