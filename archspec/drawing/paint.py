"""The usual picture: boxes with text in frames with headers, wires, a title and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archspec.drawing.colours import Colours
from archspec.drawing.curve import arrow_head, path_text
from archspec.drawing.item import HEADER_GAP, SAYS, SMALL, Costs
from archspec.drawing.label import shape_text
from archspec.drawing.layout import BOX_PAD, HEADER, LINE, PAD, STACK, Piece, Placed, Route, moved
from archspec.drawing.svg import Drawing
from archspec.drawing.text import shortened, width_of
from archspec.drawing.theme import Theme
from archspec.drawing.words import tooltip
from archspec.graph.graph import Graph

MARGIN = 16.0
TITLE = 15.0
SIDE = 36.0
"""Between pictures beside each other."""
SWATCH = 30.0
"""What a colour of the legend takes besides its name."""
LEGEND = 420.0
"""Width that a legend may give a narrow picture."""


@dataclass(frozen=True)
class Panel:
    """One network of a picture."""

    graph: Graph
    placed: Placed
    costs: Costs
    title: str
    subtitle: str


@dataclass
class Painter:
    """Draws placed networks beside each other."""

    colours: Colours
    bare: bool = False
    edge_shapes: bool = False
    transparent: bool = False
    out: Drawing = field(default_factory=Drawing)
    _panel: Panel | None = None

    @property
    def theme(self) -> Theme:
        """All colours there are."""
        return self.colours.theme

    def svg(self, panels: Sequence[Panel]) -> str:
        """The picture as a document."""
        boxes = [item.item.box for panel in panels for item in closed(panel.placed)]
        top = MARGIN + (0.0 if self.bare else 2 * TITLE + 14)
        widths = [self._width(panel) for panel in panels]
        legend = [] if self.bare else list(self.colours.legend(boxes))
        inside = sum(widths) + SIDE * (len(panels) - 1) + self.left_room
        width = max(inside, min(_legend_width(legend), LEGEND)) + 2 * MARGIN
        x = (width - inside) / 2 + self.left_room
        pictures = []
        for panel, wide in zip(panels, widths, strict=True):
            self._panel = panel
            if not self.bare:
                self._heading(panel, x)
            pictures.append(moved(panel.placed, x + (wide - panel.placed.width) / 2, top))
            self.picture(panel, pictures[-1])
            x += wide + SIDE
        self.beside(panels, pictures, (width - inside) / 2)
        height = top + max(panel.placed.height for panel in panels) + MARGIN
        if legend:
            height = self._draw_legend(legend, height + 4, width) + MARGIN
        background = None if self.transparent else self.theme.background
        title = ", ".join(panel.title for panel in panels)
        about = "; ".join(text for panel in panels for text in _about(panel) if text)
        return self.out.document(width, height, title, about, background)

    @property
    def left_room(self) -> float:
        """What `beside` takes, left of the first network."""
        return 0.0

    def picture(self, panel: Panel, placed: Placed) -> None:
        """Draw one network in its place."""
        self._inside(placed, 0)

    def beside(self, panels: Sequence[Panel], pictures: Sequence[Placed], x: float) -> None:
        """Draw what belongs to all networks together, from x on."""

    def _width(self, panel: Panel) -> float:
        heads = (width_of(self._title(panel), TITLE), width_of(panel.subtitle, SAYS))
        return panel.placed.width if self.bare else max(panel.placed.width, *heads)

    def _title(self, panel: Panel) -> str:
        """The title, no wider than the picture, or than a line that is easy to read."""
        return shortened(panel.title, TITLE, max(panel.placed.width, LEGEND))

    def _heading(self, panel: Panel, x: float) -> None:
        colours = self.theme
        self.out.text((x, MARGIN + TITLE / 2), self._title(panel), size=TITLE, fill=colours.text, anchor="start")
        self.out.text((x, MARGIN + TITLE * 1.8), panel.subtitle, size=SAYS, fill=colours.muted, anchor="start")

    @property
    def panel(self) -> Panel:
        """The network that is being drawn."""
        assert self._panel is not None
        return self._panel

    # Boxes.

    def _inside(self, placed: Placed, depth: int) -> None:
        """What is in a group: frames first, then wires, then boxes."""
        drawn: dict[bool, set[Piece]] = {False: set(), True: set()}
        for route in placed.routes:
            if not route.curves:  # wires of one value share their way at first: that is drawn once
                self._wire(route, drawn[route.dashed] if not route.mark else None)
        for item in placed.items:
            if item.item.open:
                self._frame(item, depth)
                self._inside(item, depth + 1)
            else:
                self._box(item)
        through = [route for route in placed.routes if route.curves]
        for route in through:  # they lead through frames, but below their headers
            self._wire(route)
        for item in opened(placed) if through else ():
            self._header(item)
        if self.edge_shapes:
            written: list[tuple[float, float, float]] = []
            for route in _one_per_value(placed.routes):
                self._edge_label(route, written)

    def _frame(self, placed: Placed, depth: int) -> None:
        item, theme, out = placed.item, self.theme, self.out
        corner, extent = (placed.x, placed.y), (placed.width, placed.height)
        line = theme.group_line
        if self.colours.comparing and item.box.mark.change in ("added", "removed"):
            line = theme.changes[item.box.mark.change][1]
        out.open("g")
        out.title(tooltip(item.box, self.panel.graph, self.panel.costs))
        self._stack(placed, theme.group[depth % 2], line)
        out.rectangle(corner, extent, fill=theme.group[depth % 2], line=line, round=5, dashed=item.box.training_only)
        self._header(placed)
        out.close("g")

    def _header(self, placed: Placed) -> None:
        item, theme, out = placed.item, self.theme, self.out
        out.rectangle((placed.x + 0.5, placed.y + 0.5), (placed.width - 1, HEADER - 0.5), fill=theme.header, round=4.5)
        at = placed.x + PAD
        for text in item.lines:
            colour = theme.text if text.role == "name" else theme.muted
            out.text((at, placed.y + HEADER / 2), text.text, size=text.size, fill=colour, anchor="start")
            at += text.width + HEADER_GAP

    def _stack(self, placed: Placed, fill: str, line: str) -> None:
        """The sheets behind a fold: it stands for several."""
        if placed.item.is_stack:
            for sheet in (2, 1):
                corner = (placed.x + sheet * STACK, placed.y + sheet * STACK)
                dashed = placed.item.box.training_only
                self.out.rectangle(corner, (placed.width, placed.height), fill=fill, line=line, round=4, dashed=dashed)

    def _box(self, placed: Placed) -> None:
        item, out = placed.item, self.out
        box = item.box
        fill, line = self.colours.of(box, self.panel.costs)
        corner, extent = (placed.x, placed.y), (placed.width, placed.height)
        pill = box.kind in ("input", "output")
        if item.faint:
            fill, line = self.theme.background, self.theme.group_line
        out.open("g")
        out.title(tooltip(box, self.panel.graph, self.panel.costs))
        self._stack(placed, fill, line)
        out.rectangle(corner, extent, fill=fill, line=line, round=12 if pill else 4, dashed=box.training_only)
        if box.is_group:  # a second outline: there is more inside
            inner = (placed.width - 5, placed.height - 5)
            out.rectangle((placed.x + 2.5, placed.y + 2.5), inner, fill="none", line=line, round=2.5, thick=0.6)
        for number, text in enumerate(item.lines):
            at = (placed.x + placed.width / 2, placed.y + BOX_PAD[1] + LINE * (number + 0.5))
            strong = text.role in ("name", "change") and not item.faint
            ink = self.theme.muted if item.faint else self.colours.ink(box, fill, strong=strong)
            out.text(at, text.text, size=text.size, fill=ink)
        out.close("g")

    # Wires.

    def _wire(self, route: Route, drawn: set[Piece] | None = None) -> None:
        self.out.open("g")
        self.out.title(f"{route.value}: {self.panel.graph[route.value].shape}")
        self.line(route, thick=1.2, dashes="4 3" if route.dashed or route.mark == "removed" else None, drawn=drawn)
        self.out.close("g")

    def line(self, route: Route, *, thick: float, dashes: str | None, drawn: set[Piece] | None = None) -> None:
        """A wire and its arrow; of pieces that are drawn already, nothing."""
        colour = self.colours.of_wire(route.mark)
        self.out.element(
            "path", d=path_text(route, drawn), fill="none", stroke=colour, stroke_width=thick, stroke_dasharray=dashes
        )
        if route.arrow:
            self.out.polygon(arrow_head(route), fill=colour)

    def _edge_label(self, route: Route, written: list[tuple[float, float, float]]) -> None:
        """Say what flows beside the beginning of a wire, unless another label is there already."""
        x, y = route.points[0]
        at = (x + 5, y + 9) if route.down else (x + 5, y - 7)
        text = shape_text(self.panel.graph[route.value].shape)
        right = at[0] + width_of(text, SMALL)
        if all(at[0] > most or right < least or abs(at[1] - height) > SMALL for least, most, height in written):
            written.append((at[0], right, at[1]))
            self.out.text(at, text, size=SMALL, fill=self.theme.muted, anchor="start", halo=self.theme.background)

    # Legend.

    def _draw_legend(self, legend: list[tuple[str, str, str]], y: float, width: float) -> float:
        """Draw it in lines; its lower end."""
        x = MARGIN
        for fill, line, name in legend:
            wide = width_of(name, SMALL) + SWATCH
            if x + wide > width - MARGIN + 12 and x > MARGIN:
                x, y = MARGIN, y + 16
            self.out.rectangle((x, y + 2), (10, 10), fill=fill, line=line, round=2)
            self.out.text((x + 15, y + 7), name, size=SMALL, fill=self.theme.muted, anchor="start")
            x += wide
        return y + 14


def _about(panel: Panel) -> tuple[str, ...]:
    """What the description of a picture says of a network."""
    return panel.subtitle, panel.graph.paper, panel.graph.description


def _legend_width(legend: list[tuple[str, str, str]]) -> float:
    return sum(width_of(name, SMALL) + SWATCH for _, _, name in legend)


def opened(placed: Placed) -> Iterator[Placed]:
    """Every open group of a picture."""
    for item in placed.items:
        if item.item.open:
            yield item
            yield from opened(item)


def closed(placed: Placed) -> Iterator[Placed]:
    """Every closed box of a picture."""
    for item in placed.items:
        if item.item.open:
            yield from closed(item)
        else:
            yield item


def _one_per_value(routes: tuple[Route, ...]) -> list[Route]:
    """One route of each value that leaves a box here."""
    ending = (route for route in reversed(routes) if route.source and route.target)
    return list({(route.source, route.value): route for route in ending}.values())
