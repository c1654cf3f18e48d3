"""All of a group's layout that needs no sizes: so it is the same however many of the children are open.

A plan's vertices are numbers: the children 0 ... n-1, then the in-ports, the out-ports, and bends. A bend is where a
wire passes through a row; the wires of one value share their bends. `skeleton.py` finds the rows and the bends,
`order.py` the order in the rows, `strings.py` what stands exactly under one another; `layout.py` does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from archspec.drawing.diagram import BORDER, Box, Wire
from archspec.drawing.order import ordered
from archspec.drawing.skeleton import Ranks, Skeleton
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
    children: int,
    in_ports: int,
    out_ports: int,
    wires: tuple[Wire, ...],
    aside: tuple[bool, ...] = (),
    ranks: tuple[Ranks | None, ...] = (),
) -> Plan:
    """The plan of a group of so many children. `aside` are children that stand at the side: auxiliary heads.

    `ranks` are where on the children their ports are, so that wires between groups cross less. Errors: TooLarge
    """
    skeleton = Skeleton(children, in_ports, out_ports, wires, aside, ranks)
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


def plan_of_children(boxes: Sequence[Box], in_ports: int, out_ports: int, wires: Sequence[Wire]) -> Plan:
    """The plan of a group of these boxes. Errors: TooLarge"""
    ranks = tuple(_ranks(box) for box in boxes)
    return plan_of(
        len(boxes),
        in_ports,
        out_ports,
        tuple(wires),
        tuple(box.training_only for box in boxes),
        ranks if any(ranks) else (),
    )


def _ranks(box: Box) -> Ranks | None:
    """Where the ports of a group are that has several; they are as in its own plan."""
    inner = box.children[0] if box.kind == "fold" else box
    if not inner.children or (len(inner.ins) < 2 and len(inner.outs) < 2):
        return None
    plan = plan_of_children(inner.children, len(inner.ins), len(inner.outs), inner.wires)
    first = plan.children + plan.in_ports
    tops = [vertex - plan.children for vertex in plan.rows[0] if plan.children <= vertex < first]
    bottoms = [vertex - first for vertex in plan.rows[-1] if first <= vertex < first + plan.out_ports]
    return _parts(tops), _parts(bottoms)


def _parts(ports: Sequence[int]) -> tuple[float, ...]:
    """Of each port, given all from left to right, the part of the way to it."""
    return tuple((ports.index(port) + 0.5) / len(ports) for port in range(len(ports)))


def _slots(skeleton: Skeleton, strings: Strings) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Of each child, the order in which wires come to it, and which comes from straight above."""
    entering: list[list[tuple[float, int, int]]] = [[] for _ in range(skeleton.children)]
    for wire, way in zip(skeleton.wires, skeleton.ways, strict=True):
        if wire.target != BORDER:
            begins = strings.at[way[-2]] + skeleton.tail[way[-2], wire.target]
            entering[wire.target].append((begins, wire.in_port, way[-2]))
    slots = []
    for child, found in enumerate(entering):
        found.sort()
        middle = [number for number, (_, _, upper) in enumerate(found) if strings.partner.get(upper) == child]
        slots.append((tuple(port for _, port, _ in found), middle[0] if middle else -1))
    return tuple(slots)


def _exits(skeleton: Skeleton, strings: Strings) -> tuple[tuple[int, ...], ...]:
    """Of each child, the order in which values leave it."""
    leaving: list[dict[int, float]] = [{} for _ in range(skeleton.children)]
    for wire, way in zip(skeleton.wires, skeleton.ways, strict=True):
        if wire.source != BORDER:
            ends = strings.at[way[1]] + skeleton.head[wire.source, way[1]]
            leaving[wire.source].setdefault(wire.out_port, ends)
    return tuple(tuple(sorted(ports, key=lambda port: (ports[port], port))) for ports in leaving)
