"""Graph -> module."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.graph.recompute import Segments
from archspec.lowering.initialize import initialize
from archspec.lowering.module import Network, assemble, plan
from archspec.spec.pause import no_collection


@no_collection()
def lower(
    graph: Graph,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    devices: Sequence[torch.device | str] = (),
    segments: Segments | None = None,
) -> Network:
    """The module of a graph, initialised from a seed. torch's global generators are untouched.

    With `devices`, each layer is on the device that its `place` counts, and values move between them. `segments` are
    computed again in the backward pass.
    Errors: BuildError if the module's state differs from what its blocks declare, or memory runs out
    """
    if devices and device is not None:
        raise TypeError("give `device` or `devices`, not both")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"`dtype` must be a floating-point type of torch, such as torch.float32, found {dtype!r}")
    names = device_names(graph, devices)
    made = plan(graph, names, segments=segments)
    try:
        with torch.inference_mode(False):
            with torch.random.fork_rng(devices=[]):
                network = assemble(made)
            network._graph = graph
            _check_state(network, graph)
            initialize(network, graph, seed)
            if device is not None or dtype is not None:
                network.to(device=device, dtype=dtype)
        for node in graph.layers if names else ():
            if node.weights or node.buffers:
                _move(network, node.owner, names[node.place])
        return network
    except (RuntimeError, MemoryError, AssertionError) as error:
        if "memory" in str(error) or isinstance(error, MemoryError):
            size = graph.params * 4 / 2**30
            raise BuildError(f"{graph.name} has {graph.params:,} params, {size:.1f} GiB in float32: no room") from None
        raise BuildError(f"{graph.name}: {str(error).splitlines()[0]}") from error


def _move(network: Network, path: str, device: str) -> None:
    """Put the module or parameter at a path on a device."""
    holder, _, name = path.rpartition(".")
    at = network.get_submodule(holder)
    if name in at._parameters:
        parameter = at.get_parameter(name)
        parameter.data = parameter.data.to(device)
    else:
        at.get_submodule(name).to(device)


def device_names(graph: Graph, devices: Sequence[torch.device | str]) -> tuple[str, ...]:
    """The devices of a graph's places, by name. Errors: BuildError if there are fewer than places"""
    if isinstance(devices, str):
        raise TypeError(f"`devices` is a list of devices, found {devices!r}")
    places = 1 + max(node.place for node in graph)
    if devices and len(devices) < places:
        last = next(node for node in graph if node.place == places - 1)
        raise BuildError(
            f"{graph.name} is placed on {places} devices, found {len(devices)}: {', '.join(map(str, devices))}\n"
            f"  hint: {last.name} has place {last.place} (line {last.position.line}); a device may be named twice"
        )
    return tuple(map(str, devices))


def _check_state(network: Network, graph: Graph) -> None:
    declared = graph.state_shapes()
    found = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {node.key(name) for node in graph for name in node.weights}
    if wrong := weights ^ {name for name, _ in network.named_parameters()}:
        key = min(wrong)
        kinds = ("a parameter", "a buffer") if key in weights else ("a buffer", "a parameter")
        if key in declared and key in found:
            raise BuildError(f"{key}: its block declares {kinds[0]}, its module has {kinds[1]}")
    if list(declared.items()) == list(found.items()):
        return
    for key in [*declared, *found]:
        if declared.get(key) != found.get(key):
            message = f"{key}: its block declares {declared.get(key)}, its module has {found.get(key)}"
            raise BuildError(f"{message}; `parameters`, `buffers` and `lower` of the block disagree")
    raise BuildError("the state dict is not in file order; `parameters`, `buffers` and `lower` of a block disagree")
