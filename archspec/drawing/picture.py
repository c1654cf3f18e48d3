"""A network drawn: all that was asked for, and every format it can be written in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from archspec.drawing.compact import compact
from archspec.drawing.diagram import diagram_of
from archspec.drawing.item import COLUMNS, MOST_BOXES, SMALL, Item, Shower, comfortable_depth, deepest, level
from archspec.drawing.layout import Layout, Placed
from archspec.drawing.paint import HEATS, Painter, Panel, edge_text, heading_of, item_count
from archspec.drawing.plan import TooLarge
from archspec.drawing.text import width_of
from archspec.drawing.theme import THEMES, Theme
from archspec.errors import ArchspecError
from archspec.graph.graph import Graph

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """How a picture is to look."""

    depth: int | None = None
    """How many names of a path are drawn; groups below are closed. Unsaid, as many as stay easy to read."""
    focus: str = ""
    """A path: only this part is drawn, with what it is joined to; `depth` counts from there."""
    direction: str = ""
    """`down` or `right`; unsaid, as the style has it."""
    style: str = "default"
    """`default`: boxes in frames; `paper`: volumes as large as the feature maps; `blocks`: compact columns."""
    theme: str = "light"
    columns: tuple[str, ...] = ()
    """What boxes say besides: params, macs, memory, saved, sees."""
    heat: str = ""
    """Colour by params, macs or memory instead of by kind of op."""
    unfold: bool = False
    """Draw every copy of a repeated block, instead of one with their number."""
    edge_shapes: bool = False
    """Write on wires what flows."""
    bare: bool = False
    """Leave out title and legend, as for a figure of a paper."""
    transparent: bool = False
    """Leave out the background."""
    scale: float = 2.0
    """Pixels of a PNG for each of the SVG's."""
    engine: str = "archspec"
    """What lays the picture out: `archspec`, or `graphviz` where that extra is installed."""

    def __post_init__(self) -> None:
        _among("direction", self.direction, ("", "down", "right"))
        _among("style", self.style, STYLES)
        _among("theme", self.theme, tuple(THEMES))
        _among("engine", self.engine, ("archspec", "graphviz"))
        if self.style != "default":
            for what, given in (
                ("columns", self.columns),
                ("edge_shapes", self.edge_shapes),
                ("engine graphviz", self.engine != "archspec"),
            ):
                if given:
                    raise ValueError(f"{what} is for style default, found style {self.style}")
        if self.style == "blocks" and self.direction == "right":
            raise ValueError("style blocks reads down, found direction right")
        if self.edge_shapes and self.engine == "graphviz":
            raise ValueError("edge_shapes is for engine archspec, found engine graphviz")
        for column in self.columns:
            _among("columns", column, COLUMNS)
        if self.heat:
            _among("heat", self.heat, tuple(HEATS))
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"`depth` counts names of a path from 1, found {self.depth}")
        if not 0 < self.scale <= 16:
            raise ValueError(f"`scale` is above 0 and at most 16, found {self.scale}")


STYLES = ("default", "paper", "blocks")


def _among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"`{what}` is one of {', '.join(known)}, found {value!r}")


FORMATS = ("svg", "png", "html", "dot", "mmd", "json")


class _View:
    """One network, or two compared, under a look."""

    def __init__(self, graphs: Sequence[Graph], look: Look) -> None:
        self.look = look
        self.gains: Mapping[str, tuple[int, int]] = {}
        if len(graphs) == 1:
            self.graph = graphs[0]
            self.title, self.subtitle = heading_of(self.graph)
            self.diagram = diagram_of(self.graph)
        else:
            from archspec.drawing.comparison import compared

            found = compared(*graphs)
            self.graph, self.gains = found.graph, found.gains
            self.title, self.subtitle = found.heading
            self.diagram = diagram_of(found.graph, found.marks, found.readings)
        if look.focus:
            self.title += f": {look.focus}"
        depth = self.depth
        unfold = look.unfold or (look.style == "blocks" and look.depth is None)
        self.shower = Shower(self.diagram, lambda box: level(box) < depth, unfold, look.columns, self.gains)

    @cached_property
    def depth(self) -> int:
        """How many names of a path are drawn."""
        way = self.diagram.find(self.look.focus) if self.look.focus else ()
        if way:
            below = level(way[-1])
            return below + (self.look.depth or max(1, comfortable_depth(way[-1]) - below + 1))
        if self.look.depth is None and self.look.style != "default":
            return 1 if self.look.style == "paper" else deepest(self.diagram.root)
        return self.look.depth or comfortable_depth(self.diagram.root)

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
        if self.look.style == "paper":
            from archspec.drawing.volumes import placed_volumes

            return placed_volumes(compact(self.item), self.graph, down=self.look.direction == "down")
        if self.look.engine == "graphviz":
            from archspec.drawing import graphviz

            return graphviz.place(self.item, down=self.look.direction != "right")
        room: Callable[[str], float] | None = None
        if self.look.edge_shapes:
            room = partial(_label_width, self.graph)
        across = self.look.direction == "right" and room is not None
        widest = max(_label_width(self.graph, node.name) for node in self.graph) + 14 if across else 0.0
        return Layout(self.look.direction != "right", label_of=room, label_room=widest).place(self.item)

    def _too_large(self, what: str) -> ArchspecError:
        """What is too large to draw, and how to draw less."""
        look, most = self.look, deepest(self.diagram.root)
        hints = [f"--depth 1 draws the outline (it has {most} levels)" if look.depth != 1 and most > 1 else ""]
        hints.append("leave out --unfold" if look.unfold else "")
        hints.append("--focus PATH draws one part" if not look.focus else "")
        hint = "; ".join(text for text in hints if text)
        return ArchspecError(f"{self.graph.name}: too large to draw: {what}" + (f"\n  hint: {hint}" if hint else ""))


def _label_width(graph: Graph, value: str) -> float:
    return width_of(edge_text(graph, value), SMALL)


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
        if self.look.style != "blocks":
            return [view.panel for view in self._views]
        from archspec.drawing.columns import placed_columns

        items = [(view.graph, view.checked(partial(compact, view.item))) for view in self._views]
        columns = self._views[0].checked(partial(placed_columns, items))
        return [view.panel_of(column) for view, column in zip(self._views, columns, strict=True)]

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document.

        Errors: ArchspecError if it is too large; SpecError if the focus is unknown
        """
        return self._painter().svg(self._panels)

    def _painter(self) -> Painter:
        look, kind = self.look, Painter
        if look.style == "blocks":
            from archspec.drawing.columns import ColumnPainter

            kind = ColumnPainter
        elif look.style == "paper":
            from archspec.drawing.volumes import VolumePainter

            kind = VolumePainter
        return kind(THEMES[look.theme], look.heat, self._diff, look.bare, look.edge_shapes, look.transparent)

    @property
    def png(self) -> bytes:
        """The picture as PNG. Errors: as for `svg`"""
        from archspec.drawing.png import png_of

        return png_of(self.svg, self.look.scale)

    @property
    def dot(self) -> str:
        """The boxes and wires of one network for Graphviz."""
        from archspec.drawing.dot import dot_text

        return dot_text(*self._flat("dot"), down=self._down, edge_shapes=self.look.edge_shapes)

    @property
    def mermaid(self) -> str:
        """The boxes and wires of one network for Mermaid."""
        from archspec.drawing.mermaid import mermaid_text

        return mermaid_text(*self._flat("mmd"), down=self._down, edge_shapes=self.look.edge_shapes)

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
        about = (view.title, view.subtitle, view.depth, self._down)
        return page(view.diagram, view.shower, look.theme, *about, focus=look.focus, heat=look.heat)

    @property
    def _down(self) -> bool:
        return self.look.direction != "right"

    def _only(self, kind: str) -> _View:
        if self.look.style != "default":
            raise ArchspecError(f"style {self.look.style} is for SVG and PNG, found .{kind}")
        if len(self._views) > 1:
            raise ArchspecError(
                f".{kind} holds one network, found {len(self._views)}\n  hint: draw them one by one, or as SVG or PNG"
            )
        return self._views[0]

    def _flat(self, kind: str) -> tuple[Graph, Item, Theme]:
        view = self._only(kind)
        return view.graph, view.item, THEMES[self.look.theme]

    def bytes_of(self, kind: str) -> bytes:
        """The picture in a format: svg, png, html, dot, mmd or json. Errors: ArchspecError"""
        made = getattr(self, "mermaid" if kind == "mmd" else kind)
        return made if isinstance(made, bytes) else str(made).encode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, whose suffix says the format. Errors: ArchspecError"""
        from archspec.file import write_file

        kind = format_of(path)
        write_file(Path(path), self.bytes_of(kind))

    def _repr_svg_(self) -> str:
        return self.svg


def shown(graph: Graph) -> str | None:
    """The picture of a network as notebooks and builds show it: its outline where it is large, nothing where that is.

    None if even the outline is too large.
    """
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
