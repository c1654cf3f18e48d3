"""The ways of wires as curves: for SVG, and as points that lie on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import sqrt

from archspec.drawing.layout import ARROW, Piece, Point, Route
from archspec.drawing.svg import number


def pieces(route: Route) -> Iterator[Piece]:
    """The curves and lines of a route; where it ends in an arrow, they end at the arrow's foot."""
    if route.curves:
        yield from route.curves
        return
    points = list(route.points)
    if route.arrow:
        points = _before_arrow(points, route.down)
    for place, (one, two) in enumerate(itertools.pairwise(points)):
        if one == two:
            continue
        if place % 2:
            yield one, one, two, two
        elif route.down:
            middle = (one[1] + two[1]) / 2
            yield one, (one[0], middle), (two[0], middle), two
        else:
            middle = (one[0] + two[0]) / 2
            yield one, (middle, one[1]), (middle, two[1]), two


def _before_arrow(points: list[Point], down: bool) -> list[Point]:
    x, y = points[-1]
    foot = (x, y - ARROW) if down else (x - ARROW, y)
    place = len(points) - 1
    while points[place] == points[-1] and place > 0:
        place -= 1
    return [*points[: place + 1], *([foot] * (len(points) - place - 1))]


def path_text(route: Route, drawn: set[Piece] | None = None) -> str:
    """A route as the data of an SVG path, without the pieces that are drawn already; these are added to."""
    found: list[str] = []
    end: Point | None = None
    for piece in pieces(route):
        one, two, three, four = piece
        if drawn is not None:
            if piece in drawn:
                continue
            drawn.add(piece)
        if one != end:
            found.append(f"M{_at(one)}")
        if (one == two and three == four) or _straight(one, four):
            found.append(f"L{_at(four)}")
        else:
            found.append(f"C{_at(two)} {_at(three)} {_at(four)}")
        end = four
    return "".join(found)


def _straight(one: Point, two: Point) -> bool:
    return abs(one[0] - two[0]) < 0.05 or abs(one[1] - two[1]) < 0.05


def _at(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def arrow_head(route: Route) -> list[Point]:
    """The triangle at the end of a route."""
    x, y = route.points[-1]
    half = ARROW * 0.5
    if route.curves:
        foot = route.curves[-1][-1]
        long = max(0.01, sqrt((x - foot[0]) ** 2 + (y - foot[1]) ** 2))
        along, across = (x - foot[0]) / long, (y - foot[1]) / long
        return [
            (x, y),
            (foot[0] - across * half, foot[1] + along * half),
            (foot[0] + across * half, foot[1] - along * half),
        ]
    if route.down:
        return [(x, y), (x - half, y - ARROW), (x + half, y - ARROW)]
    return [(x, y), (x - ARROW, y - half), (x - ARROW, y + half)]


def samples(route: Route, steps: int = 12) -> Iterator[Point]:
    """Points along a route, its ends included."""
    for one, two, three, four in pieces(route):
        for step in range(steps + 1):
            t = step / steps
            s = 1 - t
            weights = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
            yield (
                sum(w * p[0] for w, p in zip(weights, (one, two, three, four), strict=True)),
                sum(w * p[1] for w, p in zip(weights, (one, two, three, four), strict=True)),
            )
