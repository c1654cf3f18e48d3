"""A network drawn: all that was asked for, and every format it can be written in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from archspec.drawing.colours import Colours
from archspec.drawing.compact import compact
from archspec.drawing.diagram import Box, diagram_of
from archspec.drawing.flat import closed_items
from archspec.drawing.item import (
    MOST_BOXES,
    SMALL,
    Costs,
    Item,
    Shower,
    comfortable_depth,
    deepest,
    item_count,
    level,
)
from archspec.drawing.label import shape_text
from archspec.drawing.layout import Layout, Placed
from archspec.drawing.look import Look
from archspec.drawing.paint import Painter, Panel
from archspec.drawing.plan import plan_of
from archspec.drawing.skeleton import TooLarge
from archspec.drawing.text import width_of
from archspec.drawing.theme import THEMES
from archspec.drawing.words import subtitle_of, title_of
from archspec.errors import ArchspecError
from archspec.graph.graph import Graph
from archspec.views.listing import short

T = TypeVar("T")
MOST_VOLUMES = 25
"""Of one picture in style paper, where no depth is asked for."""
MOST_BESIDE = 6
"""Above each other, likewise."""


FORMATS = ("svg", "png", "html", "dot", "mmd", "json")


class _View:
    """One network, or two compared, under a look."""

    def __init__(self, graphs: Sequence[Graph], look: Look) -> None:
        self.look = look
        self.gains: Mapping[str, tuple[int, int]] = {}
        if len(graphs) == 1:
            self.graph = graphs[0]
            self.title, self.subtitle = title_of(self.graph), subtitle_of(self.graph)
            self.diagram = diagram_of(self.graph)
        else:
            from archspec.drawing.comparison import compared

            found = compared(*graphs)
            self.graph, self.gains = found.graph, found.gains
            self.title, self.subtitle = found.heading
            self.diagram = diagram_of(found.graph, found.marks, found.readings)
        self.heading = self.title, self.subtitle
        """Of the whole, whatever is in focus."""
        self.way = self.diagram.find(look.focus) if look.focus else ()
        """The boxes that lead to the focus; empty without one, or if it is unknown."""
        if look.focus:
            self.title += f": {look.focus}"
        if self.way and not self.gains:
            costs = Costs(self.graph)
            self.subtitle = f"{short(costs.params(self.way[-1]))} params, {short(costs.macs(self.way[-1]))} MACs"
        self.shower = Shower(
            self.diagram, partial(_is_above, self.depth), self._unfolds, look.columns, self.gains, len(graphs) > 1
        )

    @cached_property
    def depth(self) -> int:
        """How many names of a path are drawn."""
        if self.way:
            focus = self.way[-1].children[0] if self.way[-1].kind == "fold" else self.way[-1]
            if self.look.depth is None:
                return max(level(focus) + 1, comfortable_depth(focus))
            return level(focus) + self.look.depth
        if self.look.depth is None and self.look.style != "default":
            return self._volumes_depth() if self.look.style == "paper" else deepest(self.diagram.root)
        return self.look.depth or comfortable_depth(self.diagram.root)

    def _unfolds(self, fold: Box) -> bool:
        """Whether all copies of a fold are drawn: where that is asked for, or the style has it so."""
        look = self.look
        if look.style == "blocks":
            return look.unfold or look.depth is None
        return look.unfold or (look.style == "paper" and fold.family != "group")

    def _volumes_depth(self) -> int:
        """The greatest depth at which there are not too many volumes, in all and above each other."""
        for depth in range(deepest(self.diagram.root), 1, -1):
            shower = Shower(self.diagram, partial(_is_above, depth), self._unfolds)
            item = compact(shower.item(self.diagram.root))
            if len(item.items) <= MOST_VOLUMES:
                rows = plan_of(len(item.items), 0, 0, item.wires).rows
                if max(len(row) for row in rows) <= MOST_BESIDE:
                    return depth
        return 1

    @cached_property
    def item(self) -> Item:
        """What is shown. Errors: SpecError if the focus is unknown"""
        if self.look.focus:
            from archspec.drawing.focus import focused

            return focused(self.diagram, self.look.focus, self.shower)
        return self.shower.item(self.diagram.root)

    @cached_property
    def panel(self) -> Panel:
        """Everything in its place. Errors: ArchspecError if it is too large"""
        return self.panel_of(self.checked(self._placed))

    def panel_of(self, placed: Placed) -> Panel:
        return Panel(self.graph, placed, self.shower.costs, self.title, self.subtitle)

    def checked(self, place: Callable[[], T]) -> T:
        """What `place` makes of what is shown. Errors: ArchspecError if that is too large"""
        count = item_count(self.item)
        if count > MOST_BOXES:
            raise self._too_large(f"{count:,} boxes")
        try:
            return place()
        except TooLarge:
            raise self._too_large("too many long wires") from None

    def _placed(self) -> Placed:
        if self.look.engine == "graphviz":
            from archspec.drawing import graphviz

            return graphviz.place(self.item, down=self.look.down)
        room: Callable[[str], float] | None = None
        if self.look.edge_shapes:
            room = partial(_label_width, self.graph)
        across = not self.look.down and room is not None
        widest = max(_label_width(self.graph, node.name) for node in self.graph) + 14 if across else 0.0
        return Layout(self.look.down, label_of=room, label_room=widest).place(self.item)

    def _too_large(self, what: str) -> ArchspecError:
        """What is too large to draw, and how to draw less."""
        look, most = self.look, deepest(self.diagram.root)
        hints = [f"--depth 1 draws the outline (it has {most} levels)" if look.depth != 1 and most > 1 else ""]
        hints.append("leave out --unfold" if look.unfold else "")
        hints.append("--focus PATH draws one part" if not look.focus else "")
        hint = "; ".join(text for text in hints if text)
        return ArchspecError(f"{self.graph.name}: too large to draw: {what}" + (f"\n  hint: {hint}" if hint else ""))


def _is_above(depth: int, box: Box) -> bool:
    """Whether a group is opened in a picture of a depth."""
    return level(box) < depth


def _label_width(graph: Graph, value: str) -> float:
    return width_of(shape_text(graph[value].shape), SMALL)


class Picture:
    """Networks drawn beside each other, or two compared; each format is made when it is asked for."""

    def __init__(self, graphs: Sequence[Graph], look: Look | None = None, *, diff: bool = False) -> None:
        if not graphs or (diff and len(graphs) != 2):
            raise ValueError(f"a picture is of one network or more, a comparison of two; found {len(graphs)}")
        self.look = look or Look()
        if diff and (self.look.style != "default" or self.look.heat):
            raise ValueError(
                "a comparison is drawn in style default and without heat: its colours say what has changed"
            )
        self._views = [_View(graphs, self.look)] if diff else [_View([graph], self.look) for graph in graphs]
        self._diff = diff
        self.name = "-".join(graph.name for graph in graphs)
        """What a file of it is called, without a suffix."""

    @property
    def items(self) -> list[Item]:
        """What is shown of each network."""
        return [view.item for view in self._views]

    @property
    def placed(self) -> list[Placed]:
        """Each network with everything in its place. Errors: as for `svg`"""
        return [panel.placed for panel in self._panels]

    @cached_property
    def _panels(self) -> list[Panel]:
        if self.look.style == "default":
            return [view.panel for view in self._views]
        if self.look.style == "blocks":
            from archspec.drawing.columns import placed_columns as place
        else:
            from archspec.drawing.volumes import placed_volumes as place

        items = [(view.graph, view.checked(partial(compact, view.item))) for view in self._views]
        placed = self._views[0].checked(partial(place, items))
        return [view.panel_of(one) for view, one in zip(self._views, placed, strict=True)]

    def __repr__(self) -> str:
        return f"Picture({self.name})"

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document.

        Errors: ArchspecError if it is too large; SpecError if the focus is unknown
        """
        return self._painter().svg(self._panels)

    @property
    def _colours(self) -> Colours:
        boxes = [(item.box, view.shower.costs) for view in self._views for item in closed_items(view.item)]
        return Colours.of_picture(THEMES[self.look.theme], self.look.heat, self._diff, boxes)

    def _painter(self) -> Painter:
        look, kind = self.look, Painter
        if look.style == "blocks":
            from archspec.drawing.columns import ColumnPainter

            kind = ColumnPainter
        elif look.style == "paper":
            from archspec.drawing.volumes import VolumePainter

            kind = VolumePainter
        return kind(self._colours, look.bare, look.edge_shapes, look.transparent)

    @property
    def png(self) -> bytes:
        """The picture as PNG. Errors: as for `svg`"""
        from archspec.drawing.png import png_of

        return png_of(self.svg, self.look.scale)

    @property
    def dot(self) -> str:
        """The boxes and wires of one network for Graphviz."""
        from archspec.drawing.dot import DotWriter

        view, look = self._only("dot"), self.look
        background = "transparent" if look.transparent else THEMES[look.theme].background
        about = (view.graph, view.item, self._colours, view.shower.costs)
        return DotWriter(*about, look.down, look.edge_shapes, background=background).text()

    @property
    def mermaid(self) -> str:
        """The boxes and wires of one network for Mermaid."""
        from archspec.drawing.mermaid import MermaidWriter

        view = self._only("mmd")
        about = (view.graph, view.item, self._colours, view.shower.costs)
        return MermaidWriter(*about, self.look.down, self.look.edge_shapes).text()

    @property
    def json(self) -> str:
        """The boxes and wires of one network with their places, as JSON."""
        from archspec.drawing.data import picture_data

        view = self._only("json")
        return json.dumps(picture_data(view.graph, view.panel.placed, view.shower.costs), indent=1) + "\n"

    @property
    def html(self) -> str:
        """One network as a page to explore it, in one file that asks for no other."""
        from archspec.drawing.page import page

        view = self._only("html")
        look = self.look
        depth = look.depth or comfortable_depth(view.diagram.root)
        about = (*view.heading, depth, look.down)
        return page(
            view.diagram,
            view.shower,
            look.theme,
            *about,
            focus=look.focus,
            heat=look.heat,
            unfold=look.unfold,
            shapes=look.edge_shapes,
        )

    def _only(self, kind: str) -> _View:
        refuse_format(kind, len(self._views), self.look.style)
        return self._views[0]

    def bytes_of(self, kind: str) -> bytes:
        """The picture in a format: svg, png, html, dot, mmd or json. Errors: ArchspecError"""
        if kind not in FORMATS:
            raise ValueError(f"a format is one of {', '.join(FORMATS)}, found {kind!r}")
        made = getattr(self, "mermaid" if kind == "mmd" else kind)
        return made if isinstance(made, bytes) else str(made).encode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, whose suffix says the format. Errors: ArchspecError"""
        from archspec.file import write_file

        kind = format_of(path)
        write_file(Path(path), self.bytes_of(kind))

    def _repr_svg_(self) -> str | None:
        """The picture as notebooks show it; nothing if it is too large."""
        try:
            return self.svg
        except ArchspecError:
            return None


def shown(graph: Graph) -> str | None:
    """The picture of a network as notebooks and builds show it: if need be an outline, None if that is too large."""
    for depth in (None, 1):
        try:
            return Picture([graph], Look(depth=depth)).svg
        except ArchspecError:
            continue
    return None


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix says. Errors: ArchspecError"""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        found = f"`.{suffix}`" if suffix else "no suffix"
        raise ArchspecError(f"{path}: the suffix says the format, found {found}\n  hint: one of {known}")
    return suffix


def refuse_format(kind: str, count: int, style: str) -> None:
    """Refuse a format for so many networks in a style, if it cannot hold them. Errors: ArchspecError"""
    if kind in ("svg", "png"):
        return
    if style != "default":
        raise ArchspecError(f"style {style} is for SVG and PNG, found .{kind}")
    if count > 1:
        hint = "draw them one by one, or as SVG or PNG"
        raise ArchspecError(f".{kind} holds one network, found {count}\n  hint: {hint}")
