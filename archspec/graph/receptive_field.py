"""Receptive fields: how much of the input one place of a feature map sees, and where.

Along each axis a field says which pixels each place sees, from a first to a last: place i + period sees what place i
sees, moved by a whole number of pixels. The period is 1 until a transposed convolution or an upsampling, behind which
places do not all see equally many pixels. A window reads the fields of the places under its taps; where branches meet,
a field spans all of them. A value with one place that is read at every place, as a gate is, sees the same everywhere.

Padding counts as if it were image, as the papers do. Norms count as acting on each place alone, though some take their
statistics from the whole map. Adaptive pooling that does not divide the map is taken at its widest window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd, lcm

from archspec.graph.graph import Graph, Node
from archspec.tensor import CHW, Vector, Window

LONGEST = 1024
"""Periods beyond this are taken at the place that sees most."""

View = tuple[int, int]
"""The first and the last pixel that a place sees."""
NOTHING: View = (1, 0)


@dataclass(frozen=True, slots=True)
class Field:
    """What the places of a map see along one axis."""

    views: tuple[View, ...] = ((0, 0),)
    """Of the first places, one period of them."""
    shift: int = 1
    """Pixels from one period to the next."""
    fixed: bool = False
    """Whether every place sees the same."""

    @property
    def size(self) -> int:
        return max(last - first + 1 for first, last in self.views)

    @property
    def step(self) -> float:
        """Pixels from one place to the next, in the mean."""
        return self.shift / len(self.views) if self.shift % len(self.views) else self.shift // len(self.views)

    def view(self, place: int) -> View:
        if self.fixed:
            return self.views[0]
        periods, number = divmod(place, len(self.views))
        first, last = self.views[number]
        return first + periods * self.shift, last + periods * self.shift

    def through(self, window: Window, axis: int) -> Field:
        """The field after a window."""
        stride, spread = window.stride[axis], window.spread[axis]
        before = (window.padding.top, window.padding.left)[axis]
        whole = len(self.views) * spread  # the period on the spread-out grid
        period = whole // gcd(whole, stride)
        shift = stride * period * self.shift // whole
        if self.fixed or period > LONGEST:
            return Field((self._most(),), round(stride * self.step / spread), self.fixed)
        taps = range(0, window.extent[axis], window.dilation[axis])
        if spread == 1 and period == 1:
            taps = range(0, window.extent[axis], max(1, window.extent[axis] - 1))  # the ends are enough
        views = []
        for place in range(period):
            at = (place * stride - before + tap for tap in taps)
            seen = [self.view(tap // spread) for tap in at if tap % spread == 0]
            views.append(_union(seen))
        return Field(tuple(views), shift)

    def over(self, places: int) -> Field:
        """The field of a value that sees every place."""
        return replace(self, views=(_union([self.view(0), self.view(places - 1), *self.views]),))

    def _most(self) -> View:
        return max(self.views, key=lambda view: view[1] - view[0])


def _union(views: list[View]) -> View:
    seen = [view for view in views if view[0] <= view[1]]
    return (min(view[0] for view in seen), max(view[1] for view in seen)) if seen else NOTHING


def span(fields: list[Field]) -> Field:
    """Everything that any branch sees."""
    if len(fields) == 1:
        return fields[0]
    if any(field.fixed for field in fields):
        view = _union([view for field in fields for view in field.views])
        return Field((view,), max(round(field.step) for field in fields), fixed=True)
    period = lcm(*(len(field.views) for field in fields))
    shifts = {period // len(field.views) * field.shift for field in fields}
    if len(shifts) > 1 or period > LONGEST:
        widest = max(fields, key=lambda field: field.step)
        return Field((_union([field.view(0) for field in fields]),), max(1, round(widest.step)))
    views = tuple(_union([field.view(place) for field in fields]) for place in range(period))
    return Field(views, shifts.pop())


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one place sees of the input: (height, width) pairs, in pixels.

    Place i of a map sees `size` pixels from `i * stride - padding`; behind upsampling, about there.
    """

    size: tuple[int, int]
    stride: tuple[float, float]
    """Effective stride: pixels from one place to the next; less than 1 behind upsampling."""
    padding: tuple[int, int]
    """Effective padding: pixels of the first place's view that lie before the image."""
    fixed: bool = False
    """Whether every place sees the same, as behind a gate that looks at the whole map."""


def receptive_fields(graph: Graph) -> Mapping[str, ReceptiveField | None]:
    """The receptive field of every node that sees a feature map; None for the others."""
    known: dict[str, tuple[Field, Field] | None] = {}
    for node in graph:
        known[node.name] = _fields(node, graph, known)
    return {name: _public(*fields) if fields else None for name, fields in known.items()}


def _public(height: Field, width: Field) -> ReceptiveField:
    return ReceptiveField(
        (height.size, width.size),
        (height.step, width.step),
        (-height.views[0][0], -width.views[0][0]),
        height.fixed or width.fixed,
    )


def _fields(node: Node, graph: Graph, known: Mapping[str, tuple[Field, Field] | None]) -> tuple[Field, Field] | None:
    if node.block is None:
        return (Field(), Field()) if isinstance(node.shape, CHW) else None
    if not isinstance(node.shape, CHW | Vector):
        return None  # the places of other kinds are on no grid of pixels
    height, width = _read(node, graph, known, 0), _read(node, graph, known, 1)
    if height is None or width is None:
        return None
    source = graph[node.inputs[0]].shape
    if node.window is not None:
        return height.through(node.window, 0), width.through(node.window, 1)
    if isinstance(source, CHW) and not isinstance(node.shape, CHW):
        return height.over(source.height), width.over(source.width)
    return height, width


def _read(node: Node, graph: Graph, known: Mapping[str, tuple[Field, Field] | None], axis: int) -> Field | None:
    """What a layer reads along an axis, from all its inputs."""
    found = []
    for name in node.inputs:
        fields = known[name]
        if fields is None:
            continue
        field, read = fields[axis], graph[name].shape
        if isinstance(read, CHW) and isinstance(node.shape, CHW):
            places, made = (read.height, node.shape.height) if axis == 0 else (read.width, node.shape.width)
            if places == 1 and made > 1:
                field = replace(field, views=field.views[:1], shift=0, fixed=True)
        found.append(field)
    return span(found) if found else None
