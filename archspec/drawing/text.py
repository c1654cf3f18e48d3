"""How wide a text is, in the font that pictures are drawn with: Arimo, as wide as Arial and Helvetica."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

FAMILY = "Arimo, Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Fonts of the same widths, whichever a machine has."""
ASCENT = 0.72
"""Height of capital letters and digits above the line, as a part of the size."""


def font_file(name: str = "Arimo-Regular.ttf") -> bytes:
    """A file of the font that archspec ships, under the SIL Open Font License."""
    return (files("archspec.drawing") / "font" / name).read_bytes()


@lru_cache(maxsize=1)
def _widths() -> dict[str, float]:
    """Widths of characters, as a part of the size."""
    table = json.loads(font_file("widths.json"))
    units = table["units"]
    return {chr(start + k): width / units for start, widths in table["runs"] for k, width in enumerate(widths)}


@lru_cache(maxsize=16_384)
def width_of(text: str, size: float) -> float:
    """Pixels. A character that the font lacks counts as a square, as other fonts have for it."""
    widths = _widths()
    return sum(widths.get(c, 1.0) for c in text) * size


def shortened(text: str, size: float, room: float) -> str:
    """A text that fits into so many pixels: where it does not, its middle is left out."""
    if width_of(text, size) <= room:
        return text
    least, most = 0, len(text)
    while least < most:
        kept = (least + most + 1) // 2
        if width_of(_without_middle(text, kept), size) <= room:
            least = kept
        else:
            most = kept - 1
    return _without_middle(text, least)


def _without_middle(text: str, kept: int) -> str:
    front = (kept + 1) // 2
    return f"{text[:front]}…{text[len(text) - (kept - front) :]}"
