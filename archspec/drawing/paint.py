"""The usual picture: boxes with text in frames with headers, wires, a title and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from archspec.drawing.curve import arrow_head, path_text
from archspec.drawing.diagram import Box
from archspec.drawing.item import SAYS, SMALL, Cost, Costs, Item, Line
from archspec.drawing.layout import BOX_PAD, HEADER, LINE, PAD, STACK, Piece, Placed, Route, moved
from archspec.drawing.svg import Drawing
from archspec.drawing.text import width_of
from archspec.drawing.theme import Theme
from archspec.errors import Position
from archspec.graph.graph import Graph
from archspec.views.listing import short
from archspec.views.summary import size
from archspec.views.values import field_text

MARGIN = 16.0
TITLE = 15.0
SIDE = 36.0
"""Between pictures beside each other."""
HEATS = {"params": "params", "macs": "MACs", "memory": "bytes of output"}
"""What a heat map can be of -> what its legend calls it."""


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

    theme: Theme
    heat: str = ""
    comparing: bool = False
    bare: bool = False
    edge_shapes: bool = False
    transparent: bool = False
    out: Drawing = field(default_factory=Drawing)
    _panel: Panel | None = None
    _most: float = 0.0

    def svg(self, panels: Sequence[Panel]) -> str:
        """The picture as a document."""
        boxes = [(panel, item.item.box) for panel in panels for item in closed(panel.placed)]
        if self.heat:
            self._most = max((self._heat(box, panel.costs) for panel, box in boxes), default=0.0)
        top = MARGIN + (0.0 if self.bare else 2 * TITLE + 14)
        widths = [self._width(panel) for panel in panels]
        legend = [] if self.bare else list(self.legend([box for _, box in boxes]))
        inside = sum(widths) + SIDE * (len(panels) - 1) + self.left_room
        width = max(inside, min(_legend_width(legend), 420.0)) + 2 * MARGIN
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
        heads = (width_of(panel.title, TITLE), width_of(panel.subtitle, SAYS))
        return panel.placed.width if self.bare else max(panel.placed.width, *heads)

    def _heading(self, panel: Panel, x: float) -> None:
        colours = self.theme
        self.out.text((x, MARGIN + TITLE / 2), panel.title, size=TITLE, fill=colours.text, anchor="start")
        self.out.text((x, MARGIN + TITLE * 1.8), panel.subtitle, size=SAYS, fill=colours.muted, anchor="start")

    @property
    def panel(self) -> Panel:
        """The network that is being drawn."""
        assert self._panel is not None
        return self._panel

    def _heat(self, box: Box, costs: Costs) -> float:
        return float(getattr(costs.of(box), self.heat)) / box.count

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
        for route in placed.routes:
            if route.curves:  # they lead through frames
                self._wire(route)
        if self.edge_shapes:
            for route in _one_per_value(placed.routes):
                self._edge_label(route)

    def _frame(self, placed: Placed, depth: int) -> None:
        item, theme, out = placed.item, self.theme, self.out
        corner, extent = (placed.x, placed.y), (placed.width, placed.height)
        line = theme.group_line
        if self.comparing and item.box.mark.change in ("added", "removed"):
            line = theme.changes[item.box.mark.change][1]
        out.open("g")
        out.title(tooltip(item.box, self.panel.graph, self.panel.costs))
        self._stack(placed, theme.group[depth % 2], line)
        out.rectangle(corner, extent, fill=theme.group[depth % 2], line=line, round=5, dashed=item.box.training_only)
        out.rectangle((placed.x + 0.5, placed.y + 0.5), (placed.width - 1, HEADER - 0.5), fill=theme.header, round=4.5)
        at = placed.x + PAD
        for text in item.lines:
            colour = theme.text if text.role == "name" else theme.muted
            out.text((at, placed.y + HEADER / 2), text.text, size=text.size, fill=colour, anchor="start")
            at += text.width + 8
        out.close("g")

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
        fill, line = self._colours(box)
        corner, extent = (placed.x, placed.y), (placed.width, placed.height)
        pill = box.kind in ("input", "output")
        out.open("g", opacity=0.55 if item.faint else None)
        out.title(tooltip(box, self.panel.graph, self.panel.costs))
        self._stack(placed, fill, line)
        out.rectangle(corner, extent, fill=fill, line=line, round=12 if pill else 4, dashed=box.training_only)
        if box.is_group:  # a second outline: there is more inside
            inner = (placed.width - 5, placed.height - 5)
            out.rectangle((placed.x + 2.5, placed.y + 2.5), inner, fill="none", line=line, round=2.5, thick=0.6)
        for number, text in enumerate(item.lines):
            at = (placed.x + placed.width / 2, placed.y + BOX_PAD[1] + LINE * (number + 0.5))
            out.text(at, text.text, size=text.size, fill=self._ink(text, fill, box))
        out.close("g")

    def _colours(self, box: Box) -> tuple[str, str]:
        if self.comparing:
            return self.theme.changes[box.mark.change]
        if self.heat and box.nodes:
            part = self._heat(box, self.panel.costs) / self._most if self._most else 0.0
            return self.theme.heat_of(part**0.5), self.theme.group_line
        return self.theme.families[box.family]

    def _ink(self, text: Line, fill: str, box: Box) -> str:
        if self.heat and box.nodes:
            return self.theme.on(fill)
        return self.theme.text if text.role in ("name", "change") else self.theme.muted

    # Wires.

    def _wire(self, route: Route, drawn: set[Piece] | None = None) -> None:
        colour = self.theme.changes[route.mark][1] if route.mark in self.theme.changes else self.theme.wire
        out = self.out
        out.open("g")
        out.title(f"{route.value}: {self.panel.graph[route.value].shape}")
        out.element(
            "path", d=path_text(route, drawn), fill="none", stroke=colour, stroke_width=1.2,
            stroke_dasharray="4 3" if route.dashed or route.mark == "removed" else None,
        )  # fmt: skip
        if route.arrow:
            out.polygon(arrow_head(route), fill=colour)
        out.close("g")

    def _edge_label(self, route: Route) -> None:
        x, y = route.points[0]
        at = (x + 5, y + 9) if route.down else (x + 5, y - 7)
        self.out.text(at, edge_text(self.panel.graph, route.value), size=SMALL, fill=self.theme.muted, anchor="start")

    # Legend.

    def legend(self, boxes: Sequence[Box]) -> Iterator[tuple[str, str, str]]:
        """Fill, outline and name of everything that colours mean here."""
        if self.comparing:
            found = {box.mark.change for box in boxes}
            said = {"derived": "other shape or cost"}
            marks = self.theme.changes.items()
            yield from ((*colours, said.get(name, name)) for name, colours in marks if name in found)
        elif self.heat:
            for part in (0.0, 0.25, 0.5, 0.75, 1.0):
                value = part * part * self._most
                text = size(value) if self.heat == "memory" else short(round(value))
                yield (
                    self.theme.heat_of(part),
                    self.theme.group_line,
                    text + (f" {HEATS[self.heat]}" if part == 1 else ""),
                )
        else:
            found = {box.family for box in boxes}
            yield from (
                (*self.theme.families[name], name)
                for name in self.theme.families
                if name in found - {"input", "output", "group"}
            )

    def _draw_legend(self, legend: list[tuple[str, str, str]], y: float, width: float) -> float:
        """Draw it in lines; its lower end."""
        x = MARGIN
        for fill, line, name in legend:
            wide = width_of(name, SMALL) + 30
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
    return sum(width_of(name, SMALL) + 30 for _, _, name in legend)


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


def edge_text(graph: Graph, value: str) -> str:
    return str(graph[value].shape).replace("x", "×")


def tooltip(box: Box, graph: Graph, costs: Costs) -> str:
    """Everything that is known of a box, in lines."""
    lines = [f"{box.path or box.label} ({box.op})" if box.op else box.path or box.label]
    if box.node is not None:
        lines += [f"{name}: {field_text(value)}" for name, value in box.node.fields.items()]
    elif box.group is not None:
        lines += [f"{name}: {field_text(value)}" for name, value in box.group.params.items()]
    values = box.ins if box.kind == "output" else box.outs
    lines += [f"output {graph[name].shape}" for name in values[:3]]
    cost: Cost = costs.of(box)
    lines += [f"{cost.params:,} params"] if cost.params else []
    lines += [f"{cost.macs:,} MACs"] if cost.macs else []
    lines += ["in training only"] if box.training_only else []
    at = box.node or box.group
    lines += [place_text(at.position)] if at is not None else []
    return "\n".join(lines)


def place_text(position: Position) -> str:
    """The file and line of something, without its folder, which is another on every machine."""
    return f"{PurePath(position.source.name).name}:{position.line}"


def heading_of(graph: Graph) -> tuple[str, str]:
    """A network's name, and what it costs."""
    inference = graph.inference() if graph.main_outputs else graph
    changed = ", ".join(f"{name}={field_text(value)}" for name, value in graph.changed.items())
    costs = f"{short(graph.params)} params, {short(inference.macs)} MACs"
    return f"{graph.name} ({changed})" if changed else graph.name, costs


def item_count(item: Item) -> int:
    """How many boxes a picture has."""
    return 1 + sum(item_count(child) for child in item.items)
