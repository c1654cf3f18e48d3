"""A network with its minor layers left out, as the figures of papers draw it.

What a layer without weights does to single numbers (activations, norms, dropout), and what only arranges them
(flatten), is taken for granted: whoever reads it reads what it read. It is drawn only where nothing reads it. Groups
have no frames here: what is shown are boxes in one picture. Outputs are left out; the last layer stands for them.
"""

from __future__ import annotations

from archspec.drawing.diagram import Wire
from archspec.drawing.flat import Edge, closed_items, edges
from archspec.drawing.item import Item

MINOR_FAMILIES = frozenset({"activation", "normalization", "dropout"})
MINOR_OPS = frozenset({"flatten", "identity", "option_a", "channel_slice", "reshape"})
DOTTED_OPS = frozenset({"option_a"})
"""Layers whose wire is dotted: shortcuts that change shapes without parameters (He et al. 2015, figure 3)."""


def compact(item: Item) -> Item:
    """The closed boxes of a picture without minor ones, side by side in one group."""
    boxes = [box for box in closed_items(item) if box.box.kind != "output"]
    found = [edge for edge in edges(item) if edge.target.box.kind != "output"]
    entering: dict[int, list[Edge]] = {}
    for edge in found:
        entering.setdefault(id(edge.target), []).append(edge)
    read = {id(edge.source) for edge in found}
    kept = [box for box in boxes if id(box) not in read or not _is_minor(box, entering)]
    number = {id(box): place for place, box in enumerate(kept)}
    wires: list[Wire] = []
    for box in kept:
        seen: dict[tuple[int, int], bool] = {}
        for edge in entering.get(id(box), []):
            first, dotted = _origin(edge, entering)
            start = number[id(first.source)], first.source.outs.index(first.value)
            seen[start] = seen.get(start, True) and dotted
        for port, ((source, out_port), dotted) in enumerate(seen.items()):
            wires.append(Wire(source, out_port, number[id(box)], port, "dotted" if dotted else ""))
    return Item(item.box, (), True, tuple(kept), tuple(wires))


def _is_minor(item: Item, entering: dict[int, list[Edge]]) -> bool:
    box = item.box
    if box.kind != "layer" and not box.is_group:
        return False
    minor = box.family in MINOR_FAMILIES or box.op in MINOR_OPS or _inner_op(item) in MINOR_OPS
    return minor and len(entering.get(id(item), [])) == 1


def _inner_op(item: Item) -> str:
    """The op of a closed group's only layer."""
    box = item.box
    while len(box.children) == 1:
        box = box.children[0]
    return box.op if box is not item.box else ""


def _origin(edge: Edge, entering: dict[int, list[Edge]]) -> tuple[Edge, bool]:
    """The edge by which a value comes once minor boxes are left out, and whether its wire is dotted for them."""
    dotted = False
    while _is_minor(edge.source, entering):
        dotted |= edge.source.box.op in DOTTED_OPS or _inner_op(edge.source) in DOTTED_OPS
        edge = entering[id(edge.source)][0]
    return edge, dotted


def trunk(item: Item) -> list[Item]:
    """The boxes on the longest way through a compact picture, auxiliary heads aside, in order."""
    count = len(item.items)
    longest, before = [1] * count, [-1] * count
    for wire in sorted(item.wires, key=lambda wire: wire.target):
        if not item.items[wire.target].box.training_only and longest[wire.source] + 1 > longest[wire.target]:
            longest[wire.target], before[wire.target] = longest[wire.source] + 1, wire.source
    at = max(range(count), key=longest.__getitem__, default=-1)
    way = []
    while at >= 0:
        way.append(item.items[at])
        at = before[at]
    return way[::-1]
