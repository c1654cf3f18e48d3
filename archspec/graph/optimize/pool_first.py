"""Take the maximum first and the positive part of it then: max(relu(x)) = relu(max(x)), on a smaller map.

Gradients are the same too: where a window has a positive value its maximum is the same element, and where it has none,
nothing goes back.
"""

from __future__ import annotations

from dataclasses import replace

from archspec.graph.graph import Graph, Node
from archspec.graph.optimize.change import Change, counted
from archspec.graph.optimize.rewiring import Rewiring


def pool_first(graph: Graph) -> Change:
    """The network with each relu that only a max pool reads behind that pool. Values and gradients are the same."""
    wiring = Rewiring(graph)
    moved = 0
    for relu in graph.layers:
        pool = wiring.only_reader(relu.name) if relu.op == "relu" and not relu.shares else None
        if pool is None or pool.op != "max_pool2d" or pool.shares or pool.place != relu.place:
            continue
        behind = wiring.free_name(f"{pool.name}_relu")
        wiring.drop(relu.name, relu.inputs[0])
        wiring.put(pool)
        wiring.put_after(pool.name, _behind(relu, pool, behind))
        moved += 1
    did = f"moved {counted(moved, 'relu')} behind max pools"
    return Change(wiring.done(), did=did) if moved else Change(graph)


def _behind(relu: Node, pool: Node, name: str) -> Node:
    return replace(relu, name=name, inputs=(pool.name,), shares="")
