"""The wires of a picture from closed box to closed box, for formats that lay out by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.drawing.colours import Colours
from archspec.drawing.diagram import BORDER, Wire
from archspec.drawing.item import Costs, Item
from archspec.graph.graph import Graph


@dataclass(frozen=True, slots=True)
class Edge:
    """A value's way from one closed box to another."""

    source: Item
    target: Item
    value: str
    """The node whose output it carries."""
    mark: str = ""
    """As of the last wire on its way."""

    @property
    def dashed(self) -> bool:
        """Whether only training has it."""
        return self.source.box.training_only or self.target.box.training_only


@dataclass
class FlatWriter:
    """Writes one network in a format that lays out by itself."""

    graph: Graph
    item: Item
    colours: Colours
    costs: Costs
    down: bool
    edge_shapes: bool
    lines: list[str] = field(default_factory=list)
    groups: int = 0
    """How many open groups are written so far."""

    def numbers(self) -> dict[int, int]:
        """Identity of a closed box -> its number in the file."""
        return {id(box): place for place, box in enumerate(closed_items(self.item))}


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
    marks: list[dict[int, str]] = [{} for _ in item.items]
    by_target: dict[int, list[Wire]] = {}
    for wire in item.wires:
        by_target.setdefault(wire.target, []).append(wire)
    for number, child in enumerate(item.items):
        for wire in by_target.get(number, ()):
            made_by = ins if wire.source == BORDER else made[wire.source]
            if wire.out_port in made_by:
                entering[number][wire.in_port] = made_by[wire.out_port]
                marks[number][wire.in_port] = wire.mark
        if child.open:
            made[number] = _collect(child, entering[number], found)
        else:
            for port, (source, value) in entering[number].items():
                found.append(Edge(source, child, value, marks[number][port]))
            made[number] = {port: (child, value) for port, value in enumerate(child.outs)}
    for wire in by_target.get(BORDER, ()):
        made_by = ins if wire.source == BORDER else made[wire.source]
        if wire.out_port in made_by:
            outs[wire.in_port] = made_by[wire.out_port]
    return outs
