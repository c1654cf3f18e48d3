"""Where a run first went wrong: its steps again from the last checkpoint, every layer watched.

A step is a function of the recipe and its number, so what happened happens again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archspec.train.job import Job, prepare_module
from archspec.train.run import Run, newest
from archspec.train.state import fresh, restore
from archspec.train.step import Update


class NotFinite(Exception):
    """The first value that is not a finite number."""


def first_not_finite(run: Run, job: Job, until: int) -> str:
    """What first was not a finite number up to a step, told in words; nothing where it does not happen again."""
    state = fresh(job, prepare_module(job))
    found = newest(run, state)
    if found is not None:
        restore(state, *found)
    update = Update(job, state, lambda: _watch_gradients(state.module))
    for name, module in state.module.named_modules():
        if not list(module.children()):
            module.register_forward_hook(_watch(name))
    try:
        for step, groups in job.steps(state.step):
            if step >= until:
                break
            update(step, groups)
            state.step = step + 1
    except NotFinite as error:
        return f"{error}, at step {state.step + 1:,}"
    finally:
        update.rest()
    return ""


def _watch(name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
            bad = [key for key, p in module.named_parameters() if not bool(torch.isfinite(p).all())]
            what = (
                f"its {bad[0]} is not finite" if bad else f"largest input {float(inputs[0].detach().abs().max()):.3g}"
            )
            raise NotFinite(f"the first layer whose output is not finite is {name} ({what})")

    return hook


def _watch_gradients(module: nn.Module) -> None:
    """Gradients come from the loss backwards, so the last layer with a bad one is the first that had it."""
    bad = [
        name for name, p in module.named_parameters() if p.grad is not None and not bool(torch.isfinite(p.grad).all())
    ]
    if bad:
        raise NotFinite(f"the first gradient that is not finite is that of {bad[-1]}")
