"""Receptive fields: how much of the input one place of a feature map sees, and where.

Along each axis a field is three numbers, in pixels of the input: where the first place's view begins and ends, and the
step from one place to the next. A window widens and steps it; where branches meet, it spans all of them.
Padding counts as if it were image, as the papers do. Behind a transposed convolution or upsampling, whose places do
not all see equally many pixels, the numbers are those of the place that sees most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from archspec.graph.graph import Graph, Node
from archspec.tensor import CHW

Pixels = int | Fraction


@dataclass(frozen=True, slots=True)
class Field:
    """Along one axis: what the first place sees, in pixels of the input, and the step to the next place."""

    first: Pixels = 0
    last: Pixels = 0
    step: Pixels = 1

    @property
    def size(self) -> int:
        return floor(self.last - self.first) + 1

    def through(self, extent: int, stride: int, padding: int, spread: int) -> Field:
        """The field after a window of `extent` pixels on the input spread out by a factor."""
        step = self.step if spread == 1 else whole(Fraction(self.step) / spread)
        first = self.first - padding * step
        return Field(first, first + (extent - 1) * step + self.last - self.first, step * stride)

    def over(self, places: int) -> Field:
        """The field of a value that sees every place."""
        return Field(self.first, self.last + (places - 1) * self.step, self.step)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one place sees of the input: (height, width) pairs, in pixels.

    Place i of a map sees `size` pixels from `i * stride - padding`.
    """

    size: tuple[int, int]
    stride: tuple[float, float]
    """Effective stride: pixels from one place to the next; less than 1 behind upsampling."""
    padding: tuple[float, float]
    """Effective padding: pixels of the first place's view that lie before the image."""


def receptive_fields(graph: Graph) -> Mapping[str, ReceptiveField | None]:
    """The receptive field of every node that sees a feature map; None for the others."""
    known: dict[str, tuple[Field, Field] | None] = {}
    for node in graph:
        known[node.name] = _fields(node, graph, known)
    return {name: _public(*fields) if fields else None for name, fields in known.items()}


def _public(height: Field, width: Field) -> ReceptiveField:
    return ReceptiveField(
        (height.size, width.size),
        (_number(height.step), _number(width.step)),
        (_number(-height.first), _number(-width.first)),
    )


def _fields(node: Node, graph: Graph, known: Mapping[str, tuple[Field, Field] | None]) -> tuple[Field, Field] | None:
    if node.block is None:
        return (Field(), Field()) if isinstance(node.shape, CHW) else None
    seen = [fields for name in node.inputs if (fields := known[name]) is not None]
    if not seen:
        return None
    height, width = (_span([fields[axis] for fields in seen]) for axis in (0, 1))
    source = graph[node.inputs[0]].shape
    if node.window is not None:
        window = node.window
        height = height.through(window.extent[0], window.stride[0], window.padding.top, window.spread[0])
        width = width.through(window.extent[1], window.stride[1], window.padding.left, window.spread[1])
    elif isinstance(source, CHW) and not isinstance(node.shape, CHW):
        height, width = height.over(source.height), width.over(source.width)
    return height, width


def _span(fields: list[Field]) -> Field:
    """Everything that any branch sees."""
    if len(fields) == 1:
        return fields[0]
    step = max(field.step for field in fields)
    return Field(min(field.first for field in fields), max(field.last for field in fields), step)


def whole(number: Fraction) -> Pixels:
    """A whole fraction as an int."""
    return number.numerator if number.denominator == 1 else number


def _number(pixels: Pixels) -> float:
    return int(pixels) if pixels == int(pixels) else float(pixels)
