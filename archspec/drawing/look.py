"""How a picture is to look: all that can be asked for, and what of it goes together."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.drawing.colours import HEATS
from archspec.drawing.item import COLUMNS
from archspec.drawing.theme import THEMES

STYLES = ("default", "paper", "blocks")


@dataclass(frozen=True)
class Look:
    """How a picture is to look. Errors: ValueError for what is unknown, or does not go together"""

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
    """What boxes say besides: see `item.COLUMNS`."""
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

    @property
    def down(self) -> bool:
        """Whether it reads from top to bottom."""
        return self.style != "paper" and self.direction != "right"

    def __post_init__(self) -> None:
        if self.direction:
            _among("direction", self.direction, ("down", "right"))
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
        wrong = {"blocks": "right", "paper": "down"}.get(self.style)
        if wrong is not None and self.direction == wrong:
            raise ValueError(
                f"style {self.style} reads {'right' if wrong == 'down' else 'down'}, found direction {wrong}"
            )
        if self.edge_shapes and self.engine == "graphviz":
            raise ValueError("edge_shapes is for engine archspec, found engine graphviz")
        if self.depth is not None and not _is_whole(self.depth):
            raise ValueError(f"`depth` is a whole number, found {self.depth!r}")
        if not isinstance(self.scale, int | float) or isinstance(self.scale, bool):
            raise ValueError(f"`scale` is a number, found {self.scale!r}")
        for column in self.columns:
            _among("columns", column, COLUMNS)
        if self.heat:
            _among("heat", self.heat, tuple(HEATS))
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"`depth` counts names of a path from 1, found {self.depth}")
        if not 0 < self.scale <= 16:
            raise ValueError(f"`scale` is above 0 and at most 16, found {self.scale}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"`{what}` is one of {', '.join(known)}, found {value!r}")
