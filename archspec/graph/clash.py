"""Which branch is to blame when the shapes of several inputs do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from archspec.errors import BlockError, Position, ShapeError
from archspec.graph.graph import Group, Node
from archspec.graph.scope import Flow
from archspec.tensor import CHW, by


@dataclass(frozen=True)
class Clash:
    """A layer whose inputs do not fit, as seen from the block or group that it is written in."""

    nodes: Mapping[str, Node]
    groups: Mapping[str, Group]
    inside: str
    """What the paths of its neighbours begin with."""
    position: Position
    inputs: tuple[Flow, ...]

    def hint(self, error: BlockError) -> str:
        """Every input with its shape and line, and what changed the odd one's size; or nothing."""
        if not isinstance(error, ShapeError) or len(self.inputs) < 2:
            return ""
        listed = [f"{self._neighbour(flow.node)} is {flow.shape} {self._line(flow.node)}" for flow in self.inputs]
        culprit = self._culprit()
        return "; ".join(listed) + (f"; {culprit}" if culprit else "")

    def _neighbour(self, name: str) -> str:
        """The branch that a node belongs to, as the layer's own block names it."""
        if not name.startswith(self.inside):
            return name
        return self.inside + name[len(self.inside) :].split(".")[0]

    def _line(self, name: str) -> str:
        neighbour = self._neighbour(name)
        position = (self.groups.get(neighbour) or self.nodes[name]).position
        same = position.source.name == self.position.source.name
        return f"(line {position.line})" if same else f"({position.source.name}:{position.line})"

    def _culprit(self) -> str:
        """The branch on which height x width changed, where all others agree."""
        sizes = [(flow.shape.height, flow.shape.width) if isinstance(flow.shape, CHW) else None for flow in self.inputs]
        usual, times = Counter(sizes).most_common(1)[0]
        odd = [flow.node for flow, size in zip(self.inputs, sizes, strict=True) if size != usual]
        if usual is None or len(odd) != 1 or (times == 1 and len(self.inputs) > 2):
            return ""
        others = {name for flow in self.inputs if flow.node not in odd for name in self._way(flow.node)}
        for name in self._way(odd[0]):
            node = self.nodes[name]
            if name in others or not node.inputs:
                break
            before = self.nodes[node.inputs[0]].shape
            if isinstance(before, CHW) and isinstance(node.shape, CHW) and before.dims[1:] != node.shape.dims[1:]:
                change = f"{before.height}x{before.width} into {node.shape.height}x{node.shape.width}"
                return f"{self._neighbour(name)} makes {change} {self._line(name)}, a branch must keep {by(usual)}"
        return ""

    def _way(self, name: str) -> list[str]:
        """The nodes back from one along first inputs."""
        way = [name]
        while self.nodes[way[-1]].inputs:
            way.append(self.nodes[way[-1]].inputs[0])
        return way
