"""Where everything goes: sizes and places of boxes, and the ways of wires, from the plans of all open groups.

A group is laid out by itself, its children first. Along the rows each string of vertices wants to stand at the mean
of what it is joined to, and boxes keep a distance; this is solved by rounds in which all strings move to where they
want to be, are pushed apart once from the left and once from the right, and take the middle of both: a step that
keeps every distance and treats both sides alike. Wires run straight through rows and turn between them, so that none
can cross a box.

Coordinates are pixels. Inside this file u runs along the rows and v across them: from top to bottom, or, where the
picture reads from left to right, from left to right.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from archspec.drawing.item import Item
from archspec.drawing.plan import Plan, plan_of_children


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances of one style."""

    gap: float = 20.0
    """Between boxes of a row."""
    bend_gap: float = 12.0
    """Between a wire and a box of its row, and between wires."""
    row_gap: float = 26.0
    """Between rows, at least."""
    steep: float = 0.16
    """A wire that runs further sideways gets rows further apart: this part of the way, and some."""
    most_row_gap: float = 90.0
    port_gap: float = 16.0
    """Between the ends of wires at a box."""


PAD = 12.0
"""Between a group's border and what is inside."""
HEADER = 22.0
"""Height of a group's header."""
LINE = 14.0
"""Height of a line of text in a box."""
BOX_PAD = (10.0, 6.0)
"""Around the text of a box: to the sides, above and below."""
LEAST_WIDTH = 64.0
ARROW = 6.0
"""Length and width of an arrow's head."""
ROUNDS = 40
TOUCH = 0.5
"""What floats and is nearer than its distance by less than this does not push others down."""
MOST_ASIDE = 120.0
"""How far straight wires may lead a string of boxes aside. Beyond it, and where boxes are joined by several values, the
next box stands middle under middle, and the wire bends."""
STACK = 4.0
"""By how much the sheets of a stack are shifted."""

Point = tuple[float, float]
Piece = tuple[Point, Point, Point, Point]
"""A cubic Bezier curve; a line is one whose inner points lie on it."""


@dataclass(frozen=True, slots=True)
class Route:
    """A wire as it is drawn: from its first point by curves that leave and arrive straight, and by lines."""

    value: str
    """The node whose output it carries."""
    points: tuple[Point, ...]
    """Two by two: a curve from the first to the second, a line to the third, a curve to the fourth, and so on."""
    source: str
    target: str
    """Paths of the boxes at its ends; empty for a border."""
    arrow: bool
    dashed: bool
    down: bool
    mark: str = ""
    curves: tuple[Piece, ...] = ()
    """The way itself, where another engine has laid it out; then `points` are its ends."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An item with its place."""

    item: Item
    x: float
    y: float
    width: float
    height: float
    items: tuple[Placed, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(slots=True)
class _Laid:
    """An item's size, and its ports as distances from its middle; what is inside is placed from its corner."""

    item: Item
    du: float
    dv: float
    ins: dict[int, float] = field(default_factory=dict)
    outs: dict[int, float] = field(default_factory=dict)
    inner: list[tuple[_Laid, float, float]] = field(default_factory=list)
    """Items and their corners."""
    ways: list[tuple[int, list[Point]]] = field(default_factory=list)
    """Numbers of wires and their points, in this group's coordinates."""


def closed_size(item: Item) -> tuple[float, float]:
    """Width and height of a closed box."""
    words = max((line.width for line in item.lines), default=0.0) + 2 * BOX_PAD[0]
    width = max(words, 2 * ARROW * (len(item.ins) - 1) + 16)
    return max(LEAST_WIDTH, float(-(-width // 2) * 2)), len(item.lines) * LINE + 2 * BOX_PAD[1]


@dataclass
class Layout:
    """Lays out one picture."""

    down: bool = True
    """Whether it reads from top to bottom; else from left to right."""
    measure: Callable[[Item], tuple[float, float]] = closed_size
    """Width and height of a closed box."""
    spacing: Spacing = Spacing()
    label_of: Callable[[str], float] | None = None
    """Of a value, the width of a label beside its wires, where they have some."""
    label_room: float = 0.0
    """Room that labels take between rows that are read from left to right."""

    def place(self, item: Item) -> Placed:
        """Everything in its place, from the corner (0, 0). Errors: TooLarge"""
        return self._placed(self._lay(item), 0.0, 0.0)

    def _uv(self, width: float, height: float) -> tuple[float, float]:
        return (width, height) if self.down else (height, width)

    def _closed_size(self, item: Item) -> tuple[float, float]:
        """Width and height of a closed box; wide enough for a label below its right half."""
        width, height = self.measure(item)
        if self.label_of and self.down and item.outs:
            width = max(width, *(2 * self.label_of(value) + 16 for value in item.outs))
        return width, height

    def _lay(self, item: Item) -> _Laid:
        if not item.open:
            return _Laid(item, *self._uv(*self._closed_size(item)))
        boxes = [child.box for child in item.items]
        plan = plan_of_children(boxes, len(item.ins), len(item.outs), item.wires)
        children = [self._lay(child) for child in item.items]
        for number, child in enumerate(children):
            if not child.item.open:
                _spread_ports(child, plan, number, self.spacing.port_gap)
        return self._group(item, plan, children)

    def _group(self, item: Item, plan: Plan, children: list[_Laid]) -> _Laid:
        u = _across(plan, children, self.spacing)
        left = min((u[v] - _half(plan, children, v) for row in plan.rows for v in row), default=0.0)
        right = max((u[v] + _half(plan, children, v) for row in plan.rows for v in row), default=0.0)
        framed = item.box.kind != "network"
        header = item.header_width + 2 * PAD if framed else 0.0
        pad = PAD if framed else 0.0
        du = right - left + 2 * pad
        before = pad
        if framed and self.down:
            before += max(0.0, (header - du) / 2)
            du = max(du, header)
        u_first = HEADER if framed and not self.down else 0.0
        shift = before - left + u_first
        du += u_first
        v_first = (HEADER if self.down else 0.0) if framed else 0.0
        rows = _Rows(plan, children, u, self.spacing, self.label_room if not self.down else 0.0)
        rows.fill(v_first, framed)
        dv = rows.end if self.down else max(rows.end, header)
        laid = _Laid(item, du, dv)
        first = plan.children
        laid.ins = {k: u[first + k] + shift - du / 2 for k in range(plan.in_ports)}
        first += plan.in_ports
        laid.outs = {k: u[first + k] + shift - du / 2 for k in range(plan.out_ports)}
        for number, child in enumerate(children):
            laid.inner.append((child, u[number] + shift - child.du / 2, rows.corner[number]))
        along = {vertex: place + shift for vertex, place in u.items()}
        laid.ways = [(number, _way(plan, laid, number, rows, along, v_first)) for number in range(len(plan.ways))]
        return laid

    def _placed(self, laid: _Laid, u: float, v: float) -> Placed:
        x, y = self._uv(u, v)
        width, height = self._uv(laid.du, laid.dv)
        item = laid.item
        items = tuple(self._placed(child, u + cu, v + cv) for child, cu, cv in laid.inner)
        routes = tuple(self._route(laid, number, points, u, v) for number, points in laid.ways)
        return Placed(item, x, y, width, height, items, routes)

    def _route(self, laid: _Laid, number: int, points: Sequence[Point], u: float, v: float) -> Route:
        item = laid.item
        wire = item.wires[number]
        source = item.items[wire.source] if wire.source >= 0 else None
        target = item.items[wire.target] if wire.target >= 0 else None
        value = source.outs[wire.out_port] if source else item.ins[wire.out_port]
        dashed = any(end is not None and end.box.training_only for end in (source, target))
        return Route(
            value,
            tuple(self._uv(u + pu, v + pv) for pu, pv in points),
            source.box.path if source else "",
            target.box.path if target else "",
            target is not None,
            dashed or item.box.training_only,
            self.down,
            wire.mark,
        )


def _half(plan: Plan, children: Sequence[_Laid], vertex: int) -> float:
    return children[vertex].du / 2 if vertex < plan.children else 0.0


def _spread_ports(child: _Laid, plan: Plan, number: int, port_gap: float) -> None:
    """The ends of wires at a closed box: beside each other, the one from straight above in the middle."""
    ports, middle = plan.slots[number]
    base = float(middle) if middle >= 0 else (len(ports) - 1) / 2
    widest = max(base, len(ports) - 1 - base, 0.5)
    gap = min(port_gap, max(child.du / 4, child.du / 2 - 8) / widest)
    child.ins = {port: (place - base) * gap for place, port in enumerate(ports)}
    outs = plan.exits[number]
    gap = min(port_gap, (child.du - 16) / max(len(outs) - 1, 1))
    child.outs = {port: (place - (len(outs) - 1) / 2) * gap for place, port in enumerate(outs)}


def _across(plan: Plan, children: Sequence[_Laid], spacing: Spacing) -> dict[int, float]:
    """The place of every vertex along its row."""
    offset, string_of = _offsets(plan, children)
    pairs = _distances(plan, children, offset, string_of, spacing)
    pulls = _pulls(plan, children, offset, string_of)
    count = len(plan.strings)
    at = _pushed([0.0] * count, pairs)
    rounds = ROUNDS if count < 400 else 12
    if pulls:
        for _ in range(rounds):
            wanted = [
                0.5 * at[s] + 0.5 * sum(w * (at[o] + d) for o, d, w in pulls[s]) / sum(w for _, _, w in pulls[s])
                if pulls[s]
                else at[s]
                for s in range(count)
            ]
            at = _pushed(wanted, pairs)
    return {vertex: at[string_of[vertex]] + offset[vertex] for row in plan.rows for vertex in row}


def _out(plan: Plan, children: Sequence[_Laid], vertex: int, port: int) -> float:
    """How far from its middle a wire leaves a vertex."""
    return children[vertex].outs.get(port, 0.0) if vertex < plan.children else 0.0


def _in(plan: Plan, children: Sequence[_Laid], vertex: int, port: int) -> float:
    return children[vertex].ins.get(port, 0.0) if vertex < plan.children else 0.0


def _joints(plan: Plan) -> dict[tuple[int, int], tuple[int, int]]:
    """(upper, lower) of every piece of a wire -> the ports at both ends."""
    joints: dict[tuple[int, int], tuple[int, int]] = {}
    for way, (out_port, in_port) in zip(plan.ways, plan.ports, strict=True):
        for number, pair in enumerate(itertools.pairwise(way)):
            out = out_port if number == 0 else 0
            into = in_port if number == len(way) - 2 else 0
            joints.setdefault(pair, (out, into))
    return joints


def _offsets(plan: Plan, children: Sequence[_Laid]) -> tuple[dict[int, float], dict[int, int]]:
    """How far each vertex stands from its string, so that wires within a string are straight."""
    joints = _joints(plan)
    offset: dict[int, float] = {}
    string_of: dict[int, int] = {}
    for number, string in enumerate(plan.strings):
        at = 0.0
        for upper, vertex in zip((None, *string), string, strict=False):
            if upper is not None:
                if (upper, vertex) not in joints:  # both stand alone in their rows, others are between
                    offset[vertex], string_of[vertex] = at, number
                    continue
                out, into = joints[(upper, vertex)]
                aside = _out(plan, children, upper, out) - _in(plan, children, vertex, into)
                boxes = upper < plan.children and vertex < plan.children
                if not boxes or (len(plan.exits[upper]) == 1 and abs(at + aside) <= MOST_ASIDE):
                    at += aside
            offset[vertex], string_of[vertex] = at, number
    return offset, string_of


def _distances(
    plan: Plan, children: Sequence[_Laid], offset: dict[int, float], string_of: dict[int, int], spacing: Spacing
) -> list[tuple[int, int, float]]:
    """(left string, right string, least distance), in an order that goes from left to right."""
    least: dict[tuple[int, int], float] = {}
    for row in plan.rows:
        for left, right in itertools.pairwise(row):
            both = left < plan.children and right < plan.children
            apart = (
                _half(plan, children, left) + _half(plan, children, right) + (spacing.gap if both else spacing.bend_gap)
            )
            pair = string_of[left], string_of[right]
            least[pair] = max(least.get(pair, 0.0), apart + offset[left] - offset[right])
    return sorted((left, right, apart) for (left, right), apart in least.items())


def _pulls(
    plan: Plan, children: Sequence[_Laid], offset: dict[int, float], string_of: dict[int, int]
) -> list[list[tuple[int, float, float]]]:
    """Of each string, the strings that pull at it: number, distance at which a wire is straight, strength."""
    pulls: list[list[tuple[int, float, float]]] = [[] for _ in plan.strings]
    fixed = plan.children + plan.in_ports + plan.out_ports
    for (upper, lower), (out, into) in _joints(plan).items():
        one, two = string_of[upper], string_of[lower]
        if one == two:
            continue
        start = offset[upper] + _out(plan, children, upper, out)
        end = offset[lower] + _in(plan, children, lower, into)
        strength = 4.0 if upper >= fixed and lower >= fixed else 1.0
        pulls[two].append((one, start - end, strength))
        pulls[one].append((two, end - start, strength))
    return pulls


def _pushed(wanted: Sequence[float], pairs: Sequence[tuple[int, int, float]]) -> list[float]:
    """Places near the wanted ones that keep all distances: the middle of pushing to the right and to the left."""
    right, left = list(wanted), list(wanted)
    for one, two, apart in pairs:
        right[two] = max(right[two], right[one] + apart)
    for one, two, apart in reversed(pairs):
        left[one] = min(left[one], left[two] - apart)
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]


@dataclass
class _Rows:
    """Where the rows of a group are, across which its wires run.

    Auxiliary heads and the like, which nothing else waits for, float: they hang below the row they begin in, beside
    the rows that follow, and push these down only where they would meet.
    """

    plan: Plan
    children: Sequence[_Laid]
    u: dict[int, float]
    spacing: Spacing
    label_room: float
    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    corner: dict[int, float] = field(default_factory=dict)
    """Of each child, where its box begins."""
    floating: set[int] = field(default_factory=set)
    end: float = 0.0
    """The group's own lower end."""
    row_of: dict[int, int] = field(init=False)
    runs: list[float] = field(init=False)
    """Of each row, how far along it a wire that comes to it runs, at most."""

    def __post_init__(self) -> None:
        self.row_of = {vertex: number for number, row in enumerate(self.plan.rows) for vertex in row}
        self.runs = [0.0] * len(self.plan.rows)

    def fill(self, first: float, framed: bool) -> None:
        plan, children = self.plan, self.children
        strings = self._beside(_floating(plan, children))
        self.floating = {vertex for string in strings.values() for vertex in string}
        spans = self._spans(strings)
        hanging: list[tuple[float, float, float]] = []
        bottom = first
        for number, row in enumerate(plan.rows):
            sizes = [children[v].dv for v in row if v < plan.children and v not in self.floating]
            height = max(sizes, default=0.0)
            reached = [
                end
                for left, right, end in hanging
                if any(left + TOUCH < most and least < right - TOUCH for least, most in spans[number])
            ]
            if reached and self.bottoms:
                bottom = self.bottoms[-1] = max(bottom, *reached)
            top = bottom + self._gap(number, framed)
            bottom = top + height
            self.tops.append(top)
            self.bottoms.append(bottom)
            for vertex in row:
                if vertex in strings:
                    hanging.append(self._hang(strings[vertex], top))
                elif vertex < plan.children and vertex not in self.floating:
                    spare = 0.0 if children[vertex].item.open else height - children[vertex].dv
                    self.corner[vertex] = top + spare / 2
        self.end = max([bottom, *(end for _, _, end in hanging)])
        if framed and plan.out_ports and self.end > bottom:
            self.tops[-1] = self.bottoms[-1] = self.end = self.end + PAD
        if framed and not plan.out_ports:
            self.end += PAD

    def _hang(self, string: Sequence[int], top: float) -> tuple[float, float, float]:
        """Place a string that floats; its left, right and lower end."""
        left, right = self._extent(string)
        for vertex in string:
            self.corner[vertex] = top
            top += self.children[vertex].dv + max(self.spacing.row_gap, self.label_room)
        return left - self.spacing.gap, right + self.spacing.gap, top - max(self.spacing.row_gap, self.label_room)

    def _extent(self, string: Sequence[int]) -> tuple[float, float]:
        """Left and right of a string of boxes."""
        halves = [(self.u[vertex], self.children[vertex].du / 2) for vertex in string]
        return min(u - half for u, half in halves), max(u + half for u, half in halves)

    def _beside(self, strings: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
        """The strings that can float: those that begin in one row must not meet below it."""
        kept: dict[int, tuple[int, ...]] = {}
        for first, string in strings.items():
            left, right = self._extent(string)
            beside = (self._extent(other) for v, other in kept.items() if self.row_of[v] == self.row_of[first])
            if all(right < least or most < left for least, most in beside):
                kept[first] = string
        return kept

    def _spans(self, strings: dict[int, tuple[int, ...]]) -> list[list[tuple[float, float]]]:
        """Of each row, what its boxes, bends and the wires that come to it take up along it; notes their runs."""
        spans: list[list[tuple[float, float]]] = [[] for _ in self.plan.rows]
        at_row = self.row_of
        for vertex, number in at_row.items():
            if vertex not in self.floating or number == 0:
                half = _half(self.plan, self.children, vertex)
                spans[number].append((self.u[vertex] - half, self.u[vertex] + half))
        for (upper, lower), (out, into) in _joints(self.plan).items():
            if upper in self.floating:
                continue
            start = self.u[upper] + _out(self.plan, self.children, upper, out)
            end = self.u[lower] + _in(self.plan, self.children, lower, into)
            spans[at_row[lower]].append((min(start, end), max(start, end)))
            self.runs[at_row[lower]] = max(self.runs[at_row[lower]], abs(start - end))
            if lower in strings:
                spans[at_row[lower]].append(self._extent(strings[lower]))
        return spans

    def _gap(self, number: int, framed: bool) -> float:
        """The distance from the row above."""
        plan, run = self.plan, self.runs[number]
        if number == 0:
            return PAD if framed and not plan.in_ports else 0.0
        at = self.spacing
        if number == 1 and plan.in_ports:
            return min(at.most_row_gap, max(PAD + 6, at.steep * run + 8))
        if number == len(plan.rows) - 1 and plan.out_ports:
            return min(at.most_row_gap, max(PAD, at.steep * run + 8)) + self.label_room
        return max(at.row_gap, min(at.most_row_gap, at.row_gap * 0.6 + at.steep * run), self.label_room)


def _floating(plan: Plan, children: Sequence[_Laid]) -> dict[int, tuple[int, ...]]:
    """First vertex -> the strings that float: of parts only training has, with nothing joined but their first."""
    down: dict[int, set[int]] = {}
    up: dict[int, set[int]] = {}
    for way in plan.ways:
        for upper, lower in itertools.pairwise(way):
            down.setdefault(upper, set()).add(lower)
            up.setdefault(lower, set()).add(upper)
    found = {}
    for string in plan.strings:
        aside = all(vertex < plan.children and children[vertex].item.box.training_only for vertex in string)
        if aside and not down.get(string[-1]):
            chained = itertools.pairwise(string)
            if all(down[upper] == {lower} and up[lower] == {upper} for upper, lower in chained):
                found[string[0]] = string
    return found


def _way(plan: Plan, laid: _Laid, number: int, rows: _Rows, along: dict[int, float], first: float) -> list[Point]:
    """The points of a wire: out of its source, straight through the rows between, into its target."""
    wire, way = laid.item.wires[number], plan.ways[number]
    source, target = way[0], way[-1]
    at_row = rows.row_of
    if source < plan.children:
        child, cu, cv = laid.inner[source]
        start, bottom = cu + child.du / 2 + child.outs[wire.out_port], rows.bottoms[at_row[source]]
        points = [(start, cv + child.dv)]
        if source not in rows.floating and bottom > cv + child.dv:
            points += [(start, cv + child.dv), (start, bottom)]
    else:
        points = [(along[source], first)]
    for bend in way[1:-1]:
        points += [(along[bend], rows.tops[at_row[bend]]), (along[bend], rows.bottoms[at_row[bend]])]
    if target < plan.children:
        child, cu, cv = laid.inner[target]
        end, top = cu + child.du / 2 + child.ins[wire.in_port], rows.tops[at_row[target]]
        if target in rows.floating or cv <= top:
            points.append((end, cv))
        else:
            points += [(end, top), (end, cv), (end, cv)]
    else:
        points.append((along[target], laid.dv))
    return points


def moved(placed: Placed, x: float, y: float) -> Placed:
    """The same picture elsewhere."""
    return replace(
        placed,
        x=placed.x + x,
        y=placed.y + y,
        items=tuple(moved(item, x, y) for item in placed.items),
        routes=tuple(_moved_route(route, x, y) for route in placed.routes),
    )


def _moved_route(route: Route, x: float, y: float) -> Route:
    points = tuple((px + x, py + y) for px, py in route.points)
    curves = tuple(
        ((a + x, b + y), (c + x, d + y), (e + x, f + y), (g + x, h + y))
        for (a, b), (c, d), (e, f), (g, h) in route.curves
    )
    return replace(route, points=points, curves=curves)
