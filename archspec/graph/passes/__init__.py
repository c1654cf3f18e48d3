"""Passes that a user can ask for: functions Graph -> Graph, each in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from archspec.errors import ArchspecError, PluginError, Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph
from archspec.plugins import Registry, known_home, went_wrong

Pass = Callable[[Graph], Graph]

BUILT_IN = {
    "fully-convolutional": "archspec.graph.passes.fully_convolutional:fully_convolutional",
}
"""name -> module:function."""


def refusal(name: str, found: object) -> str:
    """Why an object is not a pass, or nothing."""
    return "" if callable(found) else f"is no pass: a pass is a function from graph to graph, found {found!r}"


PASSES: Registry[Pass] = Registry("pass", BUILT_IN, refusal)
"""name -> function: built-in, or of plugins."""


def apply(graph: Graph, names: Iterable[str]) -> Graph:
    """A graph after some passes, in the order of their names. Errors: SpecError, also of each pass"""
    for name, function in [(name, _function(name)) for name in names]:
        try:
            graph = function(graph)
        except ArchspecError:
            raise
        except Exception as error:
            if name in PASSES.builtin:
                raise
            told = went_wrong(f"pass `{name}` of {PASSES.providers(name)[0]}", error)
            raise SpecError([told.problem()]) from error
        if not isinstance(graph, Graph):
            message = f"pass `{name}` must give a graph, found {graph!r}"
            raise SpecError([Problem("broken-plugin", message, hint=f"a mistake of {PASSES.providers(name)[0]}")])
    return graph


def _function(name: str) -> Pass:
    try:
        return PASSES[name]
    except KeyError:
        hint = known_home("pass", name) or did_you_mean(name, PASSES, "passes")
        raise SpecError([Problem("unknown-pass", f"there is no pass `{name}`", hint=hint)]) from None
    except PluginError as error:
        raise SpecError([error.problem()]) from error
