"""Layers below the roofline of a machine: what they reach, beside what their arithmetic intensity allows.

Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model"
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from archspec.drawing.chart import COLOURS, Scale, log_ticks, short_number
from archspec.drawing.svg import Drawing, number
from archspec.drawing.text import FAMILY, width_of
from archspec.views.measured import LayerTime, Machine

WIDTH, HEIGHT = 860.0, 446.0
"""Of the picture, and of what is below the names of the networks."""
LEFT, RIGHT, BOTTOM = 64.0, 24.0, 52.0
LEGEND, LINE = 44.0, 17.0
"""Where the names of the networks begin, and from one line of them to the next."""
SIZE = 11.5
NAMED = 6
"""Layers of each network that have their name beside them: those that take the longest."""
LARGEST = 15.0
"""Radius of a layer that takes all the time."""
DARK, MUTED, FAINT = "#1f2328", "#59636e", "#e4e7eb"


def roofline(machine: Machine, networks: Sequence[tuple[str, Sequence[LayerTime]]]) -> str:
    """An SVG of layers that compute, each as a disc whose area is its share of the time.

    To the right is more arithmetic for each byte; the roof is the machine's, and below it is what could be gained.
    """
    return _Roofline(machine, networks).svg()


class _Roofline:
    def __init__(self, machine: Machine, networks: Sequence[tuple[str, Sequence[LayerTime]]]) -> None:
        self.machine, self.networks = machine, networks
        self.legend = list(_legend(networks))
        self.top = self.legend[-1][2] + 30
        self.height = HEIGHT + self.top
        self.foot = self.height - BOTTOM
        points = [(_intensity(layer), _rate(layer)) for _, layers in networks for layer in _computing(layers)]
        ridge = machine.flops / machine.bandwidth
        xs, ys = [x for x, _ in points] + [ridge], [y for _, y in points] + [machine.flops]
        self.x = Scale(min(xs) / 2, max(xs) * 2.5, LEFT, WIDTH - RIGHT, True)
        self.y = Scale(min(ys) / 2, max(ys) * 1.6, self.foot, self.top, True)
        self.drawing = Drawing()
        self.taken: list[tuple[float, float, float, float]] = []

    def svg(self) -> str:
        d = self.drawing
        size = f"{number(WIDTH)} {number(self.height)}"
        d.open(
            "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {size}", width=WIDTH, height=number(self.height),
            role="img", font_family=FAMILY, font_size=SIZE,
        )  # fmt: skip
        d.element("title", "Layers below the roofline of this machine")
        d.element("rect", x=0, y=0, width=WIDTH, height=self.height, fill="#ffffff")
        self.heading()
        self.axes()
        self.roof()
        for k, (_, layers) in enumerate(self.networks):
            self.discs(layers, COLOURS[k % len(COLOURS)][0])
        for k, (_, layers) in enumerate(self.networks):
            self.names(layers, COLOURS[k % len(COLOURS)][0])
        d.close("svg")
        return "".join(d._parts) + "\n"

    def heading(self) -> None:
        machine = self.machine
        peaks = f"{machine.flops / 1e9:,.0f} GFLOP/s, {machine.bandwidth / 1e9:,.1f} GB/s"
        where = f"{machine.device}{f', {machine.threads} threads' if machine.threads > 1 else ''}, {machine.dtype}"
        self.text(LEFT, 22, f"Layers below the roofline: {where}: {peaks}", DARK, size=13.5)
        for k, (label, at, line) in enumerate(self.legend):
            colour = COLOURS[k % len(COLOURS)][0]
            self.drawing.element("circle", cx=number(at + 5), cy=number(line - 4), r=5, fill=colour, fill_opacity=0.75)
            self.text(at + 15, line, label, DARK)

    def axes(self) -> None:
        d = self.drawing
        for tick in log_ticks(self.x.low, self.x.high):
            x = self.x(tick)
            d.element("line", x1=number(x), x2=number(x), y1=number(self.top), y2=number(self.foot), stroke=FAINT)
            self.text(x, self.foot + 16, short_number(tick), MUTED, "middle")
        for tick in log_ticks(self.y.low, self.y.high):
            y = self.y(tick)
            d.element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=number(y), y2=number(y), stroke=FAINT)
            self.text(LEFT - 8, y + 4, short_number(tick / 1e9), MUTED, "end")
        self.text((LEFT + WIDTH - RIGHT) / 2, self.height - 14, "FLOP per byte read and written", DARK, "middle")
        middle = (self.top + self.foot) / 2
        d.element("text", "GFLOP/s", x=16, y=number(middle), fill=DARK, text_anchor="middle",
                  transform=f"rotate(-90 16 {number(middle)})")  # fmt: skip

    def roof(self) -> None:
        machine = self.machine
        ridge = machine.flops / machine.bandwidth
        foot = max(self.x.low, self.y.low / machine.bandwidth)
        way = [(foot, foot * machine.bandwidth), (ridge, machine.flops), (self.x.high, machine.flops)]
        points = " ".join(f"{number(self.x(a))},{number(self.y(b))}" for a, b in way)
        self.drawing.element("polyline", points=points, fill="none", stroke=DARK, stroke_width=1.6)

    def discs(self, layers: Sequence[LayerTime], colour: str) -> None:
        total = sum(layer.seconds for layer in layers)
        for layer in sorted(_computing(layers), key=lambda one: -one.seconds):
            x, y, r = *self.place(layer), _radius(layer, total)
            self.drawing.open("circle", cx=number(x), cy=number(y), r=number(r), fill=colour, fill_opacity=0.55,
                              stroke="#ffffff", stroke_width=0.8)  # fmt: skip
            limit = layer.limit(self.machine)
            said = f"{layer.name}: {layer.seconds * 1e3:,.3f} ms, {layer.seconds / limit:.1f} times its limit"
            self.drawing.element("title", said)
            self.drawing.close("circle")
            self.taken.append((x - r, y - r, x + r, y + r))

    def names(self, layers: Sequence[LayerTime], colour: str) -> None:
        """The names of the longest layers, each where it covers neither discs nor names."""
        total = sum(layer.seconds for layer in layers)
        for layer in sorted(_computing(layers), key=lambda one: -one.seconds)[:NAMED]:
            x, y, r = *self.place(layer), _radius(layer, total)
            long = width_of(layer.name, SIZE) * 1.04
            for left, base in _spots(x, y, r, long):
                box = left, base - 10, left + long, base + 3
                inside = box[0] >= LEFT and box[2] <= WIDTH - 4 and box[1] >= self.top - 8 and box[3] <= self.foot
                if inside and not any(
                    box[0] < c and a < box[2] and box[1] < d and b < box[3] for a, b, c, d in self.taken
                ):
                    self.taken.append(box)
                    self.text(left, base, layer.name, colour)
                    break

    def place(self, layer: LayerTime) -> tuple[float, float]:
        return self.x(_intensity(layer)), self.y(_rate(layer))

    def text(self, x: float, y: float, text: str, colour: str, anchor: str = "start", size: float = SIZE) -> None:
        self.drawing.element("text", text, x=number(x), y=number(y), fill=colour, text_anchor=anchor, font_size=size)


def _legend(networks: Sequence[tuple[str, Sequence[LayerTime]]]) -> Iterator[tuple[str, float, float]]:
    """What is said of each network, and where: as many on a line as fit."""
    at, line = LEFT, LEGEND
    for name, layers in networks:
        total = sum(layer.seconds for layer in layers)
        share = sum(layer.seconds for layer in _computing(layers)) / total
        label = f"{name}: {total * 1e3:,.1f} ms, {share:.0%} of it shown"
        long = width_of(label, SIZE) * 1.04 + 34
        if at + long > WIDTH and at > LEFT:
            at, line = LEFT, line + LINE
        yield label, at, line
        at += long


def _computing(layers: Sequence[LayerTime]) -> list[LayerTime]:
    """The layers that multiply and add: the others have no place in this picture."""
    return [layer for layer in layers if layer.flops and layer.bytes]


def _intensity(layer: LayerTime) -> float:
    return layer.flops / layer.bytes


def _rate(layer: LayerTime) -> float:
    return layer.flops / layer.seconds


def _radius(layer: LayerTime, total: float) -> float:
    return max(2.5, LARGEST * 2 * math.sqrt(layer.seconds / total))


def _spots(x: float, y: float, r: float, long: float) -> Iterator[tuple[float, float]]:
    """Left end and base line of a text near a disc, best first."""
    for away in (4.0, 16.0, 30.0):
        yield x + r + away, y + 4
        yield x - r - away - long, y + 4
        yield x - long / 2, y + r + 9 + away
        yield x - long / 2, y - r - away
        yield x + r * 0.7 + away, y + r * 0.7 + 6 + away
        yield x - r * 0.7 - long - away, y + r * 0.7 + 6 + away
        yield x + r * 0.7 + away, y - r * 0.7 - away
