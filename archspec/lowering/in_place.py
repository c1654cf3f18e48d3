"""Relus write over a value that nothing needs any more.

Sums do not: in place, they would keep the type of their first value, where autocast has made it a narrow one.
"""

from __future__ import annotations

from torch import fx
from torch.nn import functional as F

from archspec.graph.graph import Graph
from archspec.lowering.emitter import Emitter

FRESH = {"conv2d", "depthwise_conv2d", "conv_transpose2d", "linear", "batch_norm2d", "add", "concat", "max_pool2d"}
"""Ops whose output is new memory that their own backward does not need."""


def in_place(emitter: Emitter, graph: Graph) -> int:
    """Make relus work in place where their input is new memory and nothing else reads it. Returns how many."""
    done = 0
    for node in list(emitter.graph.nodes):
        if node.op != "call_function" or not node.args or not _is_dead_after(node.args[0], node, graph):
            continue
        if node.target is F.relu and len(node.args) == 1 and not node.kwargs:
            node.kwargs = {"inplace": True}
            done += 1
    return done


def _is_dead_after(value: object, reader: fx.Node, graph: Graph) -> bool:
    if not isinstance(value, fx.Node) or list(value.users) != [reader] or reader.args.count(value) > 1:
        return False
    layer = graph[value.meta["layer"]]
    return layer.op in FRESH and not layer.saves.output
