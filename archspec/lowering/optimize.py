"""A network made faster: passes on its graph, tensors that follow, and how its operations are carried out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx

from archspec.errors import BuildError, did_you_mean
from archspec.graph.graph import Graph
from archspec.graph.optimize import MODES, changes
from archspec.graph.optimize.change import Rewrite, counted
from archspec.graph.recompute import Parts, kept_together
from archspec.lowering.emitter import Emitter
from archspec.lowering.fuse import fuse
from archspec.lowering.in_place import in_place
from archspec.lowering.module import Network, assemble, plan
from archspec.lowering.rewrite import Conversion
from archspec.lowering.verify import as_tuple

TOLERANCE = 1e-4
"""How far an output may be off, as a share of its largest value."""
EXECUTION = ("in-place", "packed-convolutions", "channels-last")
"""How operations are carried out, beside the passes on the graph; the second for inference alone."""


@dataclass(frozen=True)
class Optimized:
    """What came of it."""

    network: Network
    graph: Graph
    code: fx.Graph
    """Its operations in evaluation."""
    did: dict[str, str]
    """Step -> what it did, of those that did something: `fold-norms` -> `folded 57 norms ...`."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What was done, as lines: `fold-norms: folded 57 norms ...`."""
        return tuple(f"{step}: {did}" for step, did in self.did.items())


def agreement(network: Network, made: Optimized, graph: Graph) -> str:
    """How far the optimised network's outputs are off on random images, as a line. torch's random state is as before.

    Errors: BuildError if it is more than rounding
    """
    was_training = network.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        images = [torch.randn(2, *node.shape.dims) for node in graph.inputs]
        device = next((value.device for value in network.state_dict().values()), torch.device("cpu"))
        images = [image.to(device) for image in images]
        wanted, found = as_tuple(network.eval()(*images)), as_tuple(made.network.eval()(*images))
    network.train(was_training)
    if made.network._conversion is None:
        made.network.train(was_training)
    each = [float((a - b).abs().max()) / (float(a.abs().max()) or 1.0) for a, b in zip(wanted, found, strict=True)]
    worst = next((share for share in each if math.isnan(share)), max(each))
    if not worst <= TOLERANCE:
        raise BuildError(f"{graph.name}: the optimised network gives other outputs: {worst:.1e} of the largest apart")
    said = f"optimised outputs are at most {worst:.1e} of the largest value off, allowed {TOLERANCE:.0e}"
    alike = all(torch.equal(a[0], a[1]) for a in wanted)
    return f"{said}; with these weights, they do not depend on the image, which shows little" if alike else said


def step_names(mode: str) -> tuple[str, ...]:
    """The names of all that a mode does, in order."""
    return (*MODES[mode], *(name for name in EXECUTION if mode == "inference" or name != "packed-convolutions"))


def check_mode(mode: str) -> None:
    """Errors: BuildError if there is no such mode"""
    if not isinstance(mode, str) or mode not in MODES:
        hint = did_you_mean(str(mode), MODES, "modes")
        raise BuildError(f"`optimize` is a mode, found {mode!r}\n  hint: {hint}")


def optimized(
    network: Network,
    graph: Graph,
    mode: str,
    devices: Sequence[str] = (),
    skip: Iterable[str] = (),
    parts: Parts | None = None,
) -> Optimized:
    """A network that gives what this one gives, faster; the one given is left as it is, and shares tensors with it.

    For `inference` it is in evaluation for good: norms are folded, so it cannot be trained; it has its own
    state-dict keys, and loads the original's too. For `training` keys and tensors are the original's. `skip` names
    steps that are not made; `parts` are computed again in the backward pass.
    Errors: BuildError
    """
    check_mode(mode)
    skipped, did = set(skip), dict[str, str]()
    rewrites: list[Rewrite] = []
    whole = graph
    for name, change in changes(graph, mode, skipped):
        graph = change.graph
        rewrites += change.rewrites
        if change.did:
            did[name] = change.did
    graph = replace(graph, name=f"{graph.name}-{mode}")
    counts: dict[str, int] = {}
    codes: list[fx.Graph] = []

    def carry_out(emitter: Emitter) -> None:
        if mode == "inference" and "packed-convolutions" not in skipped:
            counts["packed-convolutions"] = fuse(emitter, graph)
        if "in-place" not in skipped:
            counts["in-place"] = in_place(emitter, graph)
        codes.append(emitter.graph)

    conversion = Conversion(tuple(rewrites), tuple(whole.state_shapes()), tuple(graph.state_shapes()))
    parts = kept_together(graph, parts or {})
    made = assemble(plan(graph, tuple(devices), carry_out, trains=mode == "training", parts=parts))
    type(made)._graph = graph
    made._conversion = conversion if mode == "inference" else None
    state = conversion.converted(network.state_dict())
    made.load_state_dict({key: state[key] for key in made.state_dict()}, assign=True)
    if counts.get("packed-convolutions"):
        did["packed-convolutions"] = f"{counted(counts['packed-convolutions'], 'convolution')} with what follows"
    if counts.get("in-place"):
        did["in-place"] = f"{counted(counts['in-place'], 'relu')} over dead values"
    if "channels-last" not in skipped and any(value.dim() == 4 for value in made.state_dict().values()):
        made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        did["channels-last"] = "kernels in channels_last"
    if mode == "inference":
        made.requires_grad_(False).eval()
    found = Optimized(made, graph, codes[-1], did)
    made._optimized = found.lines
    return found
