"""In which row each child of a group goes, and where the wires bend on their way through the rows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

from archspec.drawing.diagram import BORDER, Wire

MOST_BENDS = 200_000
"""Of one group: beyond it, it is not drawn."""


Ranks = tuple[tuple[float, ...], tuple[float, ...]]
"""Where on a group its in-ports and its out-ports are, each from 0 at the left to 1."""
MIDDLE = 0.5


class TooLarge(ValueError):
    """A group that has more in it than can be drawn."""


class Skeleton:
    """The vertices of one group: its children, its in-ports, its out-ports, and bends; and what joins them.

    Errors: TooLarge
    """

    def __init__(
        self,
        children: int,
        in_ports: int,
        out_ports: int,
        wires: Sequence[Wire],
        aside: Sequence[bool],
        ranks: Sequence[Ranks | None],
    ) -> None:
        self.children, self.in_ports, self.out_ports, self.wires = children, in_ports, out_ports, wires
        self.fixed = children + in_ports + out_ports
        """The number of the first bend."""
        self.ends = [(self._source(wire), self._target(wire)) for wire in wires]
        self.row = self._rows()
        self.aside = [*aside, *([False] * (self.fixed - len(aside)))]
        """Whether a vertex belongs to what stands at the side: auxiliary heads."""
        self.ranks = ranks
        self.tail: dict[tuple[int, int], float] = {}
        """(upper, lower) -> where on the upper vertex their wire begins, from 0 at its left to 1."""
        self.head: dict[tuple[int, int], float] = {}
        """Likewise, where on the lower vertex it ends."""
        self.down: dict[int, list[int]] = defaultdict(list)
        self.up: dict[int, list[int]] = defaultdict(list)
        self.ways = self._ways()
        """Of each wire, the vertices it leads through."""

    def __len__(self) -> int:
        return len(self.row)

    def _rank(self, vertex: int, side: int, port: int) -> float:
        found = self.ranks[vertex] if vertex < len(self.ranks) else None
        return found[side][port] if found is not None and port < len(found[side]) else MIDDLE

    def _source(self, wire: Wire) -> int:
        return self.children + wire.out_port if wire.source == BORDER else wire.source

    def _target(self, wire: Wire) -> int:
        return self.children + self.in_ports + wire.in_port if wire.target == BORDER else wire.target

    def _rows(self) -> list[int]:
        """The row of each child and port: below all that it reads; what reads nothing is just above its reader."""
        row = [0] * self.fixed
        first = 1 if self.in_ports else 0
        reads: list[list[int]] = [[] for _ in range(self.fixed)]
        for source, target in self.ends:
            reads[target].append(source)
        for vertex in range(self.children):
            row[vertex] = max((row[source] + 1 for source in reads[vertex]), default=first)
        readers: list[list[int]] = [[] for _ in range(self.fixed)]
        for source, target in self.ends:
            readers[source].append(target)
        for vertex in range(self.children):
            below = [row[reader] for reader in readers[vertex] if reader < self.children]
            if not reads[vertex] and below:
                row[vertex] = min(below) - 1
        last = max(row[: self.children], default=0) + 1
        for vertex in range(self.children + self.in_ports, self.fixed):
            row[vertex] = last
        return row

    def _ways(self) -> list[tuple[int, ...]]:
        """The vertices each wire leads through; new bends are made, one per value and row."""
        ways: list[tuple[int, ...]] = []
        trunks: dict[tuple[int, int], list[int]] = defaultdict(list)
        reach: dict[tuple[int, int], list[bool]] = defaultdict(list)
        joined: set[tuple[int, int]] = set()
        for wire, (source, target) in zip(self.wires, self.ends, strict=True):
            trunk = trunks[(source, wire.out_port)]
            needed = self.row[target] - self.row[source] - 1
            while len(trunk) < needed:
                if len(self.row) - self.fixed >= MOST_BENDS:
                    raise TooLarge
                trunk.append(len(self.row))
                self.row.append(self.row[source] + len(trunk))
            reach[(source, wire.out_port)].append(self.aside[target])
            way = (source, *trunk[:needed], target)
            for upper, lower in itertools.pairwise(way):
                if (upper, lower) not in joined:
                    joined.add((upper, lower))
                    self.tail[upper, lower] = self._rank(upper, 1, wire.out_port) if upper == source else MIDDLE
                    self.head[upper, lower] = self._rank(lower, 0, wire.in_port) if lower == target else MIDDLE
                    self.down[upper].append(lower)
                    self.up[lower].append(upper)
            ways.append(way)
        self.aside += [False] * (len(self.row) - self.fixed)
        for key, trunk in trunks.items():
            for bend in trunk:
                self.aside[bend] = all(reach[key])
        return ways
