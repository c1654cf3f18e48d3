"""Writing SVG: elements with escaped text, and numbers that are the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.drawing.text import ASCENT, FAMILY, width_of

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold, and controls that it should not."""


def printable(text: str) -> str:
    """Text without what no format can hold."""
    return _FORBIDDEN.sub("�", text)


def escaped(text: str) -> str:
    """Text as XML and HTML hold it, between tags and in attributes."""
    clean = printable(text)
    for sign, name in ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"):
        clean = clean.replace(sign, name)
    return clean


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


class Drawing:
    """An SVG document that is written from the back to the front."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def element(self, name: str, text: str | None = None, /, **attributes: str | float | None) -> None:
        """An element; `_` in names of attributes stands for `-`, None leaves one out."""
        self._parts.append(f"<{name}{_written(attributes)}" + ("/>" if text is None else f">{escaped(text)}</{name}>"))

    def open(self, name: str, /, **attributes: str | float | None) -> None:
        """Begin an element that has others inside."""
        self._parts.append(f"<{name}{_written(attributes)}>")

    def close(self, name: str) -> None:
        """End the element that was opened last."""
        self._parts.append(f"</{name}>")

    def title(self, text: str) -> None:
        """What is shown when the pointer rests on the element that is open."""
        self.element("title", text)

    def rectangle(
        self,
        corner: tuple[float, float],
        size: tuple[float, float],
        *,
        fill: str,
        line: str | None = None,
        round: float = 0.0,
        dashed: bool = False,
        thick: float = 1.0,
    ) -> None:
        """A rectangle from its upper left corner; `line` is the colour of its outline."""
        self.element(
            "rect", x=corner[0], y=corner[1], width=size[0], height=size[1], rx=round or None, fill=fill, stroke=line,
            stroke_width=thick if line and thick != 1 else None, stroke_dasharray="4 3" if dashed else None,
        )  # fmt: skip

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: str, line: str | None = None) -> None:
        """A filled shape with straight sides."""
        text = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.element("polygon", points=text, fill=fill, stroke=line, stroke_linejoin="round" if line else None)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        size: float,
        fill: str,
        anchor: str = "middle",
        halo: str | None = None,
    ) -> None:
        """A text around a point, or from it on (`start`); vertically, its capitals are centred there.

        It is given the width that it was measured to have, so that it fits whatever font draws it.
        """
        x, y = at[0], at[1] + size * ASCENT / 2
        text = " ".join(text.split())
        self.element(
            "text", text, x=x, y=y, font_size=size, fill=fill, text_anchor=anchor if anchor != "start" else None,
            textLength=width_of(text, size) if len(text) > 1 else None,
            stroke=halo, stroke_width=2.5 if halo else None, paint_order="stroke" if halo else None,
        )  # fmt: skip

    def document(self, width: float, height: float, title: str, description: str, background: str | None) -> str:
        """The whole file."""
        head = Drawing()
        head.open(
            "svg", xmlns="http://www.w3.org/2000/svg", width=width, height=height,
            viewBox=f"0 0 {number(width)} {number(height)}", font_family=FAMILY, role="img",
        )  # fmt: skip
        head.title(title)
        head.element("desc", description)
        if background:
            head.rectangle((0, 0), (width, height), fill=background)
        return "\n".join([*head._parts, *self._parts, "</svg>"]) + "\n"


def _written(attributes: dict[str, str | float | None]) -> str:
    found = []
    for name, value in attributes.items():
        if value is not None:
            text = escaped(value) if isinstance(value, str) else number(value)
            found.append(f' {name.replace("_", "-")}="{text}"')
    return "".join(found)
