"""Graph -> module."""

from __future__ import annotations

import torch

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.lowering.initialize import initialize
from archspec.lowering.module import Network, assemble, network_source


def lower(
    graph: Graph,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Network:
    """The module of a graph, initialised from a seed. torch's global generators are untouched.

    Errors: BuildError if the module's state differs from what its blocks declare, or memory runs out
    """
    source, constructions = network_source(graph)
    try:
        with torch.random.fork_rng(devices=[]):
            network = assemble(source, constructions)
        _check_state(network, graph)
        initialize(network, graph, seed)
        return network.to(device=device, dtype=dtype)
    except (RuntimeError, MemoryError, AssertionError) as error:
        if "memory" in str(error) or isinstance(error, MemoryError):
            size = graph.params * 4 / 2**30
            raise BuildError(f"{graph.name} has {graph.params:,} params, {size:.1f} GiB in float32: no room") from None
        raise BuildError(f"{graph.name}: {str(error).splitlines()[0]}") from error


def _check_state(network: Network, graph: Graph) -> None:
    declared = graph.state_shapes()
    found = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    if list(declared.items()) == list(found.items()):
        return
    for key in [*declared, *found]:
        if declared.get(key) != found.get(key):
            message = f"{key}: its block declares {declared.get(key)}, its module has {found.get(key)}"
            raise BuildError(f"{message}; `parameters`, `buffers` and `lower` of the block disagree")
    raise BuildError("the state dict is not in file order; `parameters`, `buffers` and `lower` of a block disagree")
