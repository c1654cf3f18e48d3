"""The wires of a picture from closed box to closed box, for formats that lay out by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec.drawing.item import Item


@dataclass(frozen=True, slots=True)
class Edge:
    """A value's way from one closed box to another."""

    source: Item
    target: Item
    value: str
    """The node whose output it carries."""


def closed_items(item: Item) -> Iterator[Item]:
    """Every closed box, in order of the file."""
    for child in item.items:
        if child.open:
            yield from closed_items(child)
        else:
            yield child


def edges(item: Item) -> list[Edge]:
    """All edges between closed boxes."""
    found: list[Edge] = []
    _collect(item, {}, found)
    return found


Ends = dict[int, tuple[Item, str]]
"""Port -> the closed box a value comes from, and its name."""


def _collect(item: Item, ins: Ends, found: list[Edge]) -> Ends:
    """Follow the wires inside an open item, given where its in-ports come from; where its out-ports do."""
    outs: Ends = {}
    made: list[Ends] = [{} for _ in item.items]
    entering: list[Ends] = [{} for _ in item.items]
    by_target: dict[int, list[tuple[int, int, int]]] = {}
    for wire in item.wires:
        by_target.setdefault(wire.target, []).append((wire.source, wire.out_port, wire.in_port))
    for number, child in enumerate(item.items):
        for source, out_port, in_port in by_target.get(number, ()):
            end = ins.get(out_port) if source < 0 else made[source].get(out_port)
            if end is not None:
                entering[number][in_port] = end
        if child.open:
            made[number] = _collect(child, entering[number], found)
        else:
            found += [Edge(source, child, value) for source, value in entering[number].values()]
            made[number] = {port: (child, value) for port, value in enumerate(child.outs)}
    for source, out_port, in_port in by_target.get(-1, ()):
        end = ins.get(out_port) if source < 0 else made[source].get(out_port)
        if end is not None:
            outs[in_port] = end
    return outs
