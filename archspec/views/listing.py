"""Several networks side by side: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archspec.graph.graph import Graph
from archspec.views.summary import aligned

UNITS = ((9, "G"), (6, "M"), (3, "k"))


@dataclass(frozen=True, slots=True)
class Listed:
    """A network, and the plugin that brings it, if one does."""

    graph: Graph
    plugin: str = ""


def listing_data(networks: Sequence[Listed]) -> list[dict[str, Any]]:
    """The networks as plain data, for `list --json`; counts as in `summary --json`."""
    return [
        {
            "name": listed.graph.name,
            "params": listed.graph.params,
            "params_inference": listed.graph.inference().params,
            "macs": listed.graph.inference().macs,
            "paper": listed.graph.paper,
            "description": listed.graph.description,
            "plugin": listed.plugin,
        }
        for listed in networks
    ]


def listing_table(networks: Sequence[Listed], width: int | None = None) -> str:
    """The networks as an aligned line each; the papers are cut to fit `width`, if there is one.

    Where plugins bring some, each is said to be of its own.
    """
    rows = [("name", "params", "MACs", "plugin", "paper")]
    for listed in networks:
        graph = listed.graph
        rows.append((graph.name, short(graph.params), short(graph.inference().macs), listed.plugin, graph.paper))
    if not any(listed.plugin for listed in networks):
        return "\n".join(fitted(line, width) for line in aligned([row[:3] + row[4:] for row in rows], right=(1, 2)))
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
