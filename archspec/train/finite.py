"""Where a run first went wrong: its steps again from the last checkpoint, every layer watched.

A step is a function of the recipe and its number, so what happened happens again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from archspec.train.job import Job, prepare_module
from archspec.train.resume import newest
from archspec.train.run import Run
from archspec.train.shard import held
from archspec.train.state import fresh, restore
from archspec.train.step import Update

Tell = Callable[[str], None]


def first_not_finite(run: Run, job: Job, until: int) -> str:
    """What first was not a finite number up to a step, told in words; nothing where it does not happen again.

    Every process calls it at the same time.
    """
    job = replace(job, execution=job.execution.model_copy(update={"compile": False}))  # hooks would break its graph
    state = fresh(job, prepare_module(job))
    checkpoint = newest(run, state, job.processes)
    if checkpoint is not None:
        restore(state, *checkpoint)
    told: list[str] = []
    for name, module in state.module.named_modules():
        if not list(module.children()):
            module.register_forward_hook(_watch(name, told.append))

    def look() -> None:
        if state.scaler is None:  # gradients that are scaled may well be infinite: then the step is left out
            _look_at_gradients(state.module, told.append)

    update = Update(job, state, look)
    try:
        for step, groups in job.steps(state.step):
            if step >= until:
                break
            update(step, groups)
            state.step = step + 1
            if found := [text for texts in job.processes.told(told[:1]) for text in texts]:
                return f"{found[0]}, at step {state.step:,}"
    finally:
        update.rest()
    return ""


def _watch(name: str, tell: Tell) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not _is_finite(output):
            bad = [key for key, p in module.named_parameters() if not _is_finite(p)]
            largest = f"largest input {float(inputs[0].detach().abs().max()):.3g}"
            what = f"its {bad[0]} is not finite" if bad else largest
            tell(f"the first layer whose output is not finite is {name} ({what})")

    return hook


def _look_at_gradients(module: nn.Module, tell: Tell) -> None:
    """Gradients come from the loss backwards, so the last layer with a bad one is the first that had it."""
    bad = [name for name, p in module.named_parameters() if p.grad is not None and not _is_finite(p.grad)]
    if bad:
        tell(f"the first gradient that is not finite is that of {bad[-1]}")


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(held(tensor)).all())
