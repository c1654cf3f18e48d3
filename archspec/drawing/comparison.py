"""Two networks in one picture: what is in both, and what was added, removed or changed.

The picture is that of a graph that has the layers of both, under the names of the second; a layer that only the first
has keeps its name, with a word where the name is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from archspec.drawing.diagram import SAME, Mark, Readings
from archspec.drawing.label import shape_text
from archspec.drawing.union import union
from archspec.drawing.words import title_of
from archspec.graph.difference import Change, Difference, difference
from archspec.graph.graph import Graph, Node, digraph_of
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
    both = union(a, b, pairs)
    own = {output.name for output in b.outputs}
    lost = [replace(output, node=both.names[output.node]) for output in a.outputs if output.name not in own]
    graph = replace(
        b,
        outputs=(*b.outputs, *lost),
        groups=both.groups,
        digraph=digraph_of(both.nodes),
        name=a.name if a.name == b.name else f"{a.name} and {b.name}",
    )
    marks, gains = _marks(found, pairs, both.names)
    marks |= {f"output {output.name}": Mark("removed") for output in lost}
    marks |= {f"output {output.name}": Mark("added") for output in b.outputs if output.name not in _names(a)}
    return Comparison(graph, marks, _readings(a, b, both.names), gains, _heading(found))


def _names(graph: Graph) -> set[str]:
    return {output.name for output in graph.outputs}


def _marks(
    found: Difference, pairs: Mapping[str, str], names: Mapping[str, str]
) -> tuple[dict[str, Mark], dict[str, tuple[int, int]]]:
    marks: dict[str, Mark] = {}
    gains: dict[str, tuple[int, int]] = {}
    for change in (*found.changed, *found.derived):
        if change.before.name in pairs:
            marks[change.after.name] = Mark("changed" if change.is_own else "derived", _change_text(change))
            gains[change.after.name] = _gain(change.before, change.after)
    for change in found.renamed:
        label = change.before.name.rpartition(".")[2]
        if change.before.name in pairs and label != change.after.name.rpartition(".")[2]:
            mark = marks.get(change.after.name, SAME)
            text = f"was {label}, {mark.text}" if mark.text else f"was {label}"
            marks[change.after.name] = Mark(mark.change, text)
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
        fields = [f"was {shape_text(change.before.shape)}"]
    return ", ".join(fields)


def _readings(a: Graph, b: Graph, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(source, reader) of every wire that only one of them has."""
    old = {(names[source], names[node.name]) for node in a for source in node.inputs}
    new = {(source, node.name) for node in b for source in node.inputs}
    old |= {(names[output.node], f"output {output.name}") for output in a.outputs}
    new |= {(output.node, f"output {output.name}") for output in b.outputs}
    return {pair: "removed" for pair in old - new} | {pair: "added" for pair in new - old}


def _heading(found: Difference) -> tuple[str, str]:
    """What is compared, and what it costs more or less."""
    a, b = found.a, found.b
    name = f"{title_of(a)} → {title_of(b)}"
    macs = (a.inference().macs, b.inference().macs)
    return name, f"{_step('params', a.params, b.params)}, {_step('MACs', *macs)}"


def _step(what: str, before: int, after: int) -> str:
    if before == after:
        return f"{short(before)} {what} as before"
    part = f" ({(after - before) / before:+.1%})".replace("-", "−") if before else ""
    return f"{short(before)} → {short(after)} {what}{part}"
