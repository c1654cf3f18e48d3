"""Which parameters globs on paths freeze."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph
from archspec.graph.paths import around, covers


def frozen(graph: Graph, globs: Iterable[str]) -> set[str]:
    """State-dict keys of the parameters of all layers that a glob matches, or that are in a group it matches.

    Errors: SpecError if a glob matches no parameter
    """
    keys = [node.key(name) for node in graph for name in node.weights]
    found: set[str] = set()
    problems = []
    for glob in globs:
        matched = {key for key in keys if covers(glob, key)}
        if not matched:
            hint = did_you_mean(glob, [outer for key in keys for outer in around(key)])
            problems.append(Problem("unknown-layer", f"freeze: `{glob}` matches no layer with parameters", hint=hint))
        found |= matched
    if problems:
        raise SpecError(problems)
    return found
