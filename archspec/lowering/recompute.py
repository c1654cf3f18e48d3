"""Parts of a training forward as methods of their own, which are computed again in the backward pass."""

from __future__ import annotations

import heapq
import operator
from dataclasses import replace

from torch import fx
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from archspec.graph.recompute import Parts
from archspec.lowering.emitter import Emitter
from archspec.ops.recompute import recompute

RECOMPUTED = "_recomputed_"
"""What the names of the methods begin with."""
Step = list[fx.Node]
"""Operations that are one method, or one operation."""


def recomputing(emitter: Emitter, parts: Parts) -> tuple[Emitter, dict[str, Emitter]]:
    """The forward, in which each part is a call, and the methods that are called, by name."""
    graph, made = fx.Graph(), dict[str, Emitter]()
    new: dict[fx.Node, fx.Node] = {}
    for step in _in_order(emitter.graph, parts):
        if _part_of(step[0], parts) is None:
            new[step[0]] = graph.node_copy(step[0], new.__getitem__)
            continue
        method, reads, gives = _method(step)
        name = f"{RECOMPUTED}{len(made)}"
        made[name] = replace(emitter, graph=method)
        held = graph.create_node("get_attr", name)
        norms = tuple(dict.fromkeys(str(node.target) for node in step if _is_norm(node, emitter)))
        call = graph.create_node("call_function", recompute, (held, norms, *(new[node] for node in reads)))
        for k, node in enumerate(gives):
            new[node] = call if len(gives) == 1 else graph.create_node("call_function", operator.getitem, (call, k))
    return replace(emitter, graph=graph), made


def _part_of(node: fx.Node, parts: Parts) -> str | None:
    layer = node.meta.get("layer")
    return next((path for path, inside in parts.items() if layer in inside), None)


def _in_order(graph: fx.Graph, parts: Parts) -> list[Step]:
    """Operations, those of a part together, each after what it needs and otherwise as they were."""
    steps: dict[str | fx.Node, Step] = {}
    of: dict[fx.Node, str | fx.Node] = {}
    for node in graph.nodes:
        of[node] = _part_of(node, parts) or node
        steps.setdefault(of[node], []).append(node)
    number = {key: k for k, key in enumerate(steps)}
    needs = {
        key: {of[other] for node in step for other in node.all_input_nodes if of[other] != key}
        for key, step in steps.items()
    }
    users: dict[str | fx.Node, list[str | fx.Node]] = {key: [] for key in steps}
    for key, others in needs.items():
        for other in others:
            users[other].append(key)
    keys, ready = list(steps), [number[key] for key, others in needs.items() if not others]
    left = {key: len(others) for key, others in needs.items()}
    heapq.heapify(ready)
    found = []
    while ready:
        key = keys[heapq.heappop(ready)]
        found.append(steps[key])
        for user in users[key]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, number[user])
    assert len(found) == len(steps), "groups follow each other in their file, so that none needs a later one"
    return found


def _method(step: Step) -> tuple[fx.Graph, Step, Step]:
    """The operations of a part as a method, what it reads, and what it gives."""
    inside = set(step)
    reads = list(dict.fromkeys(other for node in step for other in node.all_input_nodes if other not in inside))
    gives = [node for node in step if any(user not in inside for user in node.users)]
    method = fx.Graph()
    new = {node: method.placeholder(node.name) for node in reads}
    for node in step:
        new[node] = method.node_copy(node, new.__getitem__)
        if node.target is F.relu and node.args[0] in reads:
            new[node].kwargs = {}  # in place, it would change what the second pass reads
    results = tuple(new[node] for node in gives)
    method.output(results[0] if len(results) == 1 else results)
    return method, reads, gives


def _is_norm(node: fx.Node, emitter: Emitter) -> bool:
    made = emitter.constructions.get(str(node.target)) if node.op == "call_module" else None
    return made is not None and issubclass(made.cls, _BatchNorm)
