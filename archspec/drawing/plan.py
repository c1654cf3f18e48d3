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

import itertools
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from archspec.drawing.diagram import BORDER, Wire

SWEEPS = 12
"""How often the order is improved, at most; large groups get fewer."""
MOST_BENDS = 200_000
"""Of one group: beyond it, it is not drawn."""


class TooLarge(ValueError):
    """A group that has more in it than can be drawn."""


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
    return _Planner(children, in_ports, out_ports, wires, aside).plan()


class _Planner:
    """Plans one group."""

    def __init__(
        self, children: int, in_ports: int, out_ports: int, wires: tuple[Wire, ...], aside: tuple[bool, ...]
    ) -> None:
        self.children, self.in_ports, self.out_ports, self.wires = children, in_ports, out_ports, wires
        self.fixed = children + in_ports + out_ports
        self.ends = [(self._source(wire), self._target(wire)) for wire in wires]
        self.row = self._rows()
        self.aside = [*aside, *([False] * (self.fixed - len(aside)))]
        self.down: dict[int, list[int]] = defaultdict(list)
        self.up: dict[int, list[int]] = defaultdict(list)
        self.ways = self._ways()
        self.order = self._first_order()
        self.single = all(sum(v < children and not self.aside[v] for v in row) <= 1 for row in self.order)
        """Whether it is a chain, with wires that skip: then the chain stands at the left, and the wires beside it."""
        if self.single:
            for row in self.order:
                row.sort(key=lambda vertex: vertex >= children)

    def _source(self, wire: Wire) -> int:
        return self.children + wire.out_port if wire.source == BORDER else wire.source

    def _target(self, wire: Wire) -> int:
        return self.children + self.in_ports + wire.in_port if wire.target == BORDER else wire.target

    def plan(self) -> Plan:
        """The plan of the group."""
        self._improve()
        self._set_aside()
        at = self._positions()
        partner = self._partners(at)
        return Plan(
            self.children,
            self.in_ports,
            self.out_ports,
            tuple(tuple(row) for row in self.order),
            tuple(self.ways),
            tuple((wire.out_port, wire.in_port) for wire in self.wires),
            self._strings(partner),
            self._slots(at, partner),
            self._exits(at),
        )

    # Rows.

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
                    self.down[upper].append(lower)
                    self.up[lower].append(upper)
            ways.append(way)
        self.aside += [False] * (len(self.row) - self.fixed)
        for key, trunk in trunks.items():
            for bend in trunk:
                self.aside[bend] = all(reach[key])
        return ways

    # Order.

    def _first_order(self) -> list[list[int]]:
        """As a walk from the top meets them, children in the order of the file."""
        order: list[list[int]] = [[] for _ in range(max(self.row, default=-1) + 1)]
        seen = [False] * len(self.row)
        starts = sorted(range(len(self.row)), key=lambda vertex: (self.row[vertex], vertex))
        for start in starts:
            waiting = [start]
            while waiting:
                vertex = waiting.pop()
                if not seen[vertex]:
                    seen[vertex] = True
                    order[self.row[vertex]].append(vertex)
                    nexts = sorted(self.down[vertex], key=lambda v: (v >= self.fixed, v))
                    waiting += reversed(nexts)
        return order

    def _positions(self) -> list[int]:
        at = [0] * len(self.row)
        for row in self.order:
            for position, vertex in enumerate(row):
                at[vertex] = position
        return at

    def _improve(self) -> None:
        """Sweep down and up; keep the order with the fewest crossings."""
        if max(map(len, self.order), default=0) < 2:
            return
        best, fewest = [list(row) for row in self.order], self._crossings()
        sweeps = SWEEPS if len(self.row) < 2_000 else 4 if len(self.row) < 20_000 else 1
        stale = 0
        for sweep in range(sweeps):
            if not fewest or stale > 3:
                break
            self._sweep(downward=sweep % 2 == 0)
            if len(self.row) < 5_000:
                self._exchange()
            found = self._crossings()
            if found < fewest:
                best, fewest, stale = [list(row) for row in self.order], found, 0
            else:
                stale += 1
        self.order = best

    def _sweep(self, downward: bool) -> None:
        """Order each row by the mean position of what its vertices hang from."""
        near = self.up if downward else self.down
        rows = self.order if downward else self.order[::-1]
        at = self._positions()
        for row in rows:
            means = {v: sum(at[n] for n in near[v]) / len(near[v]) if near[v] else float(at[v]) for v in row}
            row.sort(key=lambda vertex: (self.single and vertex >= self.children, means[vertex]))
            for position, vertex in enumerate(row):
                at[vertex] = position

    def _exchange(self) -> None:
        """Exchange neighbours in a row while that takes crossings away."""
        at = self._positions()
        better = True
        for _ in range(4):
            if not better:
                return
            better = False
            for row in self.order:
                for position in range(len(row) - 1):
                    left, right = row[position], row[position + 1]
                    if self.single and left < self.children:
                        continue
                    if self._gain(left, right, at) > 0:
                        row[position], row[position + 1] = right, left
                        at[left], at[right] = position + 1, position
                        better = True

    def _gain(self, left: int, right: int, at: Sequence[int]) -> int:
        """Crossings between the wires of two neighbours, less those if they were exchanged."""
        gain = 0
        for near in (self.up, self.down):
            if not near[left] or not near[right]:
                continue
            one, two = sorted(at[n] for n in near[left]), sorted(at[n] for n in near[right])
            for place in one:
                below = bisect_right(two, place - 1)
                gain += below - (len(two) - bisect_right(two, place))
        return gain

    def _crossings(self) -> int:
        at = self._positions()
        found = 0
        for row in self.order:
            seen: list[int] = []
            for vertex in row:
                for place in sorted(at[n] for n in self.down[vertex]):
                    found += len(seen) - bisect_right(seen, place)
                for n in self.down[vertex]:
                    insort(seen, at[n])
        return found

    def _set_aside(self) -> None:
        """Put what belongs to auxiliary heads at the right end of each row, unless wires would cross for it."""
        if not any(self.aside):
            return
        before, fewest = [list(row) for row in self.order], self._crossings()
        for row in self.order:
            row.sort(key=lambda vertex: self.aside[vertex])
        if self._crossings() > fewest:
            self.order = before

    # Strings.

    def _partners(self, at: Sequence[int]) -> dict[int, int]:
        """Upper vertex -> the lower one that stands exactly under it. No two such pairs cross."""
        longest = self._longest()
        pairs: list[tuple[int, int, int, int, int]] = []
        for upper, lowers in self.down.items():
            for lower in lowers:
                rank = self._rank(upper, lower, longest)
                if rank is not None:
                    pairs.append((rank, -(longest[upper][0] + longest[lower][1]), self.row[upper], at[upper], lower))
        pairs.sort()
        taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
        partner: dict[int, int] = {}
        hung: set[int] = set()
        for _, _, row, position, lower in pairs:
            upper = self.order[row][position]
            if upper in partner or lower in hung:
                continue
            place = bisect_right(taken[row], (position, at[lower]))
            before = taken[row][place - 1] if place else (-1, -1)
            after = taken[row][place] if place < len(taken[row]) else (len(at), len(at))
            if before[1] < at[lower] < after[1]:
                partner[upper] = lower
                hung.add(lower)
                insort(taken[row], (position, at[lower]))
        return partner

    def _rank(self, upper: int, lower: int, longest: Sequence[tuple[int, int]]) -> int | None:
        """How much two joined vertices should stand under one another, 0 the most; None if they need not.

        Where three or more branches part or meet, or two that are as long, they part evenly instead of one being the
        middle.
        """
        bends = (upper >= self.fixed) + (lower >= self.fixed)
        if bends == 2 or (self.single and max(upper, lower) < self.children):
            return 0
        if bends == 1:
            alone = len(self.down[upper]) == 1 and len(self.up[lower]) == 1
            return 2 if alone else 4 if len(self.down[upper]) < 3 and len(self.up[lower]) < 3 else None
        if len(self.down[upper]) > 2 or len(self.up[lower]) > 2:
            return None
        if any(longest[n][1] >= longest[lower][1] for n in self.down[upper] if lower != n < self.fixed):
            return None
        if any(longest[n][0] >= longest[upper][0] for n in self.up[lower] if upper != n < self.fixed):
            return None
        return 1 if not self.aside[upper] and not self.aside[lower] else 3

    def _longest(self) -> list[tuple[int, int]]:
        """Of each vertex: children on the longest way from the top to it, and from it to the bottom."""
        vertices = [vertex for row in self.order for vertex in row]
        above, below = [0] * len(self.row), [0] * len(self.row)
        for vertex in vertices:
            own = int(vertex < self.children)
            above[vertex] = own + max((above[n] for n in self.up[vertex]), default=0)
        for vertex in reversed(vertices):
            own = int(vertex < self.children)
            below[vertex] = own + max((below[n] for n in self.down[vertex]), default=0)
        return list(zip(above, below, strict=True))

    def _strings(self, partner: dict[int, int]) -> tuple[tuple[int, ...], ...]:
        hung = set(partner.values())
        strings: list[tuple[int, ...]] = []
        for row in self.order:
            for vertex in row:
                if vertex in hung:
                    continue
                found = [vertex]
                while found[-1] in partner:
                    found.append(partner[found[-1]])
                strings.append(tuple(found))
        spine = self._spine(strings)
        order = self._left_to_right(spine)
        if order is None:
            spine, order = strings, self._left_to_right(strings)
        assert order is not None, "strings that do not cross have an order"
        return tuple(spine[number] for number in order)

    def _spine(self, strings: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """The strings, those with a vertex that is alone in its row, auxiliary heads aside, as one: so the trunk of a
        network is straight where branches part and meet."""
        alone = {row[0] for row in self.order if row and sum(not self.aside[vertex] for vertex in row) == 1}
        trunk = [string for string in strings if any(v in alone and not self.aside[v] for v in string)]
        rest = [string for string in strings if string not in trunk]
        joined = tuple(vertex for string in trunk for vertex in string)
        rows = [self.row[vertex] for vertex in joined]
        return [joined, *rest] if rows == sorted(set(rows)) and joined else strings

    def _left_to_right(self, strings: list[tuple[int, ...]]) -> list[int] | None:
        """Strings so that each comes after all that stand to its left in some row; None if there is a circle."""
        count = len(strings)
        string_of = {vertex: number for number, string in enumerate(strings) for vertex in string}
        rights: list[set[int]] = [set() for _ in range(count)]
        waits = [0] * count
        for row in self.order:
            for left, right in itertools.pairwise(row):
                one, two = string_of[left], string_of[right]
                if two not in rights[one]:
                    rights[one].add(two)
                    waits[two] += 1
        free = [number for number in range(count) if not waits[number]]
        found: list[int] = []
        while free:
            number = free.pop()
            found.append(number)
            for other in sorted(rights[number]):
                waits[other] -= 1
                if not waits[other]:
                    free.append(other)
        return found if len(found) == count else None

    # Ports.

    def _slots(self, at: Sequence[int], partner: dict[int, int]) -> tuple[tuple[tuple[int, ...], int], ...]:
        entering: list[list[tuple[int, int, int]]] = [[] for _ in range(self.children)]
        for wire, way in zip(self.wires, self.ways, strict=True):
            if wire.target != BORDER:
                entering[wire.target].append((at[way[-2]], wire.in_port, way[-2]))
        slots = []
        for child, found in enumerate(entering):
            found.sort()
            middle = [number for number, (_, _, upper) in enumerate(found) if partner.get(upper) == child]
            slots.append((tuple(port for _, port, _ in found), middle[0] if middle else -1))
        return tuple(slots)

    def _exits(self, at: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        leaving: list[dict[int, int]] = [{} for _ in range(self.children)]
        for wire, way in zip(self.wires, self.ways, strict=True):
            if wire.source != BORDER:
                leaving[wire.source].setdefault(wire.out_port, at[way[1]])
        return tuple(tuple(sorted(ports, key=lambda port: (ports[port], port))) for ports in leaving)
