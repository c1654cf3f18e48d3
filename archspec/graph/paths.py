"""Paths: globs that name layers and what is inside them, and the layer a path stands for."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.graph.init_rules import glob


def around(path: str) -> list[str]:
    """The groups that a path is inside, outermost first, and the path itself."""
    names = path.split(".")
    return [".".join(names[:count]) for count in range(1, len(names) + 1)]


def covers(pattern: str, path: str) -> bool:
    """Whether a glob matches a path, or a group or layer that it is inside."""
    return any(glob(pattern).fullmatch(outer) for outer in around(path))


def last_inside(path: str, graph: Graph) -> str | None:
    """The node whose value a path stands for: itself, or the last inside a group."""
    if path in graph:
        return path
    inside = [node.name for node in graph if node.name.startswith(path + ".")]
    return inside[-1] if inside else None
