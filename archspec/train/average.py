"""The average of the weights over a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from archspec.train.job import Job
from archspec.train.shard import held, like
from archspec.train.state import State


@torch.no_grad()
def enter(job: Job, state: State) -> None:
    """Let the weights of a step enter the average, where it is time."""
    average = job.recipe.average
    if average is None or not job.calendar.due(state.step, average.every):
        return
    share = average.share(state.averaged)
    state.averaged += 1
    now = state.module.state_dict()
    if not state.average:
        state.average = {key: value.clone() for key, value in now.items()}
        return
    parameters = {name for name, _ in state.module.named_parameters()}
    moved = [
        key
        for key, value in now.items()
        if value.is_floating_point() and (key in parameters or average.buffers == "average")
    ]
    for dtype in dict.fromkeys(now[key].dtype for key in moved):
        keys = [key for key in moved if now[key].dtype == dtype]
        torch._foreach_lerp_([held(state.average[key]) for key in keys], [held(now[key]) for key in keys], share)
    if copied := now.keys() - set(moved):
        torch._foreach_copy_([held(state.average[key]) for key in copied], [held(now[key]) for key in copied])


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """While it lasts, the module has the averaged weights, where there are any."""
    with holding(state.module, state.average) if state.average else nullcontext():
        yield


@contextmanager
def holding(module: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """While it lasts, a network has other weights."""
    before = {key: value.clone() for key, value in module.state_dict().items()}
    _put(module, weights)
    try:
        yield
    finally:
        _put(module, before)


@torch.no_grad()
def _put(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for key, value in module.state_dict().items():
        value.copy_(like(weights[key], value))
