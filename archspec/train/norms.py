"""Batch norm in groups: each forward pass has statistics of its own, and the running ones move once a step.

They move by the mean over the groups of all processes, so that nothing depends on who took which group.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from archspec.train.job import Job
from archspec.train.processes import Processes


def norms_of(module: nn.Module) -> list[_BatchNorm]:
    """The batch norms that keep running statistics."""
    found = (one for one in module.modules() if isinstance(one, _BatchNorm))
    return [one for one in found if one.track_running_stats and one.running_mean is not None]


def is_synced(job: Job) -> bool:
    """Whether batch norms take statistics over all processes, each of which then has to pass through them."""
    return job.processes.world > 1 and job.recipe.batch.group is None


class GroupedNorms:
    """Moves running statistics once a step. While it is at work, the momentum of each module is 1."""

    def __init__(self, norms: list[_BatchNorm]) -> None:
        self.norms = [norm for norm in norms if norm.training]
        self.momenta = [norm.momentum for norm in self.norms]
        for norm in self.norms:
            norm.momentum = 1.0
        self.stats = [s for norm in self.norms for s in (norm.running_mean, norm.running_var) if s is not None]
        self.counts = [norm.num_batches_tracked for norm in self.norms if norm.num_batches_tracked is not None]
        self.shares = [momentum for momentum in self.momenta for _ in range(2)]
        self.before: list[Tensor] = []
        self.sums: list[Tensor] = []
        self.groups = 0

    def begin(self) -> None:
        """Before the groups of a step."""
        self.before = [stat.clone() for stat in self.stats]
        self.sums = [torch.zeros_like(stat) for stat in self.before]
        self.groups = 0

    @torch.no_grad()
    def count(self) -> None:
        """After the forward pass of a group."""
        if self.stats:
            torch._foreach_add_(self.sums, self.stats)
        self.groups += 1

    @torch.no_grad()
    def end(self, processes: Processes, steps: int) -> None:
        """After all groups of a step; `steps` are those done, this one included."""
        if not self.stats:
            return
        groups = self.sums[0].new_full((1,), float(self.groups))
        processes.sum_all([*self.sums, groups])
        torch._foreach_div_(self.sums, groups[0])
        for share in dict.fromkeys(self.shares):
            mine = [k for k, other in enumerate(self.shares) if other == share]
            stats, means = [self.stats[k] for k in mine], [self.sums[k] for k in mine]
            if share is not None:
                before = [self.before[k] for k in mine]
                means = list(torch._foreach_lerp(before, means, share))
            torch._foreach_copy_(stats, means)
        torch._foreach_zero_(self.counts)
        torch._foreach_add_(self.counts, steps)

    def rest(self) -> None:
        """Give the modules their momenta back."""
        for norm, momentum in zip(self.norms, self.momenta, strict=True):
            norm.momentum = momentum


class _Sum(torch.autograd.Function):
    """A sum over the processes, whose gradient is summed over them too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        found = value.clone()
        dist.all_reduce(found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        found = gradient.contiguous().clone()
        dist.all_reduce(found)
        return found


def _summed(value: Tensor) -> Tensor:
    found: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return found


def _synced(self: _BatchNorm, x: Tensor) -> Tensor:
    """Batch norm with the statistics of all processes together, on any device."""
    if not self.training:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
    wide = x.float() if x.element_size() < 4 else x
    axes = [0, *range(2, x.dim())]
    count = wide.new_full((1,), wide.numel() / wide.shape[1])
    sums = _summed(torch.cat([wide.sum(axes), count]))
    some = sums[-1].clamp(min=1.0)  # no process may have an image
    mean = sums[:-1] / some
    shape = [1, -1, *[1] * (x.dim() - 2)]
    apart = wide - mean.view(shape)
    var = _summed((apart * apart).sum(axes)) / some
    with torch.no_grad():
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share: Any = self.momentum
        if share is None:
            share = self.num_batches_tracked.to(self.running_mean.dtype).reciprocal()
        unbiased = var * (some / (some - 1.0).clamp(min=1.0))
        for running, now in ((self.running_mean, mean), (self.running_var, unbiased)):
            moved = running.lerp(now.to(running), share)
            running.copy_(torch.where(sums[-1] > 0, moved, running))
    y: Tensor = apart * torch.rsqrt(var + self.eps).view(shape)
    if self.weight is not None:
        y = y * self.weight.view(shape) + self.bias.view(shape)
    return y.to(x.dtype)


def synchronise(norms: list[_BatchNorm]) -> None:
    """Let batch norms take the statistics of all processes together."""
    for norm in norms:
        name = type(norm).__name__
        norm.__class__ = type(f"Synced{name}", (type(norm),), {"forward": _synced})
