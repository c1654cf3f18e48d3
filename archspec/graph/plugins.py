"""The plugins that a graph needs to be built."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.initializers import INITIALIZERS
from archspec.plugins import Provider, built_in
from archspec.registry import BLOCKS
from archspec.tensor import SHAPES


def plugins_of(graph: Graph) -> list[Provider]:
    """The installed distributions that bring ops, shapes of inputs and initializers, by name; files are none."""
    found = {owner for op in {node.op for node in graph.layers} for owner in BLOCKS.providers(op)}
    found |= {owner for node in graph.inputs for owner in SHAPES.providers(type(node.shape).name)}
    names = {initializer.name for rule in graph.rules for initializer in rule.parameters.values()}
    found |= {owner for name in names for owner in INITIALIZERS.providers(name)}
    return sorted((owner for owner in found if owner.version and owner != built_in()), key=str)
