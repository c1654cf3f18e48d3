"""A picture of one part of a network, with what it is joined to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.drawing.diagram import Box, Diagram, Wire
from archspec.drawing.item import Item, Shower
from archspec.errors import Problem, SpecError, did_you_mean


def focused(diagram: Diagram, path: str, shower: Shower) -> Item:
    """The box of a path as the shower shows it, and, closed and faint, what it reads and what reads it.

    Errors: SpecError if the network has no such path
    """
    way = diagram.find(path)
    if not way:
        names = [*diagram.graph.groups, *(node.name for node in diagram.graph)]
        hint = did_you_mean(path, names, "layers and groups")
        raise SpecError([Problem("unknown-layer", f"{diagram.graph.name} has no layer `{path}`", hint=hint)])
    target = shower.item(way[-1])
    sources = [_holder(way, value) for value in target.ins]
    before = list({box.path: box for box, _ in sources}.values())
    items = [*(_neighbour(box, shower) for box in before), target]
    place = {box.path: number for number, box in enumerate(before)}
    middle = len(before)
    inside = set(way[-1].nodes)
    wires = []
    for port, ((box, out_port), value) in enumerate(zip(sources, target.ins, strict=True)):
        mark = _mark(diagram, value, inside)
        wires.append(Wire(place[box.path], out_port, middle, port, mark))
    after: dict[str, int] = {}
    for port, value in enumerate(target.outs):
        for name, box in _readers(diagram, way, value):
            if name not in after:
                after[name] = len(items)
                items.append(_neighbour(box, shower))
            in_port = box.ins.index(value) if value in box.ins else 0
            readers = set(box.nodes) if box.kind != "output" else {box.path}
            wires.append(Wire(middle, port, after[name], in_port, _mark(diagram, value, readers)))
    return Item(replace(diagram.root, label=path), (), True, tuple(items), tuple(dict.fromkeys(wires)))


def _mark(diagram: Diagram, value: str, readers: set[str]) -> str:
    """How the wire of a value to some layers stands in a comparison."""
    graph = diagram.graph
    found = {
        diagram.readings.get((value, name), "") for name in readers if name not in graph or value in graph[name].inputs
    }
    return found.pop() if len(found) == 1 else ""


def _neighbour(box: Box, shower: Shower) -> Item:
    group = box.path.rpartition(".")[0]
    named = box if box.kind == "output" or not group else replace(box, label=f"{group}.{box.label}")
    return replace(Item(box, shower.lines(named), ins=box.ins, outs=box.outs), faint=True)


def _holder(way: tuple[Box, ...], name: str) -> tuple[Box, int]:
    """The largest box that holds a node and not the focus, and the port by which the node's value leaves it."""
    inside = set(way[-1].nodes)
    for group in reversed(way[:-1]):
        for child in _beside(group, inside):
            if child not in way and (name in child.nodes or name == child.path):
                port = child.outs.index(name) if name in child.outs else 0
                return child, port
    raise AssertionError(f"{name} is somewhere")


def _beside(group: Box, inside: set[str]) -> Iterator[Box]:
    """What is in a group; of the fold that the focus is one of, each copy by itself."""
    for child in group.children:
        if child.kind == "fold" and inside < set(child.nodes):
            yield from child.children
        else:
            yield child


def _readers(diagram: Diagram, way: tuple[Box, ...], value: str) -> list[tuple[str, Box]]:
    """The boxes outside the focus that read a value, each once."""
    inside = set(way[-1].nodes)
    found: dict[str, Box] = {}
    for node in diagram.graph:
        if value in node.inputs and node.name not in inside:
            box, _ = _holder(way, node.name)
            found.setdefault(box.path, box)
    for box in diagram.root.children:
        if box.kind == "output" and value in box.ins:
            found.setdefault(box.path, box)
    return list(found.items())
