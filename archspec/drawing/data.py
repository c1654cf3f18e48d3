"""Pictures as JSON, for other tools: boxes with their places, and wires with the points they lead through."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from archspec.drawing.item import Costs
from archspec.drawing.layout import Placed, Route
from archspec.graph.graph import Graph
from archspec.views.values import field_data


def picture_data(graph: Graph, placed: Placed, costs: Costs) -> dict[str, Any]:
    """The picture of a network as plain data. Lengths are pixels, from the upper left corner of the whole."""
    return {
        "name": graph.name,
        "width": _rounded(placed.width),
        "height": _rounded(placed.height),
        "params": graph.params,
        "macs": graph.inference().macs,
        "boxes": [_box(item, graph, costs) for item in placed.items],
        "wires": [_wire(route, graph) for route in placed.routes],
    }


def _rounded(length: float) -> float:
    return round(length, 1)


def _box(placed: Placed, graph: Graph, costs: Costs) -> dict[str, Any]:
    item, box = placed.item, placed.item.box
    at = box.node or box.group
    cost = costs.of(box)
    fields = box.node.fields if box.node else box.group.params if box.group else {}
    values = box.ins if box.kind == "output" else box.outs
    return {
        "path": box.path if box.kind != "output" else box.label,
        "kind": box.kind,
        "op": box.op or None,
        "says": box.says,
        "family": box.family,
        "copies": box.count,
        "shapes": [list(graph[name].shape.dims) for name in values],
        "params": cost.params,
        "macs": cost.macs,
        "fields": {name: field_data(value) for name, value in fields.items()},
        "training_only": box.training_only,
        "places": list(box.places),
        "file": PurePath(at.position.source.name).name if at else None,
        "line": at.position.line if at else None,
        "x": _rounded(placed.x),
        "y": _rounded(placed.y),
        "width": _rounded(placed.width),
        "height": _rounded(placed.height),
        "open": item.open,
        "boxes": [_box(inner, graph, costs) for inner in placed.items],
        "wires": [_wire(route, graph) for route in placed.routes],
    }


def _wire(route: Route, graph: Graph) -> dict[str, Any]:
    return {
        "value": route.value,
        "shape": list(graph[route.value].shape.dims),
        "from": route.source or None,
        "to": route.target or None,
        "points": [[_rounded(x), _rounded(y)] for x, y in route.points],
    }
