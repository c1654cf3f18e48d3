"""Pictures as JSON, for other tools: boxes with their places, and wires with the points they lead through."""

from __future__ import annotations

from typing import Any

from archspec.drawing.item import Costs
from archspec.drawing.layout import Placed, Route
from archspec.drawing.words import file_name
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
    return {
        "path": box.path,
        "label": box.label,
        "kind": box.kind,
        "op": box.op or None,
        "says": box.says,
        "family": box.family,
        "copies": box.count,
        "shapes": [list(graph[name].shape.dims) for name in box.values],
        "params": costs.params(box),
        "macs": costs.macs(box),
        "fields": {name: field_data(value) for name, value in box.fields.items()},
        "training_only": box.training_only,
        "places": list(box.places),
        "change": box.mark.change,
        "file": file_name(box.position) if box.position else None,
        "line": box.position.line if box.position else None,
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
        "change": route.mark or "same",
        "points": [[_rounded(x), _rounded(y)] for x, y in route.points],
    }
