"""Receptive fields: how much of the input one place of a feature map sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.graph.graph import Graph, Node
from archspec.tensor import CHW


@dataclass(frozen=True, slots=True)
class Field:
    """Along one axis: what the first place sees, in pixels of the input, and the step to the next place."""

    first: int = 0
    last: int = 0
    step: int = 1

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def through(self, extent: int, stride: int, padding: int) -> Field:
        """The field after a window of `extent` pixels."""
        first = self.first - padding * self.step
        return Field(first, first + (extent - 1) * self.step + self.last - self.first, self.step * stride)

    def over(self, places: int) -> Field:
        """The field of a value that sees every place."""
        return Field(self.first, self.last + (places - 1) * self.step, self.step)


Fields = tuple[Field, Field]


def receptive_fields(graph: Graph) -> Mapping[str, tuple[int, int] | None]:
    """Height and width of the receptive field of every node that sees a feature map; None for the others.

    Padding counts as if it were image, as the papers do. Where branches meet, the field spans all of them.
    """
    known: dict[str, Fields | None] = {}
    for node in graph:
        known[node.name] = _field(node, graph, known)
    return {name: (fields[0].size, fields[1].size) if fields else None for name, fields in known.items()}


def _field(node: Node, graph: Graph, known: Mapping[str, Fields | None]) -> Fields | None:
    if node.block is None:
        return (Field(), Field()) if isinstance(node.shape, CHW) else None
    seen = [fields for name in node.inputs if (fields := known[name]) is not None]
    if not seen:
        return None
    height, width = (_span([fields[axis] for fields in seen]) for axis in (0, 1))
    source = graph[node.inputs[0]].shape
    if node.window is not None:
        window = node.window
        height = height.through(window.extent[0], window.stride[0], window.padding.top)
        width = width.through(window.extent[1], window.stride[1], window.padding.left)
    elif isinstance(source, CHW) and not isinstance(node.shape, CHW):
        height, width = height.over(source.height), width.over(source.width)
    return height, width


def _span(fields: list[Field]) -> Field:
    """Everything that any branch sees."""
    step = max(field.step for field in fields)
    return Field(min(field.first for field in fields), max(field.last for field in fields), step)
