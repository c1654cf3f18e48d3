"""The order of what stands in each row of a group: few wires cross, and what belongs together is near.

Source: Sugiyama, Tagawa and Toda 1981, for sweeps by means and exchanges of neighbours
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from archspec.drawing.skeleton import Skeleton

SWEEPS = 12
"""How often the order is improved, at most."""
LARGE, HUGE = 2_000, 20_000
"""Vertices from which there are fewer sweeps."""
FEW = 4
"""Sweeps of a large group, rounds of exchanges, and how many sweeps may bring nothing before it is enough."""
MOST_EXCHANGED = 5_000
"""Vertices from which neighbours are not exchanged one by one."""


def is_chain(skeleton: Skeleton) -> bool:
    """Whether no two children are in one row: a chain, with wires that skip. It stands at the left, they beside it."""
    seen: set[int] = set()
    for child in range(skeleton.children):
        if not skeleton.aside[child]:
            if skeleton.row[child] in seen:
                return False
            seen.add(skeleton.row[child])
    return True


def ordered(skeleton: Skeleton) -> list[list[int]]:
    """The vertices of each row, from left to right."""
    return _Orderer(skeleton).ordered()


def positions(skeleton: Skeleton, order: Sequence[Sequence[int]]) -> list[int]:
    """Of each vertex, its place in its row."""
    at = [0] * len(skeleton)
    for row in order:
        for position, vertex in enumerate(row):
            at[vertex] = position
    return at


class _Orderer:
    """Orders one group."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.of = skeleton
        self.single = is_chain(skeleton)
        self.order = self._first_order()
        if self.single:
            for row in self.order:
                row.sort(key=lambda vertex: vertex >= skeleton.children)

    def ordered(self) -> list[list[int]]:
        self._improve()
        self._set_aside()
        return self.order

    def _first_order(self) -> list[list[int]]:
        """As a walk from the top meets them, children in the order of the file."""
        order: list[list[int]] = [[] for _ in range(max(self.of.row, default=-1) + 1)]
        seen = [False] * len(self.of)
        starts = sorted(range(len(self.of)), key=lambda vertex: (self.of.row[vertex], vertex))
        for start in starts:
            waiting = [start]
            while waiting:
                vertex = waiting.pop()
                if not seen[vertex]:
                    seen[vertex] = True
                    order[self.of.row[vertex]].append(vertex)
                    nexts = sorted(self.of.down[vertex], key=lambda v: (v >= self.of.fixed, v))
                    waiting += reversed(nexts)
        return order

    def _improve(self) -> None:
        """Sweep down and up; keep the order with the fewest crossings."""
        if max(map(len, self.order), default=0) < 2:
            return
        best, fewest = [list(row) for row in self.order], self._crossings()
        sweeps = SWEEPS if len(self.of) < LARGE else FEW if len(self.of) < HUGE else 1
        stale = 0
        for sweep in range(sweeps):
            if not fewest or stale >= FEW:
                break
            self._sweep(downward=sweep % 2 == 0)
            if len(self.of) < MOST_EXCHANGED:
                self._exchange()
            found = self._crossings()
            if found < fewest:
                best, fewest, stale = [list(row) for row in self.order], found, 0
            else:
                stale += 1
        self.order = best

    def _sweep(self, downward: bool) -> None:
        """Order each row by the mean position of what its vertices hang from."""
        near = self.of.up if downward else self.of.down
        rows = self.order if downward else self.order[::-1]
        at = positions(self.of, self.order)
        for row in rows:
            means = {v: self._mean(v, near[v], at, downward) if near[v] else float(at[v]) for v in row}
            row.sort(key=lambda vertex: (self.single and vertex >= self.of.children, means[vertex]))
            for position, vertex in enumerate(row):
                at[vertex] = position

    def _mean(self, vertex: int, near: Sequence[int], at: Sequence[int], downward: bool) -> float:
        """The mean place of the ends of a vertex's wires in the row before."""
        tail, head = self.of.tail, self.of.head
        return sum(at[n] + (tail[n, vertex] if downward else head[vertex, n]) for n in near) / len(near)

    def _exchange(self) -> None:
        """Exchange neighbours in a row while that takes crossings away."""
        at = positions(self.of, self.order)
        better = True
        for _ in range(FEW):
            if not better:
                return
            better = False
            for row in self.order:
                for position in range(len(row) - 1):
                    left, right = row[position], row[position + 1]
                    if self.single and left < self.of.children:
                        continue
                    if self._gain(left, right, at) > 0:
                        row[position], row[position + 1] = right, left
                        at[left], at[right] = position + 1, position
                        better = True

    def _gain(self, left: int, right: int, at: Sequence[int]) -> int:
        """Crossings between the wires of two neighbours, less those if they were exchanged."""
        gain = 0
        for near, upward in ((self.of.up, True), (self.of.down, False)):
            if not near[left] or not near[right]:
                continue
            one, two = self._ends(left, near[left], at, upward), self._ends(right, near[right], at, upward)
            for place in one:
                gain += bisect_left(two, place) - (len(two) - bisect_right(two, place))
        return gain

    def _ends(self, vertex: int, near: Sequence[int], at: Sequence[int], upward: bool) -> list[float]:
        """Where a vertex's wires end in the row above or below, from left to right."""
        tail, head = self.of.tail, self.of.head
        return sorted(at[n] + (tail[n, vertex] if upward else head[vertex, n]) for n in near)

    def _crossings(self) -> int:
        """How often wires cross."""
        at = positions(self.of, self.order)
        tail, head = self.of.tail, self.of.head
        found = 0
        for row in self.order:
            seen: list[float] = []
            for vertex in row:
                ends: dict[float, list[float]] = {}
                for n in self.of.down[vertex]:
                    ends.setdefault(tail[vertex, n], []).append(at[n] + head[vertex, n])
                for _, places in sorted(ends.items()):
                    found += sum(len(seen) - bisect_right(seen, place) for place in places)
                    for place in places:
                        insort(seen, place)
        return found

    def _set_aside(self) -> None:
        """Put what belongs to auxiliary heads at the right end of each row, unless wires would cross for it."""
        if not any(self.of.aside):
            return
        before, fewest = [list(row) for row in self.order], self._crossings()
        for row in self.order:
            row.sort(key=lambda vertex: self.of.aside[vertex])
        if self._crossings() > fewest:
            self.order = before
