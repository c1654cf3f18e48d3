"""Two networks in one picture: what is in both, and what was added, removed or changed.

The picture is that of a graph that has the layers of both, under the names of the second; a layer that only the first
has keeps its name, with a word where the name is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from archspec.drawing.diagram import Mark, Readings
from archspec.graph.difference import Change, Difference, difference
from archspec.graph.graph import Graph, Node, Output, digraph_of
from archspec.views.listing import short
from archspec.views.values import field_text

MOST_FIELDS = 2
"""Changed fields that a box names."""


@dataclass(frozen=True)
class Comparison:
    """The graph of both networks, and how its parts stand."""

    graph: Graph
    marks: Mapping[str, Mark]
    readings: Readings
    gains: Mapping[str, tuple[int, int]]
    """Of each layer, how many params and MACs the second network has more."""
    heading: tuple[str, str]


def compared(a: Graph, b: Graph) -> Comparison:
    """Both networks as one graph."""
    found = difference(a, b)
    moved = {change.before.name for change in found.moved}
    pairs = {old: new for old, new in found.pairs.items() if old not in moved}
    names = {**_free_names(a, b, pairs), **pairs}
    nodes = list(_merged(a, b, pairs, names))
    outputs, lost = _outputs(a, b, names)
    graph = replace(
        b,
        outputs=outputs,
        groups={**a.groups, **b.groups},
        digraph=digraph_of(nodes),
        name=a.name if a.name == b.name else f"{a.name} and {b.name}",
    )
    marks, gains = _marks(found, pairs, names)
    marks |= {f"output {name}": Mark("removed") for name in lost}
    return Comparison(graph, marks, _readings(a, b, names, outputs), gains, _heading(found))


def _free_names(a: Graph, b: Graph, pairs: Mapping[str, str]) -> dict[str, str]:
    """Names for the layers that only the first network has, where the second one's are not in the way."""
    taken = {node.name for node in b}
    groups = {prefix for name in taken for prefix in _prefixes(name)}
    found = {}
    for node in a:
        if node.name not in pairs:
            parts = node.name.split(".")
            for depth in range(1, len(parts) + 1):
                prefix = ".".join(parts[:depth])
                if prefix in taken or (depth == len(parts) and prefix in groups):
                    parts[depth - 1] += " (removed)"
            found[node.name] = ".".join(parts)
    return found


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts)))


def _merged(a: Graph, b: Graph, pairs: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Node]:
    """The nodes of both in one order of execution: before each layer of both, what either has before it."""
    before = {new: old for old, new in pairs.items()}
    waiting = iter(list(a))
    known = {node.name for node in b}

    def removed_until(name: str | None) -> Iterator[Node]:
        for node in waiting:
            if node.name == name:
                return
            yield replace(node, name=names[node.name], inputs=tuple(names[i] for i in node.inputs), shares="")

    for node in b:
        old = before.get(node.name)
        if old is None:
            yield node
            continue
        yield from removed_until(old)
        lost = [names[name] for name in a[old].inputs if names[name] not in node.inputs]
        yield replace(node, inputs=(*node.inputs, *lost)) if lost else node
    yield from (node for node in removed_until(None) if node.name not in known)


def _outputs(a: Graph, b: Graph, names: Mapping[str, str]) -> tuple[tuple[Output, ...], list[str]]:
    """The outputs of both, and the names of those that only the first has."""
    own = {output.name for output in b.outputs}
    lost = [replace(output, node=names[output.node]) for output in a.outputs if output.name not in own]
    return (*b.outputs, *lost), [output.name for output in lost]


def _marks(
    found: Difference, pairs: Mapping[str, str], names: Mapping[str, str]
) -> tuple[dict[str, Mark], dict[str, tuple[int, int]]]:
    marks: dict[str, Mark] = {}
    gains: dict[str, tuple[int, int]] = {}
    for change in (*found.changed, *found.derived):
        if change.before.name in pairs:
            marks[change.after.name] = Mark("changed" if change.is_own else "derived", _change_text(change))
            gains[change.after.name] = _gain(change.before, change.after)
    kept = set(pairs.values())
    for node in found.a:
        if node.name not in pairs:
            marks[names[node.name]] = Mark("removed")
            gains[names[node.name]] = (-node.params, -node.macs)
    for node in found.b:
        if node.name not in kept:
            marks[node.name] = Mark("added")
            gains[node.name] = (node.params, node.macs)
    return marks, gains


def _gain(before: Node, after: Node) -> tuple[int, int]:
    return after.params - before.params, after.macs - before.macs


def _change_text(change: Change) -> str:
    fields = [f"{name} {field_text(old)} → {field_text(new)}" for name, (old, new) in change.fields.items()]
    if len(fields) > MOST_FIELDS:
        fields = [*fields[:MOST_FIELDS], "…"]
    if not fields and change.before.shape != change.after.shape:
        fields = [f"was {change.before.shape}".replace("x", "×")]
    return ", ".join(fields)


def _readings(a: Graph, b: Graph, names: Mapping[str, str], outputs: tuple[Output, ...]) -> dict[tuple[str, str], str]:
    """(source, reader) of every wire that only one of them has."""
    old = {(names[source], names[node.name]) for node in a for source in node.inputs}
    new = {(source, node.name) for node in b for source in node.inputs}
    old |= {(names[output.node], f"output {output.name}") for output in a.outputs}
    new |= {(output.node, f"output {output.name}") for output in b.outputs}
    return {pair: "removed" for pair in old - new} | {pair: "added" for pair in new - old}


def _heading(found: Difference) -> tuple[str, str]:
    """What is compared, and what it costs more or less."""
    a, b = found.a, found.b
    name = f"{_named(a)} → {_named(b)}"
    macs = (a.inference().macs, b.inference().macs)
    return name, f"{_step('params', a.params, b.params)}, {_step('MACs', *macs)}"


def _named(graph: Graph) -> str:
    changed = ", ".join(f"{name}={field_text(value)}" for name, value in graph.changed.items())
    return f"{graph.name} ({changed})" if changed else graph.name


def _step(what: str, before: int, after: int) -> str:
    if before == after:
        return f"{short(before)} {what} as before"
    part = f" ({(after - before) / before:+.1%})" if before else ""
    return f"{short(before)} → {short(after)} {what}{part}"
