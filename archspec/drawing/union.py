"""The layers of two networks as one graph, in groups that can be drawn.

A layer that only the first network has goes into the second's group that has most of its neighbours from the first.
That may close a circle: group g reads layer x, and x reads a removed layer that would be in g. Then the removed layers
of g get a group of their own, `g (removed)`; and where a circle is still left, the wires that only the first network
has and that would run backwards are left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from archspec.graph.graph import Graph, Group, Node

REMOVED = " (removed)"
"""Behind the name of what only the first network has, where the name is taken."""


@dataclass(frozen=True)
class Union:
    """The nodes of both networks."""

    nodes: tuple[Node, ...]
    """In an order in which each comes after all it reads, and each group is in one piece."""
    names: Mapping[str, str]
    """Name in the first network -> name here. Those of the second network keep theirs."""
    groups: Mapping[str, Group]


def union(a: Graph, b: Graph, pairs: Mapping[str, str]) -> Union:
    """Both networks, given which nodes of the first are which of the second."""
    return _Maker(a, b, pairs).union()


class _Maker:
    """Makes one union. Inside, a removed node is called by its name behind a `-`, any other by its name in `b`."""

    def __init__(self, a: Graph, b: Graph, pairs: Mapping[str, str]) -> None:
        self.a, self.b, self.pairs = a, b, pairs
        self.matched = {new: old for old, new in pairs.items()}
        self.homes = _homes(a, pairs)
        self.keys = self._merged()
        self.inputs = {key: self._inputs(key) for key in self.keys}
        self.paths = {key: self._path(key) for key in self.keys}
        self._part_names()

    def union(self) -> Union:
        order = self._arranged(list(self.keys), 0)
        names: dict[str, str] = {}
        seen: set[str] = set()
        for key in order:
            while ".".join(self.paths[key]) in seen:  # two groups that were split are called alike
                self.paths[key][-1] += REMOVED
            names[key] = ".".join(self.paths[key])
            seen.add(names[key])
        nodes = tuple(
            replace(self._node(key), name=names[key], inputs=tuple(names[source] for source in self.inputs[key]))
            for key in order
        )
        groups = dict(self.b.groups)
        for key in order:
            if key.startswith("-"):
                self._add_groups(groups, key[1:].split("."), self.paths[key])
        return Union(nodes, {node.name: names[self._key(node.name)] for node in self.a}, groups)

    def _key(self, name: str) -> str:
        """What a node of the first network is called in here."""
        return self.pairs.get(name, f"-{name}")

    def _node(self, key: str) -> Node:
        return replace(self.a[key[1:]], shares="") if key.startswith("-") else self.b[key]

    def _add_groups(self, groups: dict[str, Group], old: list[str], new: list[str]) -> None:
        for depth in range(1, min(len(old), len(new))):
            group = self.a.groups.get(".".join(old[:depth]))
            if group is not None:
                groups.setdefault(".".join(new[:depth]), group)

    # Order and wires.

    def _merged(self) -> list[str]:
        """All nodes in one order of execution: before each that both have, what either has before it."""
        order: list[str] = []
        waiting = iter([node.name for node in self.a])
        for node in self.b:
            if node.name in self.matched:
                order += self._removed_until(waiting, self.matched[node.name])
            order.append(node.name)
        return order + self._removed_until(waiting, None)

    def _removed_until(self, waiting: Iterable[str], name: str | None) -> list[str]:
        found = []
        for other in waiting:
            if other == name:
                break
            if other not in self.pairs:
                found.append(f"-{other}")
        return found

    def _inputs(self, key: str) -> list[str]:
        """What a node reads in the second network, and besides what it read in the first."""
        if key.startswith("-"):
            return [self._key(name) for name in self.a[key[1:]].inputs]
        found = list(self.b[key].inputs)
        old = self.a[self.matched[key]].inputs if key in self.matched else ()
        return found + [source for source in map(self._key, old) if source not in found]

    # Names.

    def _path(self, key: str) -> list[str]:
        if not key.startswith("-"):
            return key.split(".")
        *group, name = key[1:].split(".")
        return [*self._home(tuple(group)), name]

    def _home(self, group: tuple[str, ...]) -> tuple[str, ...]:
        """The group of the second network that stands for one of the first."""
        if not group:
            return ()
        if group in self.homes:
            return self.homes[group]
        return (*self._home(group[:-1]), group[-1])

    def _part_names(self) -> None:
        """Let no removed layer be called as another layer or a group is.

        One that would be keeps the path it had, in a group that says it is removed.
        """
        taken = {node.name for node in self.b}
        groups = {prefix for name in taken for prefix in _prefixes(name)}
        for key, path in self.paths.items():
            if key.startswith("-"):
                name = ".".join(path)
                if name in taken or name in groups or any(prefix in taken for prefix in _prefixes(name)):
                    first, *rest = key[1:].split(".")
                    path[:] = [first + REMOVED, *rest]
                    name = ".".join(path)
                taken.add(name)
                groups.update(_prefixes(name))

    # Groups.

    def _arranged(self, keys: list[str], depth: int) -> list[str]:
        """Nodes of one group so that everything in it, groups too, comes after what it reads."""
        while True:
            children: dict[str, list[str]] = {}
            for key in keys:
                children.setdefault(self.paths[key][depth], []).append(key)
            order = self._sorted(children, depth)
            if order is not None:
                break
        return [
            key
            for name in order
            for key in (
                self._arranged(children[name], depth + 1)
                if len(self.paths[children[name][0]]) > depth + 1
                else children[name]
            )
        ]

    def _sorted(self, children: Mapping[str, list[str]], depth: int) -> list[str] | None:
        """Children in order; None if some were split, so that the order must be found anew."""
        home = {key: name for name, keys in children.items() for key in keys}
        left = dict.fromkeys(children)
        order: list[str] = []
        while left:
            reads = {name: self._sources(children[name], home, left) - {name} for name in left}
            free = next((name for name in left if not reads[name]), None)
            if free is None:
                circle = _circle(reads)
                if self._split(circle, children, depth):
                    return None
                free = next((name for name in circle if self._cut(name, children, home, left)), circle[0])
            order.append(free)
            del left[free]
        return order

    def _sources(self, keys: list[str], home: Mapping[str, str], left: Mapping[str, None]) -> set[str]:
        """The children still left that some nodes read."""
        found = {home[source] for key in keys for source in self.inputs[key] if source in home}
        return {name for name in found if name in left}

    def _split(self, circle: list[str], children: Mapping[str, list[str]], depth: int) -> bool:
        """Give the removed nodes of groups in a circle a group of their own; whether there were any."""
        found = False
        for name in circle:
            removed = [key for key in children[name] if key.startswith("-")]
            if 0 < len(removed) < len(children[name]):
                found = True
                for key in removed:
                    self.paths[key][depth] += REMOVED
        return found

    def _cut(
        self, name: str, children: Mapping[str, list[str]], home: Mapping[str, str], left: Mapping[str, None]
    ) -> bool:
        """Leave out the wires that a child reads of children still left, if the second network has none of them."""
        for key in children[name]:
            own = () if key.startswith("-") else self.b[key].inputs
            if any(source in own and home.get(source, name) != name and home[source] in left for source in own):
                return False
        for key in children[name]:
            self.inputs[key] = [
                source
                for source in self.inputs[key]
                if source not in home or home[source] == name or home[source] not in left
            ]
        return True


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _circle(reads: Mapping[str, set[str]]) -> list[str]:
    """What is left of a graph without its ends: everything that is in a circle or between two."""
    left = {name: set(sources) for name, sources in reads.items()}
    while True:
        read = {source for sources in left.values() for source in sources}
        ends = [name for name, sources in left.items() if not sources & left.keys() or name not in read]
        if not ends:
            return list(left)
        for name in ends:
            del left[name]
        left = {name: sources & left.keys() for name, sources in left.items()}


def _homes(a: Graph, pairs: Mapping[str, str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Group of the first network -> the group of the second that has most of the layers directly in it."""
    votes: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for node in a:
        if node.name in pairs:
            votes[tuple(node.name.split(".")[:-1])][tuple(pairs[node.name].split(".")[:-1])] += 1
    return {group: max(counter, key=lambda home: (counter[home], home == group)) for group, counter in votes.items()}
