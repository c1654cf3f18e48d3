"""The plugins that a graph needs to be built."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.plugins import Provider, built_in
from archspec.registry import BLOCKS
from archspec.tensor import SHAPES


def plugins_of(graph: Graph) -> list[Provider]:
    """The installed distributions that bring the ops and the shapes of the inputs, by name; files are none."""
    found = {owner for op in {node.op for node in graph.layers} for owner in BLOCKS.providers(op)}
    found |= {owner for node in graph.inputs for owner in SHAPES.providers(type(node.shape).name)}
    return sorted((owner for owner in found if owner.version and owner != built_in()), key=str)
