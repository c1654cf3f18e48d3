"""What is said of networks, boxes and values, beside the lines in a box: headings, shapes, places and tooltips."""

from __future__ import annotations

from pathlib import PurePath

from archspec.drawing.diagram import Box
from archspec.drawing.item import Costs
from archspec.errors import Position
from archspec.graph.graph import Graph
from archspec.views.listing import short
from archspec.views.values import field_text


def title_of(graph: Graph) -> str:
    """A network's name, and what was set."""
    changed = ", ".join(f"{name}={field_text(value)}" for name, value in graph.changed.items())
    return f"{graph.name} ({changed})" if changed else graph.name


def subtitle_of(graph: Graph) -> str:
    """What a network costs."""
    inference = graph.inference() if graph.main_outputs else graph
    return f"{short(graph.params)} params, {short(inference.macs)} MACs"


def place_text(position: Position) -> str:
    """The file and line of something, without its folder, which is another on every machine."""
    return f"{file_name(position)}:{position.line}"


def file_name(position: Position) -> str:
    """The file of something, without its folder."""
    return PurePath(position.source.name).name


def tooltip(box: Box, graph: Graph, costs: Costs) -> str:
    """What is known of a box, in lines."""
    lines = [f"{box.path or box.label} ({box.op})" if box.op else box.path or box.label]
    lines += [f"{name}: {field_text(value)}" for name, value in box.fields.items()]
    lines += [f"output {graph[name].shape}" for name in box.values[:3]]
    params, macs = costs.params(box), costs.macs(box)
    lines += [f"{params:,} params"] if params else []
    lines += [f"{macs:,} MACs"] if macs else []
    lines += ["in training only"] if box.training_only else []
    lines += [place_text(box.position)] if box.position is not None else []
    return "\n".join(lines)
