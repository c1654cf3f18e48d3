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
        names = [node.name for node in diagram.graph] + list(diagram.graph.groups)
        hint = did_you_mean(path, names, "layers and groups")
        raise SpecError([Problem("unknown-layer", f"{diagram.graph.name} has no layer `{path}`", hint=hint)])
    target = shower.item(way[-1])
    items: list[Item] = []
    wires: list[Wire] = []
    before: dict[str, int] = {}
    for port, value in enumerate(target.ins):
        box, out_port = _holder(way, value, value)
        if box.path not in before:
            before[box.path] = len(items)
            items.append(_neighbour(box, shower))
        wires.append(Wire(before[box.path], out_port, -2, port))
    middle = len(items)
    items.append(target)
    after: dict[str, int] = {}
    for port, value in enumerate(target.outs):
        for name, box in _readers(diagram, way, value):
            if name not in after:
                after[name] = len(items)
                items.append(_neighbour(box, shower))
            in_port = box.ins.index(value) if value in box.ins else 0
            wires.append(Wire(middle, port, after[name], in_port))
    wires = [replace(wire, target=middle) if wire.target == -2 else wire for wire in wires]
    return Item(replace(diagram.root, label=path), (), True, tuple(items), tuple(dict.fromkeys(wires)))


def _neighbour(box: Box, shower: Shower) -> Item:
    named = box if box.kind == "output" else replace(box, label=box.path)
    return replace(Item(box, shower.lines(named), ins=box.ins, outs=box.outs), faint=True)


def _holder(way: tuple[Box, ...], name: str, value: str) -> tuple[Box, int]:
    """The largest box that holds a node and not the focus, and the port by which a value leaves it."""
    inside = set(way[-1].nodes)
    for group in reversed(way[:-1]):
        for child in _beside(group, inside):
            if child not in way and (name in child.nodes or name == child.path):
                port = child.outs.index(value) if value in child.outs else 0
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
            box, _ = _holder(way, node.name, node.name)
            found.setdefault(box.path, box)
    for box in diagram.root.children:
        if box.kind == "output" and value in box.ins:
            found.setdefault(box.path, box)
    return list(found.items())
