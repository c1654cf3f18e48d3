"""The compact columns in which the ResNet paper compares networks: one line per layer, shortcuts as arcs beside.

Networks beside each other have layers of one size at the same height, as far as their order allows.
Source: He et al. 2015, figure 3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archspec.drawing.curve import arrow_head, path_text
from archspec.drawing.diagram import Box
from archspec.drawing.item import SMALL, Item
from archspec.drawing.layout import Layout, Placed, Route, Spacing
from archspec.drawing.paint import Painter, Panel, tooltip
from archspec.drawing.text import width_of
from archspec.graph.graph import Graph
from archspec.tensor import CHW

ROW = 18.0
"""Height of a layer."""
SIGN = 14.0
"""Across the circle of a sum."""
TEXT = 10.5
SIZES_WIDTH = 84.0
"""Left of the columns, for the output sizes."""
SPACING = Spacing(gap=14.0, bend_gap=16.0, row_gap=12.0, steep=0.0, most_row_gap=40.0, port_gap=10.0)
SIGNS = {"add": "+", "multiply": "×", "average": "÷", "maximum": "∨"}


def measure(item: Item) -> tuple[float, float]:
    """Width and height of a layer's line."""
    if item.box.op in SIGNS:
        return SIGN, SIGN
    return max(96.0, width_of(line_of(item.box), TEXT) + 16), ROW


def line_of(box: Box) -> str:
    """What a layer's line says."""
    if box.kind == "input":
        return box.label
    text = box.says if box.says and box.says != box.op else box.says or box.label
    return f"{text} × {box.count}" if box.count > 1 and "×" not in text.rsplit(" ", 2)[-2:] else text


def placed_columns(items: Sequence[tuple[Graph, Item]]) -> list[Placed]:
    """Every network in its place, with sizes at common heights. Errors: TooLarge"""
    layout = Layout(True, measure=measure, spacing=SPACING)
    return _aligned([layout.place(item) for _, item in items], [graph for graph, _ in items])


def size_of(placed: Placed, graph: Graph) -> tuple[int, int] | None:
    """Height and width of what a box gives; None for a vector."""
    shape = graph[placed.item.outs[-1]].shape
    return (shape.height, shape.width) if isinstance(shape, CHW) else None


def _sizes(placed: Placed, graph: Graph) -> list[tuple[tuple[int, int] | None, float]]:
    """The sizes of a column from the top, each with where it begins."""
    found: list[tuple[tuple[int, int] | None, float]] = []
    for box in sorted(placed.items, key=lambda box: (box.y, box.x)):
        size = size_of(box, graph)
        if not found or (found[-1][0] != size and all(size != seen for seen, _ in found)):
            found.append((size, box.y))
    return found


def _aligned(columns: list[Placed], graphs: list[Graph]) -> list[Placed]:
    """Columns with what is below moved down, so that layers of one size begin at one height in all of them."""
    if len(columns) < 2:
        return columns
    order = _common_order([[size for size, _ in _sizes(*pair)] for pair in zip(columns, graphs, strict=True)])
    for size in order:
        starts = [dict(_sizes(*pair)).get(size) for pair in zip(columns, graphs, strict=True)]
        lowest = max(start for start in starts if start is not None)
        columns = [
            column if start is None or start == lowest else _lowered(column, start, lowest - start)
            for column, start in zip(columns, starts, strict=True)
        ]
    return columns


def _common_order(
    lists: list[list[tuple[int, int] | None]],
) -> list[tuple[int, int] | None]:
    """Sizes that several columns have, from large to small, vectors last."""
    found = {size for sizes in lists for size in sizes if sum(size in other for other in lists) > 1}
    return sorted(found, key=lambda size: (size is None, -(size[0] * size[1]) if size else 0))


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
            self._arc(route)
        shades = {size: n for n, size in enumerate(dict.fromkeys(size_of(box, panel.graph) for box in placed.items))}
        for box in placed.items:
            self._line(box, shades[size_of(box, panel.graph)])

    @property
    def left_room(self) -> float:
        return SIZES_WIDTH

    def beside(self, panels: Sequence[Panel], pictures: Sequence[Placed], x: float) -> None:
        """The output sizes, each where the first column that has it does."""
        first: dict[str, float] = {}
        for panel, placed in zip(panels, pictures, strict=True):
            for size, y in _sizes(placed, panel.graph):
                said = "1" if size is None else str(size[0]) if size[0] == size[1] else f"{size[0]}×{size[1]}"
                first[said] = min(first.get(said, y), y)
        below = float("-inf")
        for said, y in sorted(first.items(), key=lambda pair: pair[1]):
            if y > below:
                for number, text in enumerate(("output", f"size: {said}")):
                    at = (x, y + ROW / 2 + number * 12)
                    self.out.text(at, text, size=SMALL, fill=self.theme.muted, anchor="start")
                below = y + 26

    def _arc(self, route: Route) -> None:
        colour, dotted = self.theme.wire, route.mark == "dotted" or route.dashed
        self.out.element(
            "path", d=path_text(route), fill="none", stroke=colour, stroke_width=1.1,
            stroke_dasharray="2.5 2.5" if dotted else None,
        )  # fmt: skip
        self.out.polygon(arrow_head(route), fill=colour)

    def _line(self, placed: Placed, shade: int) -> None:
        box, out, theme = placed.item.box, self.out, self.theme
        fill, line = self._colours(box)
        out.open("g")
        out.title(tooltip(box, self.panel.graph, self.panel.costs))
        middle = (placed.x + placed.width / 2, placed.y + placed.height / 2)
        if box.op in SIGNS:
            out.element("circle", cx=middle[0], cy=middle[1], r=placed.height / 2, fill=theme.background, stroke=line)
            out.text(middle, SIGNS[box.op], size=TEXT, fill=theme.text)
        else:
            if box.count > 1:
                corner = (placed.x + 2, placed.y + 2)
                out.rectangle(corner, (placed.width, placed.height), fill=fill, line=line, round=2)
            out.rectangle(
                (placed.x, placed.y), (placed.width, placed.height), fill=fill, line=line, round=2,
                dashed=box.training_only,
            )  # fmt: skip
            ink = theme.on(fill) if self.heat else theme.text
            out.text(middle, line_of(box), size=TEXT, fill=ink)
        out.close("g")
