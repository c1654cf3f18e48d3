"""Passes that a user can ask for: functions Graph -> Graph, each in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph

PASSES: dict[str, str] = {
    "fully-convolutional": "archspec.graph.passes.fully_convolutional:fully_convolutional",
}
"""name -> module:function."""


def apply(graph: Graph, names: Iterable[str]) -> Graph:
    """A graph after some passes, in the order of their names. Errors: SpecError, also of each pass"""
    for function in [_function(name) for name in names]:
        graph = function(graph)
    return graph


def _function(name: str) -> Callable[[Graph], Graph]:
    if name not in PASSES:
        hint = did_you_mean(name, PASSES, "passes")
        raise SpecError([Problem("unknown-pass", f"there is no pass `{name}`", hint=hint)])
    module, _, function = PASSES[name].partition(":")
    found: Callable[[Graph], Graph] = getattr(import_module(module), function)
    return found
