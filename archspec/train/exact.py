"""Batch-norm statistics computed anew with the final weights, as ResNet's authors did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from archspec.data.loader import Presented, loaded
from archspec.data.stream import run
from archspec.errors import DataError
from archspec.train.job import Job, no_images
from archspec.train.norms import is_synced, norms_of
from archspec.train.shard import gathered
from archspec.train.state import State, freeze_norms


@contextmanager
def recalibrated(job: Job, state: State) -> Iterator[None]:
    """While it lasts, batch norm has exact statistics, where the recipe says so: the mean over groups of images.

    The images are those that the steps after the run would present. Source: He et al., the README of their models

    Errors: DataError if none of them can be read
    """
    wanted = job.recipe.batch_norm
    norms = [norm for norm in norms_of(state.module) if norm.training]  # frozen ones stay as they are
    if wanted is None or wanted.over is None or not norms:
        yield
        return
    stats = [stat for norm in norms for stat in (norm.running_mean, norm.running_var) if stat is not None]
    counts = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
    before = [stat.clone() for stat in stats]
    counted = [count.clone() for count in counts]
    momenta = [norm.momentum for norm in norms]
    training = state.module.training
    try:
        try:
            _measure(job, state, norms, stats)
        finally:
            for count, old in zip(counts, counted, strict=True):
                count.copy_(old)
        yield
    finally:
        with torch.no_grad():
            for stat, old in zip(stats, before, strict=True):
                stat.copy_(old)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        state.module.train(training)
        freeze_norms(state.module)


@torch.no_grad()
def _measure(
    job: Job, state: State, norms: list[torch.nn.modules.batchnorm._BatchNorm], stats: list[torch.Tensor]
) -> None:
    wanted = job.recipe.batch_norm
    assert wanted is not None and wanted.over is not None
    steps = job.calendar.whole_steps(wanted.over)
    sums = [torch.zeros_like(stat, dtype=torch.float64) for stat in stats]
    groups = torch.zeros(1, dtype=torch.float64, device=job.device)
    state.module.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    make = Presented(job.train, job.pipeline, job.recipe.seed, job.execution.on_bad_image == "skip")
    mine = job.processes
    keys = run(job.stream, job.total, job.total + steps, job.recipe.batch.group, mine.rank, mine.world)
    with gathered(state.module):
        for batch in loaded(make, keys, job.execution.workers):
            # Of synchronised statistics, every process has those of the whole batch, were its own images read or not.
            if mine.any(bool(len(batch))) if is_synced(job) else len(batch):
                with job.cast():
                    state.module(job.floats(job.pipeline, batch.to(job.device)) if len(batch) else no_images(job, 0))
                torch._foreach_add_(sums, stats)
                groups.add_(1)
    mine.sum_all([*sums, groups])
    if not float(groups):
        raise DataError("none of the images can be read that exact batch-norm statistics would be of")
    for stat, total in zip(stats, sums, strict=True):
        stat.copy_(total / groups)
    state.module.eval()
