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
    relus = [node for node in emitter.graph.nodes if node.target is F.relu and len(node.args) == 1 and not node.kwargs]
    dead = [relu for relu in relus if _is_dead_after(relu.args[0], graph)]
    for relu in dead:
        relu.kwargs = {"inplace": True}
    return len(dead)


def _is_dead_after(value: object, graph: Graph) -> bool:
    """Whether the one reader of a value may write over it."""
    if not isinstance(value, fx.Node) or len(value.users) > 1:
        return False
    layer = graph[value.meta["layer"]]
    return layer.op in FRESH and not layer.saves.output
