"""Curves over steps as SVG that stands in a page: its colours are the page's, by classes.

A chart is drawn anew for each width that it is shown at, so that its texts are as large as the page's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archspec.drawing.svg import escaped, number
from archspec.drawing.text import shortened, width_of

Points = Sequence[tuple[float, float]]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""

COLOURS = (
    ("#0072b2", "#56b4e9"),
    ("#890000", "#ffad99"),
    ("#ad8a00", "#c4e835"),
    ("#9200f4", "#a51eff"),
    ("#ec5977", "#d1007d"),
    ("#6a1e4c", "#657b0d"),
)
"""Of curves, on light and on dark; searched for, so that any two are as far from each other as can be for all eyes."""
SYMBOLS = ("circle", "square", "triangle", "diamond", "cross", "down", "ring")
"""At the ends of curves. Their number has no factor in common with that of the colours, so that 42 runs differ."""
SIZE = 11.5
"""Of texts."""
WIDEST_LABEL = 150.0
"""Pixels of a name beside a curve's end."""
EARLY = 0.1
"""Of the steps: errors in this part may be above the plot."""
ENOUGH = 60
"""Points after it, or the whole curve is shown."""
MANY = 240
"""Points in a curve, from which on it is drawn finer."""
LINE = 14.0
"""From one name to the next."""
UPS = (0, -11, 11, -22, 22, -36, 36, -52, 52)
"""How far below a curve's end its name may stand, best first."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a chart."""

    name: str
    run: int
    """Number of its run, which says its colour and symbol."""
    points: Points
    is_dashed: bool = False
    is_named: bool = True
    """Whether its name stands at its end."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a step."""

    step: int
    text: str
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over the same steps."""

    title: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    unit: str = ""
    """What stands behind the values of the vertical axis."""
    is_log: bool = False
    steps_per_epoch: Fraction | None = None
    """For a second row of numbers; None where the runs do not agree."""

    @property
    def top(self) -> float | None:
        """Where the vertical axis is cut so that the end can be read; None where all of it is shown.

        As papers do it: what is higher is from the first tenth of the steps, when a network has learnt little.
        """
        last = max(x for curve in self.curves for x, _ in curve.points)
        later = [y for curve in self.curves for x, y in curve.points if x >= EARLY * last]
        highest = max(y for curve in self.curves for _, y in curve.points)
        if self.unit != "%" or len(later) < ENOUGH or highest < 1.5 * max(later):
            return None
        return max(later)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.is_log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)


def nice(span: float, most: int) -> float:
    """The least of 1, 2 and 5 times a power of ten that divides a span into at most so many."""
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= raw * (1 - 1e-9))


def linear_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round values from low to high; whole numbers alone, if wished."""
    step = nice(max(high - low, 1e-12), most)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and between them 2 and 5 times these where the span is short."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    decades = math.log10(high / low)
    kinds = (1, 2, 5) if decades < 3 else (1,)
    found = [k * 10.0**power for power in powers for k in kinds]
    every = max(1, math.ceil(decades / 8))
    return [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)][::every]


def value_scale(
    values: Sequence[float], unit: str, is_log: bool, start: float, end: float
) -> tuple[Scale, list[float]]:
    """The vertical axis of some values, with its ticks."""
    low, high = min(values), max(values)
    if is_log:
        low, high = low / 1.15, high * 1.15
        return Scale(low, high, start, end, True), log_ticks(low, high)
    if low >= 0 and (low < high / 2 or high == 0):
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    low, high = low - (0.05 * span if low else 0.0), high + 0.05 * span
    if unit == "%":
        low, high = max(low, 0.0), min(high, 100.0) if max(values) <= 100 else high
    return Scale(low, high, start, end), linear_ticks(low, high, 6)


def short_number(value: float) -> str:
    """A number beside an axis."""
    if value and abs(value) >= 10_000:
        for power, unit in ((9, "G"), (6, "M"), (3, "k")):
            if abs(value) >= 10**power:
                return f"{value / 10**power:.6g}{unit}"
    return f"{value:.6g}"


def thinned(points: Points, most: int) -> list[tuple[float, float]]:
    """Points of which no more are left than can be seen: of each of so many stretches its ends and extremes."""
    if len(points) <= 4 * most:
        return list(points)
    first, last = points[0][0], points[-1][0]
    found: list[tuple[float, float]] = []

    def stretch(point: tuple[float, float]) -> int:
        return min(most - 1, int((point[0] - first) / (last - first) * most))

    for _, some in itertools.groupby(points, stretch):
        held = list(some)
        kept = {held[0], held[-1], min(held, key=lambda p: p[1]), max(held, key=lambda p: p[1])}
        found += sorted(kept)
    return found


def symbol(run: int, x: float, y: float, size: float = 3.6) -> str:
    """The symbol of a run around a point."""
    kind, colour = SYMBOLS[run % len(SYMBOLS)], f"c{run % len(COLOURS)}"
    if kind in ("circle", "ring"):
        shape = f'circle cx="{number(x)}" cy="{number(y)}" r="{number(size)}"'
        return f'<{shape} class="{"ring" if kind == "ring" else "dot"} {colour}"/>'
    wide = size * (0.9 if kind == "square" else 1.25)
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1), (1, 0.8), (-1, 0.8)),
        "down": ((0, 1), (1, -0.8), (-1, -0.8)),
        "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
        "cross": ((-1, -0.4), (-0.4, -0.4), (-0.4, -1), (0.4, -1), (0.4, -0.4), (1, -0.4),
                  (1, 0.4), (0.4, 0.4), (0.4, 1), (-0.4, 1), (-0.4, 0.4), (-1, 0.4)),
    }[kind]  # fmt: skip
    text = " ".join(f"{number(x + a * wide)},{number(y + b * wide)}" for a, b in corners)
    return f'<polygon points="{text}" class="dot {colour}"/>'


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, in their order, at least so far apart, from low to high."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    blocks: list[tuple[float, list[int]]] = []  # where a run of touching places begins, and which these are
    for k in order:
        blocks.append((wanted[k], [k]))
        while len(blocks) > 1 and blocks[-2][0] + apart * len(blocks[-2][1]) > blocks[-1][0]:
            some = blocks.pop()[1]
            members = blocks.pop()[1] + some
            start = sum(wanted[m] - apart * n for n, m in enumerate(members)) / len(members)
            blocks.append((start, members))
        start, members = blocks[-1]
        blocks[-1] = (max(low, min(start, high - apart * (len(members) - 1))), members)
    found = [0.0] * len(wanted)
    top = low
    for start, members in blocks:
        at = max(start, top)
        for n, m in enumerate(members):
            found[m] = at + apart * n
        top = at + apart * len(members)
    over = top - apart - high
    if over > 0:  # pushed past the end: pack from there upwards
        bottom = high
        for k in reversed(order):
            found[k] = min(found[k], bottom)
            bottom = found[k] - apart
    return found


def draw(chart: Chart, width: float, height: float, *, names: bool, kind: str) -> str:
    """A chart as an SVG element of a class; without `names`, the symbols at the curves' ends must do."""
    return "".join(_Plot(chart, width, height, names).parts(kind))


class _Plot:
    """One drawing of a chart."""

    def __init__(self, chart: Chart, width: float, height: float, names: bool) -> None:
        self.chart, self.width, self.height = chart, width, height
        values = [min(y, chart.top or y) for curve in chart.curves for _, y in curve.points]
        self.last = max(x for curve in chart.curves for x, _ in curve.points)
        ends = {curve.run: curve for curve in chart.curves if curve.is_named}
        room = height - 60
        self.named = list(ends.values()) if names and len(ends) * LINE <= room else []
        longest = max((width_of(curve.name, SIZE) for curve in self.named), default=0.0)
        self.label = min(WIDEST_LABEL, longest * 1.04 + 2)
        self.bottom = height - (46 if chart.steps_per_epoch else 32)
        self.top = 22.0 if chart.marks else 10.0
        self.y, self.ticks = value_scale(values, chart.unit, chart.is_log, self.bottom, self.top)
        texts = [self.value_text(tick) for tick in self.ticks]
        left = max(max((width_of(text, SIZE) for text in texts), default=0) * 1.04 + 12, 34)
        if chart.steps_per_epoch:
            left = max(left, width_of("epochs", SIZE) * 1.04 + 12)
        self.left, self.right = left, width - (self.label + 26 if self.named else 12)
        self.x = Scale(0.0, max(self.last, 1.0), self.left, self.right)

    def value_text(self, value: float) -> str:
        return f"{short_number(value)}{f' {self.chart.unit}' if self.chart.unit else ''}"

    def parts(self, kind: str) -> Iterator[str]:
        frame = f"{number(self.left)} {number(self.right)} {number(self.top)} {number(self.bottom)}"
        yield f'<svg class="{kind}" viewBox="0 0 {number(self.width)} {number(self.height)}" role="img"'
        yield f' aria-label="{escaped(self.described())}" data-frame="{frame}" data-last="{self.x.high:g}">'
        yield from self.axes()
        yield from self.marks()
        yield from self.curves()
        yield from self.ends()
        yield from self.labels()
        yield f'<line class="cursor" y1="{number(self.top)}" y2="{number(self.bottom)}" visibility="hidden"/>'
        yield "</svg>\n"

    def described(self) -> str:
        ends = [f"{c.name}{' (dashed)' if c.is_dashed else ''} ends at {self.end_text(c)}" for c in self.chart.curves]
        return f"{self.chart.title} over steps. {'; '.join(ends)}."

    def end_text(self, curve: Curve) -> str:
        step, value = curve.points[-1]
        return f"{value:.4g}{f' {self.chart.unit}' if self.chart.unit else ''} at step {step:,.0f}"

    def text(self, x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick") -> str:
        at = f'x="{number(x)}" y="{number(y)}"'
        return f'<text {at} text-anchor="{anchor}" class="{kind}">{escaped(text)}</text>'

    def axes(self) -> Iterator[str]:
        ends = f'x1="{number(self.left)}" x2="{number(self.right)}"'
        for tick in self.ticks:
            y = self.y(tick)
            yield f'<line {ends} y1="{number(y)}" y2="{number(y)}" class="grid"/>'
            yield self.text(self.left - 7, y + 4, self.value_text(tick), "end")
        yield f'<line {ends} y1="{number(self.bottom)}" y2="{number(self.bottom)}" class="base"/>'
        most = max(2, int((self.right - self.left) / 70))
        rows = [("steps", self.bottom + 16, self.x)]
        if self.chart.steps_per_epoch:
            epochs = Scale(0.0, self.x.high / float(self.chart.steps_per_epoch), self.left, self.right)
            rows.append(("epochs", self.bottom + 32, epochs))
        for name, line, scale in rows:
            yield self.text(self.left - 7, line, name, "end", "axis")
            for tick in linear_ticks(0.0, scale.high, most, whole=name == "steps"):
                x = scale(tick)
                if name == "steps":
                    at = f'x1="{number(x)}" x2="{number(x)}" y1="{number(self.bottom)}"'
                    yield f'<line {at} y2="{number(self.bottom + 4)}" class="base"/>'
                yield self.text(x, line, short_number(tick))

    def marks(self) -> Iterator[str]:
        """A dotted line for each moment; its text where there is room, at the top."""
        free = self.left
        for step, some in itertools.groupby(self.chart.marks, lambda mark: mark.step):
            held = list(some)
            x = self.x(step)
            text = " / ".join(dict.fromkeys(mark.text for mark in held))
            told = f"step {step:,}: {text}"
            at = f'x1="{number(x)}" x2="{number(x)}" y1="{number(self.top)}" y2="{number(self.bottom)}"'
            yield f'<line {at} class="mark"><title>{escaped(told)}</title></line>'
            runs = sorted({run for mark in held for run in mark.runs})
            there = {curve.run for curve in self.chart.curves if curve.points[-1][0] >= step}
            several = len(there) > 1 and bool(there - set(runs))
            long = width_of(text, 10.5) * 1.04 + (11 * len(runs) if several else 0)
            start = min(max(x - long / 2, self.left), self.width - long - 2)
            if start < free or (several and len(runs) > 4):
                continue
            free = start + long + 8
            if several:
                for k, run in enumerate(runs):
                    yield symbol(run, start + 4 + 11 * k, self.top - 8, 3)
                start += 11 * len(runs)
            yield self.text(start, self.top - 4.5, text, "start", "moment")

    def curves(self) -> Iterator[str]:
        """In an element of its own, outside which nothing of them is drawn."""
        at = f'x="{number(self.left)}" y="{number(self.top)}"'
        size = self.right + 3 - self.left, self.bottom + 2 - self.top
        box = f"{number(self.left)} {number(self.top)} {number(size[0])} {number(size[1])}"
        yield f'<svg {at} width="{number(size[0])}" height="{number(size[1])}" viewBox="{box}" class="inside">'
        for curve in sorted(self.chart.curves, key=lambda curve: not curve.is_dashed):
            points = thinned(curve.points, max(1, int(self.right - self.left) // 2))
            text = " ".join(f"{number(self.x(x))},{number(self.y(y))}" for x, y in points)
            look = (" dashed" if curve.is_dashed else "") + (" fine" if len(points) > MANY else "")
            if len(points) > 1:
                yield f'<polyline points="{text}" class="curve c{curve.run % len(COLOURS)}{look}"/>'
        yield "</svg>"

    def ends(self) -> Iterator[str]:
        for curve in self.chart.curves:
            if not curve.is_dashed:
                yield symbol(curve.run, *self.at(curve.points[-1]))

    def labels(self) -> Iterator[str]:
        """Names at the curves' ends; where other curves are in the way, beside the plot and joined to the ends."""
        taken = [self.box(x, y, 4) for curve in self.chart.curves for x, y in self.way(curve)]
        outside = []
        for curve in self.named:
            x, y = self.at(curve.points[-1])
            text = shortened(curve.name, SIZE, self.label)
            long = width_of(text, SIZE) * 1.04
            spots = [(x + 9, y + up) for up in UPS] if x + 9 + long < self.right else []
            free = [spot for spot in spots if self.is_free((spot[0], spot[1] - 7, spot[0] + long, spot[1] + 7), taken)]
            if free:
                a, b = free[0]
                taken.append((a, b - 7, a + long, b + 7))
                if abs(b - y) > LINE:
                    yield self.lead(curve, (x + 2, y), (a - 2, b))
                yield self.text(a, b + 4, text, "start", "name")
            else:
                outside.append((curve, text))
        yield from self.beside(outside)

    def lead(self, curve: Curve, *way: tuple[float, float]) -> str:
        line = " ".join(f"{number(x)},{number(y)}" for x, y in way)
        return f'<polyline points="{line}" class="lead c{curve.run % len(COLOURS)}"/>'

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        return self.x(point[0]), self.y(point[1])

    def way(self, curve: Curve) -> Iterator[tuple[float, float]]:
        """Points along a curve as it is drawn, near to each other; its end aside."""
        points = [self.at(point) for point in thinned(curve.points, 500)]
        for (a, b), (c, d) in itertools.pairwise(points):
            count = max(1, int(max(abs(c - a), abs(d - b)) / 6))
            yield from ((a + (c - a) * k / count, b + (d - b) * k / count) for k in range(count))

    def box(self, x: float, y: float, half: float) -> Box:
        return x - half, y - half, x + half, y + half

    def is_free(self, box: Box, taken: Sequence[Box]) -> bool:
        """Whether a box is inside the plot and meets none of the others."""
        left, top, right, bottom = box
        if top < self.top or bottom > self.bottom:
            return False
        return not any(left < r and a < right and top < b and t < bottom for a, t, r, b in taken)

    def beside(self, named: Sequence[tuple[Curve, str]]) -> Iterator[str]:
        """Names right of the plot, in the order of their ends, and so far from each other that all can be read."""
        ends = [self.at(curve.points[-1]) for curve, _ in named]
        places = spread([y for _, y in ends], LINE, self.top + 2, self.bottom - 2)
        for (curve, text), (x, y), place in zip(named, ends, places, strict=True):
            start, foot = self.right + 20, max(self.right + 8, x + 5)
            yield self.lead(curve, (x + 5, y), (foot, y), (start - 3, place))
            yield self.text(start, place + 4, text, "start", "name")
