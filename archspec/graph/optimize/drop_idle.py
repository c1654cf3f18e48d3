"""Take out layers that do nothing: identities, and dropout where it drops nothing."""

from __future__ import annotations

from archspec.graph.graph import Graph, Node
from archspec.graph.optimize.change import Change, counted
from archspec.graph.optimize.rewiring import Rewiring

DROPOUTS = ("dropout", "dropout2d", "drop_path")


def drop_idle(graph: Graph, training: bool) -> Change:
    """The network without them. In evaluation every dropout is idle, in training only one with p = 0.

    One that is an output and reads an input of the network stays.
    """
    wiring = Rewiring(graph)
    inputs = {node.name for node in graph.inputs}
    dropped = 0
    for node in graph.layers:
        source = wiring.resolved(node.inputs[0]) if node.inputs else ""
        if _is_idle(node, training) and not (node.name in wiring.outputs and source in inputs):
            wiring.drop(node.name, source)
            dropped += 1
    return Change(wiring.done(), did=f"took out {counted(dropped, 'idle layer')}") if dropped else Change(graph)


def _is_idle(node: Node, training: bool) -> bool:
    if len(node.inputs) != 1 or node.shares:
        return node.op in DROPOUTS and not training and len(node.inputs) == 1
    return node.op == "identity" or (node.op in DROPOUTS and (not training or not getattr(node.block, "p", 1)))
