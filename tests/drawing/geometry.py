"""What every picture must keep, checked on its coordinates."""

from collections.abc import Iterator

from archspec.drawing.curve import samples
from archspec.drawing.item import Line
from archspec.drawing.layout import HEADER, LINE, PAD, Placed
from archspec.drawing.text import width_of

SLACK = 0.01


def mistakes(placed: Placed) -> list[str]:
    """Everything that is wrong with a picture."""
    return list(_inside(placed))


def _inside(placed: Placed) -> Iterator[str]:
    for number, one in enumerate(placed.items):
        if not within(one, placed):
            yield f"{name(one)} reaches out of {name(placed)}"
        for two in placed.items[number + 1 :]:
            if overlap(one, two):
                yield f"{name(one)} and {name(two)} overlap"
        yield from _inside(one) if one.item.open else _labels(one)
        if one.item.open:
            yield from _header(one)
    ends = {item.item.box.path: item for item in placed.items}
    for route in placed.routes:
        points = list(samples(route))
        for point in points:
            if not holds(placed, point, -SLACK):
                yield f"the wire of {route.value} leaves {name(placed)}"
                break
        for item in placed.items:
            if any(holds(item, point, 0.5) for point in points):
                yield f"the wire of {route.value} from {route.source} to {route.target} crosses {name(item)}"
        start, end = route.points[0], route.points[-1]
        if route.source and not touches(ends[route.source], start, after=True, down=route.down):
            yield f"the wire of {route.value} does not begin at {route.source}"
        if route.target and not touches(ends[route.target], end, after=False, down=route.down):
            yield f"the wire of {route.value} does not end at {route.target}"


def _labels(placed: Placed) -> Iterator[str]:
    for line in placed.item.lines:
        if width_of(line.text, line.size) > placed.width - 8:
            yield f"{name(placed)}: {line.text!r} is wider than its box"
    if len(placed.item.lines) * LINE > placed.height:
        yield f"{name(placed)}: its lines are higher than its box"


def _header(placed: Placed) -> Iterator[str]:
    if sum(line.width + 8 for line in placed.item.lines) - 8 > placed.width - 2 * PAD + SLACK:
        yield f"{name(placed)}: its header is wider than its frame"
    for item in placed.items:
        if item.y < placed.y + HEADER - SLACK:
            yield f"{name(item)} is under the header of {name(placed)}"


def name(placed: Placed) -> str:
    return placed.item.box.path or "the network"


def within(inner: Placed, outer: Placed) -> bool:
    return (
        inner.x >= outer.x - SLACK
        and inner.y >= outer.y - SLACK
        and inner.x + inner.width <= outer.x + outer.width + SLACK
        and inner.y + inner.height <= outer.y + outer.height + SLACK
    )


def overlap(one: Placed, two: Placed) -> bool:
    return (
        one.x < two.x + two.width - SLACK
        and two.x < one.x + one.width - SLACK
        and one.y < two.y + two.height - SLACK
        and two.y < one.y + one.height - SLACK
    )


def holds(placed: Placed, point: tuple[float, float], margin: float) -> bool:
    """Whether a point is inside, so far from the border."""
    return (
        placed.x + margin < point[0] < placed.x + placed.width - margin
        and placed.y + margin < point[1] < placed.y + placed.height - margin
    )


def touches(placed: Placed, point: tuple[float, float], *, after: bool, down: bool) -> bool:
    """Whether a point is on the side of a box where wires leave it, or come to it."""
    x, y = point
    along = placed.x <= x <= placed.x + placed.width if down else placed.y <= y <= placed.y + placed.height
    if down:
        across = abs(y - (placed.y + placed.height if after else placed.y))
    else:
        across = abs(x - (placed.x + placed.width if after else placed.x))
    return along and across < SLACK


def texts(lines: tuple[Line, ...]) -> list[str]:
    return [line.text for line in lines]
