"""Passes that make a network faster and leave what it computes as it is; each in a file of its own.

A pass takes a graph and gives a `Change`: the new graph, how the tensors of the old one become those of the new, and
what it did. `MODES` says which are made for what, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from archspec.graph.graph import Graph
from archspec.graph.optimize.change import Change
from archspec.graph.optimize.drop_idle import drop_idle
from archspec.graph.optimize.evaluation_only import evaluation_only
from archspec.graph.optimize.fold_norms import fold_norms
from archspec.graph.optimize.fold_padding import fold_padding
from archspec.graph.optimize.merge_siblings import merge_siblings
from archspec.graph.optimize.pool_first import pool_first

MODES: dict[str, dict[str, Callable[[Graph], Change]]] = {
    "inference": {
        "evaluation-only": evaluation_only,
        "drop-idle": lambda graph: drop_idle(graph, training=False),
        "fold-padding": fold_padding,
        "fold-norms": fold_norms,
        "merge-siblings": merge_siblings,
    },
    "training": {
        "drop-idle": lambda graph: drop_idle(graph, training=True),
        "fold-padding": fold_padding,
        "pool-first": pool_first,
    },
}
"""mode -> its passes by name, in the order they are made."""


def changes(graph: Graph, mode: str, skip: Collection[str] = ()) -> Iterator[tuple[str, Change]]:
    """The passes of a mode but for some, one after another, each with what it changed."""
    for name, function in MODES[mode].items():
        if name in skip:
            continue
        change = function(graph)
        graph = change.graph
        yield name, change
