"""A network without its auxiliary heads."""

from __future__ import annotations

from dataclasses import replace

from archspec.graph.graph import Graph


def without_auxiliary(graph: Graph) -> Graph:
    """The network without the outputs that only training has, and without the layers that only they need.

    What is left trains and evaluates alike; its keys and first values from a seed stay the same. A network that has
    no such outputs is given back as it is.
    Source: Szegedy et al. 2015, section 5: "At inference time, these auxiliary networks are discarded"
    """
    if graph.outputs == graph.main_outputs:
        return graph
    return replace(graph.inference(), name=f"{graph.name}-without-auxiliary")
