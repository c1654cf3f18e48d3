"""Several networks side by side: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.graph.graph import Graph
from archspec.views.summary import aligned

UNITS = ((9, "G"), (6, "M"), (3, "k"))


def listing_data(graphs: Sequence[Graph]) -> list[dict[str, Any]]:
    """The networks as plain data, for `list --json`; counts as in `summary --json`."""
    return [
        {
            "name": graph.name,
            "params": graph.params,
            "params_inference": graph.inference().params,
            "macs": graph.inference().macs,
            "paper": graph.paper,
            "description": graph.description,
        }
        for graph in graphs
    ]


def listing_table(graphs: Sequence[Graph], width: int | None = None) -> str:
    """The networks as an aligned line each; the papers are cut to fit `width`, if there is one."""
    rows = [("name", "params", "MACs", "paper")]
    rows += [(graph.name, short(graph.params), short(graph.inference().macs), graph.paper) for graph in graphs]
    return "\n".join(fitted(line, width) for line in aligned(rows, right=(1, 2)))


def fitted(line: str, width: int | None) -> str:
    """A line, cut behind its last word that fits."""
    if width is None or len(line) <= width:
        return line
    room = max(width - 3, 0)
    return (line[: room + 1].rpartition(" ")[0].rstrip(" ,") or line[:room]) + "..."


def short(number: int) -> str:
    """A count in three digits: 269722 is 270k."""
    for power, unit in UNITS:
        value = float(f"{number:.2e}") / 10**power
        if value >= 1:
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"
    return str(number)
