"""Feature maps as volumes, as the AlexNet paper draws its network: boxes as high, wide and deep as the maps are.

The front's height follows the map's height, the depth its width, and the thickness its channels, each by its square
root, so that 224 and 7 pixels, and 3 and 2048 channels, go into one picture. Inside a volume the first window of the
layer that reads it is drawn, with lines to the place it makes. A vector is a thin bar.
Source: Krizhevsky, Sutskever, Hinton 2012, figure 2
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from archspec.drawing.diagram import times
from archspec.drawing.item import SAYS, SMALL, Item
from archspec.drawing.label import shape_text
from archspec.drawing.layout import Layout, Placed, Point, Route, Spacing
from archspec.drawing.paint import Painter, Panel
from archspec.drawing.svg import number
from archspec.drawing.text import shortened, width_of
from archspec.drawing.theme import Theme
from archspec.drawing.words import tooltip
from archspec.graph.graph import Graph
from archspec.tensor import CHW

TALLEST = 150.0
"""Height of the largest map, in pixels."""
LEAST = 9.0
THICKEST = 64.0
SLANT = (0.32, 0.26)
"""How far a volume's depth leads to the right and up, as a part of its width's length."""
BAR = 9.0
"""Thickness of a vector."""
CAPTION = 13.0
"""Height of a line below."""
WIDEST_CAPTION = 120.0
SPACING = Spacing(gap=22.0, bend_gap=14.0, row_gap=22.0, steep=0.12, most_row_gap=60.0, port_gap=10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Pixels of sizes and channels: the largest of a network take the most."""

    size: int
    channels: int
    features: int

    @staticmethod
    def of(pictures: Iterable[tuple[Graph, Item]]) -> Scale:
        """The scale of networks that are drawn beside each other."""
        shapes = [graph[box.box.value].shape for graph, item in pictures for box in item.items]
        maps = [shape for shape in shapes if isinstance(shape, CHW)]
        return Scale(
            max((max(shape.height, shape.width) for shape in maps), default=1),
            max((shape.channels for shape in maps), default=1),
            max((shape.size for shape in shapes if not isinstance(shape, CHW)), default=1),
        )

    def length(self, pixels: int) -> float:
        """Pixels of the picture for those of a map."""
        return max(LEAST, TALLEST * sqrt(pixels / self.size))

    def solid(self, item: Item, graph: Graph) -> tuple[float, float, float]:
        """Thickness, height and the length of the depth of a box's volume."""
        shape = graph[item.box.value].shape
        if isinstance(shape, CHW):
            thick = max(4.0, THICKEST * sqrt(shape.channels / self.channels))
            return thick, self.length(shape.height), self.length(shape.width)
        return BAR, max(24.0, TALLEST * sqrt(shape.size / self.features)), 10.0


def captions(item: Item, graph: Graph) -> list[tuple[str, float]]:
    """The lines below a volume, with their sizes."""
    box = item.box
    says = box.label if box.kind == "input" else times(box.says or box.label, box.count)
    parts, lines = says.split(", "), [""]
    for place, part in enumerate(parts):
        piece = part + ("," if place + 1 < len(parts) else "")
        longer = f"{lines[-1]} {piece}".strip()
        if lines[-1] and width_of(longer, SAYS) > WIDEST_CAPTION:
            lines.append(piece)
        else:
            lines[-1] = longer
    found = [(line, SAYS) for line in lines] + [(shape_text(graph[box.value].shape), SMALL)]
    return [(shortened(text, size, WIDEST_CAPTION), size) for text, size in found]


@dataclass(frozen=True)
class VolumeMeasure:
    """How much room a volume takes, its captions included."""

    scale: Scale
    graph: Graph

    def __call__(self, item: Item) -> tuple[float, float]:
        thick, high, deep = self.scale.solid(item, self.graph)
        lines = captions(item, self.graph)
        width = max(thick + deep * SLANT[0], *(width_of(text, size) for text, size in lines)) + 4
        return width, 2 * max(high / 2 + deep * SLANT[1], high / 2 + len(lines) * CAPTION + 6)


def placed_volumes(items: Sequence[tuple[Graph, Item]]) -> list[Placed]:
    """Every network in its place, all to one scale. Errors: TooLarge"""
    scale = Scale.of(items)
    return [Layout(False, measure=VolumeMeasure(scale, graph), spacing=SPACING).place(item) for graph, item in items]


@dataclass
class VolumePainter(Painter):
    """Draws volumes."""

    scale: Scale = Scale(1, 1, 1)

    def svg(self, panels: Sequence[Panel]) -> str:
        self.scale = Scale.of([(panel.graph, panel.placed.item) for panel in panels])
        return super().svg(panels)

    def picture(self, panel: Panel, placed: Placed) -> None:
        boxes = {box.item.box.path: box for box in placed.items}
        for route in placed.routes:
            self.line(
                self._reaching(route, boxes), thick=1, dashes="4 3" if route.dashed or route.mark == "dotted" else None
            )
        for box in placed.items:
            self._volume(box)
        for route in placed.routes:
            self._window(boxes[route.source], boxes[route.target])

    def _window(self, source: Placed, target: Placed) -> None:
        """The first window that a layer slides over a volume, on the side that shows its height and width."""
        node, shape = target.item.box.main_layer, self.panel.graph[source.item.box.value].shape
        if node is None or node.window is None or not isinstance(shape, CHW) or node.window.extent == (1, 1):
            return
        (_, right), (top, bottom), (across, up) = self._span(source)
        parts = [
            min(1.0, pixels / size)
            for pixels, size in zip(node.window.extent, (shape.height, shape.width), strict=True)
        ]
        if max(parts) > 0.9 or bottom - top < 12:
            return
        high, deep = (bottom - top) * parts[0], parts[1]
        x, y = right - across * (0.3 + deep), top + (bottom - top) * 0.3 - up * 0.3
        window = [(x, y), (x + across * deep, y - up * deep), (x + across * deep, y - up * deep + high), (x, y + high)]
        (left, _), (target_top, target_bottom), _ = self._span(target)
        tip = (left, target_top + (target_bottom - target_top) * 0.3)
        for point in window[1:3]:
            self.out.element(
                "path", d=f"M{number(point[0])} {number(point[1])}L{number(tip[0])} {number(tip[1])}",
                fill="none", stroke=self.theme.muted, stroke_width=0.6,
            )  # fmt: skip
        self.out.polygon(window, fill=self.theme.families[target.item.box.family][0], line=self.theme.muted)

    def _reaching(self, route: Route, boxes: Mapping[str, Placed]) -> Route:
        """A wire from left to right that begins and ends at the volumes instead of their captions."""
        points = list(route.points)
        start, _, _ = self._span(boxes[route.source])
        points[0] = (start[1] + 2, points[0][1])
        end, _, _ = self._span(boxes[route.target])
        place = len(points) - 1
        while place > 0 and points[place] == route.points[-1]:
            points[place] = (end[0] - 2, points[place][1])
            place -= 1
        return replace(route, points=tuple(points))

    def _span(self, placed: Placed) -> tuple[Point, Point, Point]:
        """Left and right, top and bottom of the front, and how far its depth leads."""
        thick, high, deep = self.scale.solid(placed.item, self.panel.graph)
        across, up = deep * SLANT[0], deep * SLANT[1]
        left = placed.x + (placed.width - thick - across) / 2
        middle = placed.y + placed.height / 2 + up / 2
        return (left, left + thick + across), (middle - high / 2, middle + high / 2), (across, up)

    def _volume(self, placed: Placed) -> None:
        item, graph, out, theme = placed.item, self.panel.graph, self.out, self.theme
        (left, right), (top, bottom), slant = self._span(placed)
        right -= slant[0]
        fill, line = self.colours.of(item.box, self.panel.costs)
        out.open("g")
        out.title(tooltip(item.box, graph, self.panel.costs))
        for points, face in _faces(left, right, top, bottom, slant, fill, theme):
            out.polygon(points, fill=face, line=line)
        y = bottom + 10
        for text, size in captions(item, graph):
            colour = theme.text if size == SAYS else theme.muted
            out.text((placed.x + placed.width / 2, y), text, size=size, fill=colour)
            y += CAPTION
        out.close("g")


def _faces(
    left: float, right: float, top: float, bottom: float, slant: Point, fill: str, theme: Theme
) -> list[tuple[list[Point], str]]:
    """Front, side and top of a volume."""
    across, up = slant
    front = [(left, top), (right, top), (right, bottom), (left, bottom)]
    side = [(right, top), (right + across, top - up), (right + across, bottom - up), (right, bottom)]
    lid = [(left, top), (left + across, top - up), (right + across, top - up), (right, top)]
    return [(side, theme.shaded(fill, 0.12)), (lid, theme.shaded(fill, -0.35)), (front, fill)]
