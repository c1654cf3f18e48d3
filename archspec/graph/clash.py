"""Which branch is to blame when the shapes of several inputs do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from archspec.errors import BlockError, ShapeError
from archspec.graph.graph import Node
from archspec.graph.scope import Flow
from archspec.tensor import CHW, by


def blame(nodes: Mapping[str, Node], inputs: tuple[Flow, ...], error: BlockError) -> str:
    """A hint that names every input with its shape and line, and what changed the odd one's size; or nothing."""
    if not isinstance(error, ShapeError) or len(inputs) < 2:
        return ""
    listed = "; ".join(f"{flow.node} is {flow.shape} (line {nodes[flow.node].position.line})" for flow in inputs)
    culprit = _culprit(nodes, inputs)
    return f"{listed}. {culprit}" if culprit else listed


def _culprit(nodes: Mapping[str, Node], inputs: tuple[Flow, ...]) -> str:
    """The layer on the odd input's way that changed height x width, where most others agree."""
    sizes = [(flow.shape.height, flow.shape.width) if isinstance(flow.shape, CHW) else None for flow in inputs]
    usual, times = Counter(sizes).most_common(1)[0]
    odd = [flow.node for flow, size in zip(inputs, sizes, strict=True) if size != usual]
    if usual is None or len(odd) != 1 or (times == 1 and len(inputs) > 2):
        return ""
    others = {name for flow in inputs if flow.node not in odd for name in _way(nodes, flow.node)}
    for name in _way(nodes, odd[0]):
        node = nodes[name]
        if name in others or not node.inputs:
            break
        before = nodes[node.inputs[0]].shape
        if isinstance(before, CHW) and isinstance(node.shape, CHW) and before.dims[1:] != node.shape.dims[1:]:
            change = f"{before.height}x{before.width} into {node.shape.height}x{node.shape.width}"
            return f"{name} makes {change} (line {node.position.line}); a branch must keep {by(usual)}"
    return ""


def _way(nodes: Mapping[str, Node], name: str) -> list[str]:
    """The nodes back from one along first inputs."""
    way = [name]
    while nodes[way[-1]].inputs:
        way.append(nodes[way[-1]].inputs[0])
    return way
