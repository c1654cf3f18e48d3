"""Pictures with one row for each layer, as SVG.

A picture has a background of its own, light or dark as the reader prefers. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from re import sub

ROW, PANEL, GAP, MARGIN = 18, 360, 48, 16
"""The height of a row, the width of a panel, and the space between panels and at the edges."""
LETTER = 7.0
"""A letter's width, generously."""
LONGEST = 44
"""Letters of a layer's path that are shown: its end tells it from others."""
STYLE = """
.ground { fill: #ffffff; }
text { fill: #1f2328; font-family: ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px; }
.title { font-size: 15px; font-weight: 600; }
.faint { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.a { fill: #0b62a8; stroke: #0b62a8; }
.b { fill: #9dc6e8; stroke: #9dc6e8; }
.c { fill: #c8501a; stroke: #c8501a; }
.d { fill: #b5bcc4; stroke: #b5bcc4; }
.bar { stroke: none; }
.ring { fill: none; stroke-width: 1.8; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #15191f; }
  text { fill: #e6edf3; }
  .faint { fill: #9aa4af; }
  .grid { stroke: #343b44; }
  .a { fill: #58a6ff; stroke: #58a6ff; }
  .b { fill: #265180; stroke: #265180; }
  .c { fill: #ff9457; stroke: #ff9457; }
  .d { fill: #7d8590; stroke: #7d8590; }
  .bar { stroke: none; }
  .ring { fill: none; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a row; positions are shares of the panel's width."""

    kind: str
    """Its colour: a, b, c or d of `STYLE`."""
    start: float
    end: float
    slim: bool = False
    """Whether it is drawn narrower, to lie on another."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a row; its position is a share of the panel's width."""

    kind: str
    at: float
    ring: bool = False
    """Whether it is open, so that a full one shows inside."""


Mark = Bar | Dot


@dataclass(frozen=True, slots=True)
class Panel:
    """An axis and what each row has on it."""

    axis: str
    """What is along the axis, with its unit."""
    ticks: Sequence[tuple[float, str]]
    """Shares of the width, each with its label."""
    rows: Sequence[Sequence[Mark]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture: rows with names, one or two panels beside them, and a remark at the end of each row."""

    title: str
    subtitle: str
    names: Sequence[str]
    panels: Sequence[Panel]
    legend: Sequence[tuple[Mark, str]]
    remarks: Sequence[str] = ()

    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        left = MARGIN + ceil(LETTER * max((len(_shortened(name)) for name in self.names), default=0)) + 10
        right = ceil(LETTER * max(map(len, self.remarks), default=0)) + MARGIN
        legend = left + sum(_legend_width(label) for _, label in self.legend)
        heading = MARGIN + max(len(self.title) * 1.25 * LETTER, len(self.subtitle) * LETTER)
        width = max(left + len(self.panels) * (PANEL + GAP) + right, ceil(heading) + MARGIN, legend)
        top = 118
        height = top + ROW * len(self.names) + 34
        body = [*self._heading(left), *self._rows(left, top)]
        for number, panel in enumerate(self.panels):
            body += _panel(panel, left + number * (PANEL + GAP), top, ROW * len(self.names))
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" role="img">',
                f"<title>{_safe(self.title)}</title>",
                f"<style>{STYLE}</style>",
                f'<rect class="ground" width="{width}" height="{height}"/>',
                *body,
                "</svg>\n",
            ]
        )

    def _heading(self, left: int) -> Iterable[str]:
        yield _text(MARGIN, 28, self.title, "title")
        yield _text(MARGIN, 47, self.subtitle, "faint")
        x: float = left
        for mark, label in self.legend:
            yield from _drawn(mark, x, 64, 14)
            yield _text(x + 20, 68, label)
            x += _legend_width(label)

    def _rows(self, left: int, top: int) -> Iterable[str]:
        end = left + len(self.panels) * (PANEL + GAP) - GAP + 10
        for number, name in enumerate(self.names):
            y = top + ROW * number + ROW / 2 + 4
            hint = f"<title>{_safe(name)}</title>" if _shortened(name) != name else ""
            yield f'<text x="{left - 10}" y="{y:g}" text-anchor="end">{hint}{_safe(_shortened(name))}</text>'
            if self.remarks:
                yield _text(end, y, self.remarks[number], "faint")


def _legend_width(label: str) -> int:
    return ceil(20 + LETTER * len(label) + 18)


def _panel(panel: Panel, left: int, top: int, height: int) -> Iterable[str]:
    yield _text(left + PANEL / 2, top - 30, panel.axis, "faint", "middle")
    for at, label in panel.ticks:
        x = left + at * PANEL
        yield f'<line class="grid" x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{top + height + 4}"/>'
        for y in (top - 10, top + height + 18):
            yield _text(x, y, label, "faint", "middle")
    for number, marks in enumerate(panel.rows):
        for mark in marks:
            yield from _drawn(mark, left, top + ROW * number + ROW / 2, PANEL)


def _drawn(mark: Mark, left: float, middle: float, width: float) -> Iterable[str]:
    if isinstance(mark, Dot):
        x, shape = left + mark.at * width, "ring" if mark.ring else "dot"
        yield f'<circle class="{mark.kind} {shape}" cx="{x:.1f}" cy="{middle:g}" r="{5 if mark.ring else 3}"/>'
        return
    half = 3 if mark.slim else 6
    x, length = left + mark.start * width, (mark.end - mark.start) * width
    if length > 0:
        place = f'x="{x:.2f}" y="{middle - half:g}" width="{length:.2f}" height="{2 * half}"'
        yield f'<rect class="{mark.kind} bar" {place}/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    style = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{x:g}" y="{y:g}"{style}>{_safe(text)}</text>'


def _safe(text: str) -> str:
    """A text as XML can hold it."""
    return escape(sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else "\u2026" + name[1 - LONGEST :]


PERCENT = tuple((tenths / 10, f"{10 * tenths}%") for tenths in range(0, 11, 2))
"""Ticks of an axis of shares."""


@dataclass(frozen=True, slots=True)
class LogAxis:
    """An axis of whole powers of ten around some numbers; 0 is drawn at its left end."""

    low: int
    high: int

    @staticmethod
    def around(values: Iterable[float]) -> LogAxis:
        positive = [value for value in values if value > 0] or [1.0]
        low, high = floor(log10(min(positive))), ceil(log10(max(positive)))
        return LogAxis(low, max(high, low + 1))

    def at(self, value: float) -> float:
        """The share of the width at which a number is."""
        return (log10(value) - self.low) / (self.high - self.low) if value > 0 else 0.0

    @property
    def ticks(self) -> list[tuple[float, str]]:
        step = max(1, (self.high - self.low) // 6)
        powers = range(self.low, self.high + 1, step)
        return [((power - self.low) / (self.high - self.low), _power(power)) for power in powers]


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"
