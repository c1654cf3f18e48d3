"""A network with its minor layers left out, as the figures of papers draw it.

What a layer without weights does to single numbers (activations, norms, dropout), and what only arranges them
(flatten), is taken for granted: whoever reads it reads what it read. Groups have no frames here: what is shown are
boxes in one picture. Outputs are left out; the last layer stands for them.
"""

from __future__ import annotations

from dataclasses import replace

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
    kept = [box for box in boxes if not _is_minor(box, entering)]
    number = {id(box): place for place, box in enumerate(kept)}
    wires: list[Wire] = []
    for box in kept:
        seen: dict[int, bool] = {}
        for edge in entering.get(id(box), []):
            source, dotted = _source(edge.source, entering)
            seen[number[id(source)]] = seen.get(number[id(source)], True) and dotted
        for port, (start, dotted) in enumerate(seen.items()):
            wires.append(Wire(start, 0, number[id(box)], port, "dotted" if dotted else ""))
    items = tuple(replace(box, outs=box.outs[-1:]) for box in kept)
    return Item(item.box, (), True, items, tuple(wires))


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


def _source(item: Item, entering: dict[int, list[Edge]]) -> tuple[Item, bool]:
    """The box that a value comes from once minor ones are left out, and whether its wire is dotted for that."""
    dotted = False
    while _is_minor(item, entering):
        dotted |= item.box.op in DOTTED_OPS or _inner_op(item) in DOTTED_OPS
        item = entering[id(item)][0].source
    return item, dotted
