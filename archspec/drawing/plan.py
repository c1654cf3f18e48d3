"""The order of what is inside a group: in which row each child goes, and in which order it stands there.

This half of a layout knows no sizes, so it is the same however many of the children are open; `layout.py` does the
rest. A plan's vertices are numbers: the children 0 ... n-1, then the in-ports, the out-ports, and bends. A bend is
where a wire passes through a row; the wires of one value share their bends.

Rows are longest paths from the top. The order in them is found by sweeps that put each vertex at the mean of its
neighbours, with exchanges of neighbours in a row, and the order with the fewest crossings is kept (Sugiyama, Tagawa
and Toda 1981). Then vertices are strung together that should stand exactly under one another (Brandes and Koepf
2002): long wires first, so that they are straight, then the longest way through the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from archspec.drawing.diagram import BORDER, Wire
from archspec.drawing.order import ordered
from archspec.drawing.skeleton import Skeleton
from archspec.drawing.strings import Strings


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows and order of one group."""

    children: int
    in_ports: int
    out_ports: int
    rows: tuple[tuple[int, ...], ...]
    """Vertices of each row, from left to right."""
    ways: tuple[tuple[int, ...], ...]
    """Of each wire, the vertices it leads through, both ends included."""
    ports: tuple[tuple[int, int], ...]
    """Of each wire, its out-port and in-port."""
    strings: tuple[tuple[int, ...], ...]
    """Vertices that stand under one another, from the top; every vertex is in one. Each string comes after those that
    are to its left in some row."""
    slots: tuple[tuple[tuple[int, ...], int], ...]
    """Of each child: its in-ports from left to right, and which of them is at its middle, or -1."""
    exits: tuple[tuple[int, ...], ...]
    """Of each child: its out-ports from left to right."""


@lru_cache(maxsize=512)
def plan_of(
    children: int, in_ports: int, out_ports: int, wires: tuple[Wire, ...], aside: tuple[bool, ...] = ()
) -> Plan:
    """The plan of a group of so many children. `aside` are children that stand at the side: auxiliary heads.

    Errors: TooLarge
    """
    skeleton = Skeleton(children, in_ports, out_ports, wires, aside)
    order = ordered(skeleton)
    strings = Strings(skeleton, order)
    return Plan(
        children,
        in_ports,
        out_ports,
        tuple(tuple(row) for row in order),
        tuple(skeleton.ways),
        tuple((wire.out_port, wire.in_port) for wire in wires),
        strings.from_left_to_right(),
        _slots(skeleton, strings),
        _exits(skeleton, strings),
    )


def _slots(skeleton: Skeleton, strings: Strings) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Of each child, the order in which wires come to it, and which comes from straight above."""
    entering: list[list[tuple[int, int, int]]] = [[] for _ in range(skeleton.children)]
    for wire, way in zip(skeleton.wires, skeleton.ways, strict=True):
        if wire.target != BORDER:
            entering[wire.target].append((strings.at[way[-2]], wire.in_port, way[-2]))
    slots = []
    for child, found in enumerate(entering):
        found.sort()
        middle = [number for number, (_, _, upper) in enumerate(found) if strings.partner.get(upper) == child]
        slots.append((tuple(port for _, port, _ in found), middle[0] if middle else -1))
    return tuple(slots)


def _exits(skeleton: Skeleton, strings: Strings) -> tuple[tuple[int, ...], ...]:
    """Of each child, the order in which values leave it."""
    leaving: list[dict[int, int]] = [{} for _ in range(skeleton.children)]
    for wire, way in zip(skeleton.wires, skeleton.ways, strict=True):
        if wire.source != BORDER:
            leaving[wire.source].setdefault(wire.out_port, strings.at[way[1]])
    return tuple(tuple(sorted(ports, key=lambda port: (ports[port], port))) for ports in leaving)
