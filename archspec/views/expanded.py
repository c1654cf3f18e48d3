"""A graph as a spec again: every block, repeat and expression worked out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archspec.graph.graph import Graph, Node
from archspec.graph.init_rules import is_used
from archspec.graph.plugins import plugins_of
from archspec.spec.document import VERSION
from archspec.tensor import BY_AXES, Shape


@dataclass
class _Level:
    """One mapping of layers being written, with the names it has so far."""

    path: str
    layers: dict[str, Any] = field(default_factory=dict)
    last: str = ""
    """The node that an unsaid `from` reads here."""


def expanded(graph: Graph) -> dict[str, Any]:
    """The spec, as data in the order it is to be written."""
    spec: dict[str, Any] = {"archspec": VERSION, "name": graph.name}
    if graph.description:
        spec["description"] = graph.description
    if graph.paper:
        spec["paper"] = graph.paper
    if needed := plugins_of(graph):
        spec["requires"] = [f"{owner.name}>={owner.version}" for owner in needed]
    spec["inputs"] = {node.name: _input(node.shape) for node in graph.inputs}
    spec["layers"] = _layers(graph)
    spec["outputs"] = {output.name: _output(output) for output in graph.outputs}
    rules = [dict(rule.written) for rule in graph.rules if is_used(rule, graph)]
    return spec | {"init": rules} if rules else spec


def _input(shape: Shape) -> Any:
    """A shape as `inputs` has it: a list of sizes where these tell the kind."""
    dims = list(shape.dims)
    return dims if BY_AXES.get(len(dims)) is type(shape) else {shape.name: dims}


def _output(output: Any) -> Any:
    data = {"from": output.node}
    if output.training_only:
        data["training_only"] = True
    if output.loss_weight != 1.0:
        data["loss_weight"] = output.loss_weight
    return data if len(data) > 1 else output.node


def _layers(graph: Graph) -> dict[str, Any]:
    first = graph.inputs[0].name if len(graph.inputs) == 1 else ""
    levels = [_Level("", last=first)]
    for node in graph.layers:
        *path, name = node.name.split(".")
        levels = _enter(levels, path, node)
        level = levels[-1]
        level.layers[name] = _layer(node, levels)
        for open_level in levels:
            open_level.last = node.name
    return levels[0].layers


def _enter(levels: list[_Level], path: list[str], node: Node) -> list[_Level]:
    """The open levels of a node's groups, beginning those that are new; a group reads what its first layer reads."""
    depth = 0
    while depth < len(path) and depth + 1 < len(levels) and levels[depth + 1].path == ".".join(path[: depth + 1]):
        depth += 1
    levels = levels[: depth + 1]
    for name in path[depth:]:
        outer = levels[-1]
        group: dict[str, Any] = {}
        read = node.inputs[0] if len(node.inputs) == 1 else outer.last
        if read != outer.last:
            group["from"] = _reference(read, levels, name)
        level = _Level(f"{outer.path}.{name}".lstrip("."), last=read)
        group["layers"] = level.layers
        outer.layers[name] = group
        levels = [*levels, level]
    return levels


def _layer(node: Node, levels: list[_Level]) -> Any:
    """A layer: just its op, or the op with what it reads and its fields."""
    own = node.name.rpartition(".")[2]
    written: dict[str, Any] = {"shares": _reference(node.shares, levels, own)} if node.shares else {"op": node.op}
    if node.inputs != (levels[-1].last,):
        references = [_reference(name, levels, own) for name in node.inputs]
        written["from"] = references[0] if len(references) == 1 else references
    if node.shares:
        return written
    if node.place:
        written["place"] = node.place
    written |= node.fields
    return written if len(written) > 1 else node.op


def _reference(name: str, levels: list[_Level], own: str) -> str:
    """The shortest reference that reads a node from the layer `own` of the innermost level."""
    for depth in range(len(levels) - 1, -1, -1):
        prefix = levels[depth].path + "." if levels[depth].path else ""
        if not name.startswith(prefix):
            continue
        short = name[len(prefix) :]
        first = short.split(".")[0]
        inner = levels[depth + 1 :]
        hidden = any(first in level.layers for level in inner) or (bool(inner) and first == own)
        opens = depth + 1 < len(levels) and levels[depth + 1].path == prefix + first
        if not hidden and not opens:
            return short
    return "." + name
