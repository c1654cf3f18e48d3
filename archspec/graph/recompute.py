"""Which parts of a network are computed again in the backward pass instead of kept for it."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph
from archspec.graph.paths import around, covers

Parts = dict[str, set[str]]
"""Path of a group or layer -> names of its layers."""


def recomputed(graph: Graph, globs: Iterable[str]) -> Parts:
    """The groups and layers that globs match, but for those inside another that one matches.

    Errors: SpecError if a glob matches nothing
    """
    parts, problems = Parts(), []
    globs = list(globs)
    names = [node.name for node in graph.layers]
    for glob in globs:
        if not any(covers(glob, name) for name in names):
            hint = did_you_mean(glob, [outer for name in names for outer in around(name)])
            problems.append(Problem("unknown-layer", f"recompute: `{glob}` matches no layer", hint=hint))
    if problems:
        raise SpecError(problems)
    for name in names:
        outermost = next((path for path in around(name) if any(covers(glob, path) for glob in globs)), "")
        if outermost:
            parts.setdefault(outermost, set()).add(name)
    return parts


def kept_together(graph: Graph, parts: Parts) -> Parts:
    """The same parts of a graph that passes have changed; a layer that needs what is now outside is no longer of it."""
    here = {path: {name for name in inside if name in graph} for path, inside in parts.items()}
    return {path: found for path, inside in here.items() if (found := _together(graph, inside))}


def _together(graph: Graph, inside: set[str]) -> set[str]:
    """Those of some layers that need nothing outside that is made of them."""
    found, outside = set[str](), set[str]()
    for node in graph.layers:
        if node.name in inside and not any(name in outside for name in node.inputs):
            found.add(node.name)
        elif any(name in found or name in outside for name in node.inputs):
            outside.add(node.name)
    return found
