"""Activation checkpointing: which segments of a network are computed again in the backward pass, not kept for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph
from archspec.graph.paths import around, covers

Segments = dict[str, set[str]]
"""Path of a group or layer -> names of its layers."""


def segments_of(graph: Graph, globs: Iterable[str]) -> Segments:
    """The groups and layers that globs match, but for those inside another that one matches.

    Errors: SpecError if a glob matches nothing
    """
    globs = list(globs)
    refuse_unmatched([graph], globs)
    segments = Segments()
    for node in graph.layers:
        outermost = next((path for path in around(node.name) if any(covers(glob, path) for glob in globs)), "")
        if outermost:
            segments.setdefault(outermost, set()).add(node.name)
    return segments


def refuse_unmatched(graphs: Sequence[Graph], globs: Iterable[str]) -> None:
    """Errors: SpecError if a glob matches nothing in any of the graphs"""
    problems = []
    for glob in globs:
        if not any(matches(graph, glob) for graph in graphs):
            hint = did_you_mean(glob, [path for graph in graphs for node in graph.layers for path in around(node.name)])
            names = ", ".join(dict.fromkeys(graph.name for graph in graphs))
            problems.append(Problem("unknown-layer", f"recompute: `{glob}` matches no layer of {names}", hint=hint))
    if problems:
        raise SpecError(problems)


def matches(graph: Graph, glob: str) -> bool:
    """Whether a glob matches a layer or a group around one."""
    return any(covers(glob, node.name) for node in graph.layers)


def convex_segments(graph: Graph, segments: Segments) -> Segments:
    """The same segments of a graph that passes have changed, without layers that need what has left their segment."""
    here = {path: {name for name in inside if name in graph} for path, inside in segments.items()}
    return {path: found for path, inside in here.items() if (found := _convex(graph, inside))}


def _convex(graph: Graph, inside: set[str]) -> set[str]:
    """Those of some layers that do not depend, by way of another layer, on one of them."""
    found, outside = set[str](), set[str]()
    for node in graph.layers:
        if node.name in inside and not any(name in outside for name in node.inputs):
            found.add(node.name)
        elif any(name in found or name in outside for name in node.inputs):
            outside.add(node.name)
    return found
