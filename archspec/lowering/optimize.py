"""A network made faster: passes on its graph, tensors that follow, and how its operations are carried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx

from archspec.errors import BuildError, did_you_mean
from archspec.graph.graph import Graph
from archspec.graph.optimize import MODES, changes
from archspec.graph.optimize.change import Rewrite, counted
from archspec.graph.recompute import Segments, convex_segments
from archspec.lowering.emitter import Emitter
from archspec.lowering.fuse import fuse
from archspec.lowering.in_place import in_place
from archspec.lowering.module import Network, assemble, plan
from archspec.lowering.rewrite import Conversion

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
    segments: Segments | None = None,
) -> Optimized:
    """A network that gives what this one gives, faster; the one given is left as it is, and shares tensors with it.

    For `inference` it is in evaluation for good: norms are folded, so it cannot be trained; it has its own
    state-dict keys, and loads the original's too. For `training` keys and tensors are the original's. `skip` names
    steps that are not made; `segments` are computed again in the backward pass.
    Errors: BuildError
    """
    check_mode(mode)
    skipped, did = set(skip), dict[str, str]()
    if unknown := skipped - {*step_names(mode)}:
        raise BuildError(
            f"`skip` names a step of {mode}, found {min(unknown)!r}; its steps: {', '.join(step_names(mode))}"
        )
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
            counts.setdefault("packed-convolutions", fuse(emitter, graph))
        if "in-place" not in skipped:
            counts.setdefault("in-place", in_place(emitter, graph))  # of training, whose forward comes first
        codes.append(emitter.graph)

    conversion = Conversion(tuple(rewrites), whole.state_shapes(), tuple(graph.state_shapes()))
    segments = convex_segments(graph, segments or {})
    made = assemble(plan(graph, tuple(devices), carry_out, trains=mode == "training", segments=segments))
    made._graph = graph
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
