"""Gradients summed over the processes, while the backward pass still goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from archspec.train.processes import Processes

BUCKET = 25 * 2**20
"""Bytes of gradients that are sent in one message."""


class Gradients:
    """Sums the gradients of parameters over the processes.

    They are sent in buckets, the last layers' first, each as soon as the last backward pass of a step has filled it;
    what is sent, and in which order, does not depend on how many passes a process does, which may be none.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], processes: Processes) -> None:
        self.parameters, self.processes = list(parameters), processes
        self.buckets = [] if processes.world == 1 else _buckets(self.parameters)
        self.bucket_of = {p: number for number, bucket in enumerate(self.buckets) for p in bucket}
        self.is_last = False
        self.left: list[int] = []
        """How many gradients each bucket waits for."""
        self.sent: list[tuple[Tensor, Any]] = []
        self.hooks = [
            parameter.register_post_accumulate_grad_hook(self._ready)  # type: ignore[no-untyped-call]
            for parameter in self.bucket_of
        ]

    def before_backward(self, is_last: bool) -> None:
        """Before each backward pass of a step, and whether it is the last of this process."""
        self.is_last = is_last
        self.left, self.sent = [len(bucket) for bucket in self.buckets], []

    def _ready(self, parameter: Tensor) -> None:
        if not self.is_last:
            return
        self.left[self.bucket_of[parameter]] -= 1  # type: ignore[index]
        while len(self.sent) < len(self.buckets) and not self.left[len(self.sent)]:
            self._send(self.buckets[len(self.sent)])

    def _send(self, bucket: list[nn.Parameter]) -> None:
        flat = torch.cat([gradient(p).reshape(-1) for p in bucket])
        self.sent.append((flat, dist.all_reduce(flat, async_op=True)))

    def finish(self) -> None:
        """After all passes: what had no part in the loss has a gradient of 0, and so decays."""
        for parameter in self.parameters:
            gradient(parameter)
        for bucket in self.buckets[len(self.sent) :]:
            self._send(bucket)
        for bucket, (flat, work) in zip(self.buckets, self.sent, strict=True):
            work.wait()
            parts = torch.split(flat, [p.numel() for p in bucket])
            torch._foreach_copy_(
                [gradient(p) for p in bucket], [part.view(p.shape) for p, part in zip(bucket, parts, strict=True)]
            )
        self.is_last, self.sent = False, []

    def rest(self) -> None:
        """Once there are no more steps."""
        for hook in self.hooks:
            hook.remove()


def gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient of a parameter, which is 0 where there was none."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _buckets(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    found: list[list[nn.Parameter]] = []
    size = 0
    for parameter in reversed(parameters):
        fits = found and found[-1][0].dtype == parameter.dtype and size + parameter.nbytes <= BUCKET
        if not fits:
            found.append([])
            size = 0
        found[-1].append(parameter)
        size += parameter.nbytes
    return found
