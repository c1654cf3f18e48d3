"""The colours of pictures: safe for colour-blind readers, and told apart in grey print by outlines and texts.

Hues are after Okabe and Ito 2008; how light fills and outlines are was searched for, so that any two kinds of op are
as far from each other as can be for eyes of every kind. The heat map only gets darker, or lighter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]
"""Fill and outline."""


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours of a picture."""

    name: str
    background: str
    text: str
    muted: str
    wire: str
    group: tuple[str, str]
    """Fills of groups, by turns from the outside in."""
    group_line: str
    header: str
    families: Mapping[str, Pair]
    changes: Mapping[str, Pair]
    heat: tuple[str, ...]
    """From nothing to the most."""

    def heat_of(self, part: float) -> str:
        """The colour of a part of the most, from 0 to 1."""
        place = max(0.0, min(1.0, part)) * (len(self.heat) - 1)
        low = min(int(place), len(self.heat) - 2)
        return _between(self.heat[low], self.heat[low + 1], place - low)

    def shaded(self, colour: str, part: float) -> str:
        """A colour made darker by a part, or lighter where it is below nothing."""
        return _between(colour, "#000000", part) if part > 0 else _between(colour, "#ffffff", -part)

    def on(self, fill: str) -> str:
        """Black or white, whichever reads better on a fill."""
        return "#ffffff" if _luminance(fill) < 0.179 else "#000000"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _between(one: str, two: str, part: float) -> str:
    mixed = (round(a + (b - a) * part) for a, b in zip(_channels(one), _channels(two), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.1 has it: white reads as well as black where it is 0.179."""
    parts = (channel / 255 for channel in _channels(colour))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#14171c",
    muted="#4b535d",
    wire="#5b6470",
    group=("#f6f7f9", "#eceef2"),
    group_line="#9aa3af",
    header="#dfe3e9",
    families={
        "input": ("#ffffff", "#333a44"),
        "output": ("#ffffff", "#333a44"),
        "convolution": ("#e3f3fd", "#007cc2"),
        "linear": ("#e9c3da", "#200917"),
        "pooling": ("#fdeee3", "#8f3c00"),
        "normalization": ("#b4f9e6", "#008f68"),
        "activation": ("#fdf9e3", "#a88d00"),
        "merge": ("#ffffff", "#14171c"),
        "shape": ("#dee0e2", "#596169"),
        "dropout": ("#f4f0ec", "#5d4732"),
        "other": ("#d1c7e6", "#3c2768"),
        "group": ("#f0f2f5", "#5b6470"),
    },
    changes={
        "added": ("#d6e8f7", "#0072b2"),
        "removed": ("#fbe0d0", "#c45500"),
        "changed": ("#fbf0b8", "#8f7a00"),
        "derived": ("#fdfaea", "#a89a4a"),
        "same": ("#f6f7f9", "#9aa3af"),
    },
    heat=("#fffde0", "#c7e9b4", "#54b8c4", "#2467ab", "#0b1f5c"),
)

DARK = Theme(
    name="dark",
    background="#14171c",
    text="#eef1f5",
    muted="#b4bcc7",
    wire="#9aa3af",
    group=("#1b2027", "#232932"),
    group_line="#5b6470",
    header="#303844",
    families={
        "input": ("#14171c", "#d5dae1"),
        "output": ("#14171c", "#d5dae1"),
        "convolution": ("#103041", "#52c1ff"),
        "linear": ("#361b2b", "#c6398e"),
        "pooling": ("#4e2c13", "#ff9a52"),
        "normalization": ("#134e3e", "#00ffba"),
        "activation": ("#4e4413", "#ffdd29"),
        "merge": ("#14171c", "#eef1f5"),
        "shape": ("#2e3133", "#b7bdc2"),
        "dropout": ("#393028", "#b49374"),
        "other": ("#1e182a", "#8364c4"),
        "group": ("#272d36", "#9aa3af"),
    },
    changes={
        "added": ("#123a57", "#56b4e9"),
        "removed": ("#4d2a12", "#f0904a"),
        "changed": ("#453d0c", "#e6d24a"),
        "derived": ("#26241a", "#a89a4a"),
        "same": ("#1b2027", "#5b6470"),
    },
    heat=("#20262e", "#1f4e79", "#1f8a9e", "#7fc97f", "#f7f4a8"),
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
