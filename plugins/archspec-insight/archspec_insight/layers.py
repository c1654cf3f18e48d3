"""The layers that globs on paths choose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache

from archspec.graph.graph import Graph, Node
from archspec_insight.errors import InsightError

RELU_OPS = ("relu", "relu6", "hardswish")
"""Activations that are exactly zero over a half-line, where no gradient passes."""


def relus(graph: Graph, ops: Sequence[str] = RELU_OPS) -> tuple[Node, ...]:
    """The layers of these ops. Errors: InsightError if there are none"""
    found = tuple(node for node in graph.layers if node.op in ops)
    if not found:
        known = ", ".join(dict.fromkeys(node.op for node in graph.layers))
        raise InsightError(f"{graph.name} has no layer whose op is {one_of(ops)}", f"ops of this network: {known}")
    return found


def covered(nodes: Sequence[Node], globs: Iterable[str], what: str) -> tuple[Node, ...]:
    """Of some layers, those that a glob matches or that are inside a group it matches; all of them without globs.

    Errors: InsightError if a glob matches none; `what` says what was looked for
    """
    wanted = tuple(globs)
    for glob in wanted:
        if not any(_covers(glob, node.name) for node in nodes):
            raise _unmatched(glob, what, [path for node in nodes for path in _around(node.name)])
    return tuple(node for node in nodes if not wanted or any(_covers(glob, node.name) for glob in wanted))


def named(graph: Graph, globs: Iterable[str]) -> dict[str, Node]:
    """The layers whose values globs name, by the path that was matched, in execution order.

    A group that a glob matches stands for its last layer. A layer that is named twice has its shortest path.
    Errors: InsightError if a glob matches neither a layer nor a group
    """
    last = {path: node for node in graph.layers for path in _around(node.name)}
    chosen: dict[str, str] = {}
    for glob in globs:
        paths = [path for path in last if _pattern(glob).fullmatch(path)]
        if not paths:
            raise _unmatched(glob, "layer", last)
        for path in paths:
            chosen[last[path].name] = min(chosen.get(last[path].name, path), path, key=len)
    return {chosen[node.name]: node for node in graph.layers if node.name in chosen}


def one_of(words: Sequence[str]) -> str:
    """Words as a choice: relu, relu6 or hardswish."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _around(path: str) -> list[str]:
    """The groups that a path is inside, outermost first, and the path itself."""
    names = path.split(".")
    return [".".join(names[:count]) for count in range(1, len(names) + 1)]


def _covers(glob: str, path: str) -> bool:
    return any(_pattern(glob).fullmatch(outer) for outer in _around(path))


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    """archspec's globs: `*` is any text within one name, `**.` any number of names."""
    wild = {"**.": r"([^.]+\.)*", "*": r"[^.]*"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in re.split(r"(\*\*\.|\*)", glob)))


def _unmatched(glob: str, what: str, paths: Iterable[str]) -> InsightError:
    near = get_close_matches(glob, list(dict.fromkeys(paths)), n=1)
    return InsightError(f"layers: `{glob}` matches no {what}", f"did you mean `{near[0]}`?" if near else "")
