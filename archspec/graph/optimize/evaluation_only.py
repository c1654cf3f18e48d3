"""Leave out what evaluation does not compute: auxiliary heads, and all that only they read."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.graph.optimize.change import Change, counted


def evaluation_only(graph: Graph) -> Change:
    """The network of evaluation. Its outputs are the same."""
    kept = graph.inference()
    left = len(graph) - len(kept)
    return Change(kept, did=f"left out {counted(left, 'layer')} that only training computes" if left else "")
