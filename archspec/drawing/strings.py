"""Which vertices of a group stand exactly under one another, so that the wires between them are straight.

Long wires come first, then the longest way through the group. No two strings cross.
Source: after Brandes and Koepf 2002
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence

from archspec.drawing.order import is_chain, positions
from archspec.drawing.skeleton import Skeleton


class Strings:
    """The strings of one group, given the order of its rows."""

    def __init__(self, skeleton: Skeleton, order: Sequence[Sequence[int]]) -> None:
        self.of, self.order = skeleton, order
        self.single = is_chain(skeleton)
        self.at = positions(skeleton, order)
        self.partner = self._partners(self.at)
        """Upper vertex -> the lower one that hangs from it."""

    def _partners(self, at: Sequence[int]) -> dict[int, int]:
        """Upper vertex -> the lower one that stands exactly under it. No two such pairs cross."""
        longest = self._longest()
        pairs: list[tuple[int, int, int, int, int]] = []
        for upper, lowers in self.of.down.items():
            for lower in lowers:
                rank = self._rank(upper, lower, longest)
                if rank is not None:
                    pairs.append((rank, -(longest[upper][0] + longest[lower][1]), self.of.row[upper], at[upper], lower))
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
        bends = (upper >= self.of.fixed) + (lower >= self.of.fixed)
        if bends == 2 or (self.single and max(upper, lower) < self.of.children):
            return 0
        if bends == 1:
            alone = len(self.of.down[upper]) == 1 and len(self.of.up[lower]) == 1
            return 2 if alone else 4 if len(self.of.down[upper]) < 3 and len(self.of.up[lower]) < 3 else None
        if len(self.of.down[upper]) > 2 or len(self.of.up[lower]) > 2:
            return None
        if any(longest[n][1] >= longest[lower][1] for n in self.of.down[upper] if lower != n < self.of.fixed):
            return None
        if any(longest[n][0] >= longest[upper][0] for n in self.of.up[lower] if upper != n < self.of.fixed):
            return None
        return 1 if not self.of.aside[upper] and not self.of.aside[lower] else 3

    def _longest(self) -> list[tuple[int, int]]:
        """Of each vertex: children on the longest way from the top to it, and from it to the bottom."""
        vertices = [vertex for row in self.order for vertex in row]
        above, below = [0] * len(self.of), [0] * len(self.of)
        for vertex in vertices:
            own = int(vertex < self.of.children)
            above[vertex] = own + max((above[n] for n in self.of.up[vertex]), default=0)
        for vertex in reversed(vertices):
            own = int(vertex < self.of.children)
            below[vertex] = own + max((below[n] for n in self.of.down[vertex]), default=0)
        return list(zip(above, below, strict=True))

    def from_left_to_right(self) -> tuple[tuple[int, ...], ...]:
        """All strings, each from the top, and after all that are to its left in some row."""
        hung = set(self.partner.values())
        strings: list[tuple[int, ...]] = []
        for row in self.order:
            for vertex in row:
                if vertex in hung:
                    continue
                found = [vertex]
                while found[-1] in self.partner:
                    found.append(self.partner[found[-1]])
                strings.append(tuple(found))
        spine = self._spine(strings)
        order = self._left_to_right(spine)
        if order is None:
            spine, order = strings, self._left_to_right(strings)
        assert order is not None, "strings that do not cross have an order"
        return tuple(spine[number] for number in order)

    def _spine(self, strings: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """The strings, those with a vertex that is alone in its row as one: so the trunk of a network is straight where
        branches part and meet. What stands at the side does not count."""
        rows = [[vertex for vertex in row if not self.of.aside[vertex]] for row in self.order]
        alone = {row[0] for row in rows if len(row) == 1}
        trunk = [string for string in strings if not alone.isdisjoint(string)]
        joined = tuple(vertex for string in trunk for vertex in string)
        at_rows = [self.of.row[vertex] for vertex in joined]
        if not joined or at_rows != sorted(set(at_rows)):
            return strings
        return [joined, *(string for string in strings if alone.isdisjoint(string))]

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
