"""All that changes while a run goes on; a run goes on from it exactly. There is no state of random numbers in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from archspec.errors import RunError
from archspec.train.job import Job
from archspec.train.norms import norms_of
from archspec.train.parameter_groups import parameter_groups
from archspec.train.phases import Phase
from archspec.train.shard import like, whole
from archspec.train.tally import Tally


@dataclass
class State:
    """Where a run is. The last two fields are results of it, which are not saved with it."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    """Steps that are done."""
    phase: Phase = field(default_factory=Phase)
    since_record: Tally = field(default_factory=Tally)
    """What was measured since the last record."""
    since_check: Tally = field(default_factory=Tally)
    """What was measured in this stretch of a condition."""
    average: dict[str, Tensor] = field(default_factory=dict)
    averaged: int = 0
    """How often weights have entered the average."""
    best: float | None = None
    """Of the metric that selects."""
    pending: bool = False
    """Whether the tests of the last step are still to be done."""
    bad_images: int = 0
    scaler: Any = None
    """Of fp16."""
    tested: dict[str, Tensor] = field(default_factory=dict)
    """The weights of the last evaluation, where weights are selected."""
    final: dict[str, Tensor] = field(default_factory=dict)
    """At the end of the run: the weights that are its result."""


def is_over(state: State, job: Job) -> bool:
    """Whether all steps and tests of a run are done."""
    return state.step == job.total and not state.pending


def fresh(job: Job, module: nn.Module) -> State:
    """The state of a run that has not begun. Errors: SpecError of the optimizer's groups; RunError"""
    module.train()
    freeze_norms(module)
    groups = parameter_groups(job.recipe.optimizer, job.graph, module)
    if not groups:
        why = "`optimizer.freeze` names all parameters" if job.recipe.optimizer.freeze else "it has no parameters"
        raise RunError(f"{job.graph.name}: nothing is left to train: {why}")
    optimizer = job.recipe.optimizer.build(groups)
    scaler = torch.amp.GradScaler(job.device.type) if job.execution.precision == "fp16" else None
    if scaler is not None:
        # Else a process without a group has no scale at its first step.
        scaler.scale(torch.zeros((), device=job.device))
    return State(module, optimizer, scaler=scaler)


def freeze_norms(module: nn.Module) -> None:
    """Batch norms whose parameters are not trained keep their statistics too."""
    for norm in norms_of(module):
        own = list(norm.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            norm.eval()


def copied(module: nn.Module) -> dict[str, Tensor]:
    """The whole weights of a network, as they are now, in the machine's memory; every process calls it at once."""
    return {key: whole(value.detach()).cpu().clone() for key, value in module.state_dict().items()}


def tensors_of(state: State) -> dict[str, Tensor]:
    """Every tensor of a state by name: `model.KEY`, `optimizer.KEY.NAME`, `average.KEY`."""
    found = {f"model.{key}": value for key, value in state.module.state_dict().items()}
    for group in state.optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            for key, value in state.optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    found[f"optimizer.{name}.{key}"] = value
    return found | {f"average.{key}": value for key, value in state.average.items()}


def numbers_of(state: State, job: Job) -> dict[str, Any]:
    """The rest of a state, as plain data. Every process calls it at the same time."""
    tallies = {}
    for name in ("since_record", "since_check"):
        tallies[name] = getattr(state, name).read(job.processes, job.measured, job.device)
    phase = state.phase
    return {
        "step": state.step,
        "phase": {**{k: getattr(phase, k) for k in ("number", "best", "bad", "drops")}, "start": str(phase.start)},
        **tallies,
        "averaged": state.averaged,
        "best": state.best,
        "pending": state.pending,
        "bad_images": sum(job.processes.told(state.bad_images)),
        "scaler": state.scaler.state_dict() if state.scaler is not None else None,
    }


def restore(state: State, numbers: dict[str, Any], tensors: dict[str, Tensor], first: bool = True) -> None:
    """Put what was saved into a fresh state; what is counted over all processes goes to the first."""
    state.step, state.averaged = numbers["step"], numbers["averaged"]
    state.best, state.bad_images = numbers["best"], numbers["bad_images"] if first else 0
    state.pending = numbers["pending"]
    state.phase = Phase(**{**numbers["phase"], "start": Fraction(numbers["phase"]["start"])})
    state.since_record, state.since_check = (
        Tally({k: (v[0], v[1]) for k, v in numbers[name].items()}) for name in ("since_record", "since_check")
    )
    if state.scaler is not None and numbers["scaler"]:
        state.scaler.load_state_dict(numbers["scaler"])
    place_of = places(state)
    with torch.no_grad():
        for key, value in state.module.state_dict().items():
            value.copy_(like(tensors[f"model.{key}"], value))
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            place = place_of(name)
            if kind == "average":
                state.average[rest] = torch.empty_like(place, dtype=value.dtype).copy_(like(value, place))
            elif kind == "optimizer":
                ours = value if value.dim() == 0 else torch.empty_like(place, dtype=value.dtype)
                state.optimizer.state[place][name.rpartition(".")[2]] = ours.copy_(like(value, ours))


def places(state: State) -> Callable[[str], Tensor]:
    """For a name of `tensors_of`, the tensor of the module that it belongs to."""
    held: dict[str, Tensor] = state.module.state_dict(keep_vars=True)

    def place_of(name: str) -> Tensor:
        """Errors: KeyError"""
        kind, _, rest = name.partition(".")
        return held[rest.rpartition(".")[0] if kind == "optimizer" else rest]

    return place_of
