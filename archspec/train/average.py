"""The average of the weights over a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from archspec.train.job import Job
from archspec.train.state import State


@torch.no_grad()
def enter(job: Job, state: State) -> None:
    """Let the weights of a step enter the average, where it is time."""
    average = job.recipe.average
    if average is None or not job.calendar.due(state.step, average.every):
        return
    share = average.share(state.averaged)
    state.averaged += 1
    parameters = {name for name, _ in state.module.named_parameters()}
    for key, value in state.module.state_dict().items():
        taken = key in parameters or average.buffers == "average"
        if key not in state.average or not taken or not value.is_floating_point():
            state.average[key] = value.clone()
        else:
            state.average[key].lerp_(value, share)


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """While it lasts, the module has the averaged weights, where there are any."""
    if not state.average:
        yield
        return
    held = {key: value.clone() for key, value in state.module.state_dict().items()}
    _put(state, state.average)
    try:
        yield
    finally:
        _put(state, held)


@torch.no_grad()
def _put(state: State, tensors: dict[str, torch.Tensor]) -> None:
    for key, value in state.module.state_dict().items():
        value.copy_(tensors[key])
