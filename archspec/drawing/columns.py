"""The compact columns in which the ResNet paper compares networks: one line per layer, shortcuts as arcs beside.

Networks beside each other have layers of one size at the same height, as far as their order allows.
Source: He et al. 2015, figure 3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archspec.drawing.compact import trunk
from archspec.drawing.diagram import Box, times
from archspec.drawing.item import SMALL, Item
from archspec.drawing.layout import Layout, Placed, Spacing
from archspec.drawing.paint import Painter, Panel
from archspec.drawing.text import width_of
from archspec.drawing.words import tooltip
from archspec.graph.graph import Graph

ROW = 18.0
"""Height of a layer."""
SIGN = 14.0
"""Across the circle of a sum."""
TEXT = 10.5
SIZES_WIDTH = 84.0
"""Left of the columns, for the output sizes."""
SPACING = Spacing(gap=14.0, bend_gap=16.0, row_gap=12.0, steep=0.0, most_row_gap=40.0, port_gap=10.0)
SIGNS = {"add": "+", "multiply": "×", "average": "avg", "maximum": "max"}


def measure(item: Item) -> tuple[float, float]:
    """Width and height of a layer's line."""
    if item.box.op in SIGNS:
        return max(SIGN, width_of(SIGNS[item.box.op], TEXT) + 8), SIGN
    return max(96.0, width_of(line_of(item.box), TEXT) + 16), ROW


def line_of(box: Box) -> str:
    """What a layer's line says."""
    if box.kind == "input":
        return box.label
    return times(box.says or box.label, box.count)


def placed_columns(items: Sequence[tuple[Graph, Item]]) -> list[Placed]:
    """Every network in its place, with sizes at common heights. Errors: TooLarge"""
    layout = Layout(True, measure=measure, spacing=SPACING)
    return _aligned([layout.place(item) for _, item in items], [graph for graph, _ in items])


Size = tuple[int, ...]
"""How large a value is besides its channels: height and width; nothing of a vector."""


def size_of(placed: Placed, graph: Graph) -> Size:
    """The size of what a box gives."""
    return tuple(graph[placed.item.box.value].shape.places.values())


def _sizes(placed: Placed, graph: Graph) -> list[tuple[Size, float]]:
    """The sizes along a column's trunk, each with where it begins; one may come back."""
    boxes = {box.item.box.path: box for box in placed.items}
    found: list[tuple[Size, float]] = []
    for item in trunk(placed.item):
        box = boxes[item.box.path]
        size = size_of(box, graph)
        if not found or size != found[-1][0]:
            found.append((size, box.y))
    return found


def _firsts(placed: Placed, graph: Graph) -> dict[Size, float]:
    """Size -> where it first begins."""
    found: dict[Size, float] = {}
    for size, y in _sizes(placed, graph):
        found.setdefault(size, y)
    return found


def _aligned(columns: list[Placed], graphs: list[Graph]) -> list[Placed]:
    """Columns with what is below moved down, so that layers of one size begin at one height in all of them."""
    if len(columns) < 2:
        return columns
    order = _common_order([_firsts(*pair) for pair in zip(columns, graphs, strict=True)])
    for size in order:
        starts = [_firsts(*pair).get(size) for pair in zip(columns, graphs, strict=True)]
        lowest = max(start for start in starts if start is not None)
        columns = [
            column if start is None or start == lowest else _lowered(column, start, lowest - start)
            for column, start in zip(columns, starts, strict=True)
        ]
    return columns


def _common_order(lists: Sequence[Mapping[Size, float]]) -> list[Size]:
    """Sizes that several columns have, from large to small, vectors last."""
    found = {size for sizes in lists for size in sizes if sum(size in other for other in lists) > 1}
    return sorted(found, key=lambda size: (-len(size), [-length for length in size]))


def _lowered(column: Placed, start: float, by: float) -> Placed:
    """A column with everything from a height on moved down."""

    def at(y: float) -> float:
        return y + by if y >= start - 0.01 else y

    items = tuple(replace(item, y=at(item.y)) for item in column.items)
    routes = tuple(replace(r, points=tuple((x, at(y)) for x, y in r.points)) for r in column.routes)
    return replace(column, height=column.height + by, items=items, routes=routes)


@dataclass
class ColumnPainter(Painter):
    """Draws columns."""

    def picture(self, panel: Panel, placed: Placed) -> None:
        for route in placed.routes:
            self.line(route, thick=1.1, dashes="2.5 2.5" if route.mark == "dotted" or route.dashed else None)
        for box in placed.items:
            self._line(box)

    @property
    def left_room(self) -> float:
        return SIZES_WIDTH

    def beside(self, panels: Sequence[Panel], pictures: Sequence[Placed], x: float) -> None:
        """The output sizes along the first column's trunk; those of the others are beside them where they agree."""
        below, last = float("-inf"), ""
        for size, y in _sizes(pictures[0], panels[0].graph):
            said = str(size[0]) if len(set(size)) == 1 else "×".join(map(str, size)) or "1"
            if y >= below and said != last:
                self.out.text((x, y + ROW / 2), f"output {said}", size=SMALL, fill=self.theme.muted, anchor="start")
                below, last = y + 12, said

    def _line(self, placed: Placed) -> None:
        box, out, theme = placed.item.box, self.out, self.theme
        fill, line = self.colours.of(box, self.panel.costs)
        out.open("g")
        out.title(tooltip(box, self.panel.graph, self.panel.costs))
        middle = (placed.x + placed.width / 2, placed.y + placed.height / 2)
        if box.op in SIGNS:
            corner, extent = (placed.x, placed.y), (placed.width, placed.height)
            out.rectangle(corner, extent, fill=theme.background, line=line, round=SIGN / 2)
            out.text(middle, SIGNS[box.op], size=TEXT, fill=theme.text)
        else:
            if box.count > 1:
                corner = (placed.x + 2, placed.y + 2)
                out.rectangle(corner, (placed.width, placed.height), fill=fill, line=line, round=2)
            out.rectangle(
                (placed.x, placed.y), (placed.width, placed.height), fill=fill, line=line, round=2,
                dashed=box.training_only,
            )  # fmt: skip
            out.text(middle, line_of(box), size=TEXT, fill=self.colours.ink(box, fill, strong=True))
        out.close("g")
