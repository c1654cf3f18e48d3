"""One step: the gradients of all groups of all processes, divided by the weight of them all, and an update."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archspec.data.pipeline import Batch
from archspec.draw import Draw, seed_of
from archspec.errors import DataError, RunError
from archspec.train.gradients import Gradients
from archspec.train.job import Job, no_images
from archspec.train.norms import GroupedNorms, is_synced, norms_of, synchronise
from archspec.train.phases import at_step, factor
from archspec.train.shard import ShardedGradients
from archspec.train.state import State

LARGEST = 1e38
"""Of learning rates; beyond it are no numbers of single precision."""


class Update:
    """Does steps, one after another, on a state."""

    def __init__(self, job: Job, state: State, look: Callable[[], None] = lambda: None) -> None:
        """`look` is called between the gradients and the update of each step."""
        self.job, self.state, self.look = job, state, look
        self.parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
        self.norms: GroupedNorms | None = None
        if is_synced(job):
            synchronise(norms_of(state.module))
        elif job.is_grouped or job.processes.world > 1:
            self.norms = GroupedNorms(norms_of(state.module))
        sharded = job.execution.shard
        self.gradients = (
            ShardedGradients(self.parameters, state.module) if sharded else Gradients(self.parameters, job.processes)
        )
        # Static shapes: else kernels depend on which shapes came first, and a resumed run differs in the last digit.
        self.forward = torch.compile(state.module, dynamic=False) if job.execution.compile else state.module
        self.heard: list[Heard] = []
        """For each of the last two steps, how many processes had been told to stop."""

    def __call__(self, step: int, groups: list[tuple[int, Batch]], stopping: bool = False) -> float:
        """Do a step, whose number is counted from 0, and return the learning rate of its time.

        `stopping` is told to the other processes.

        Errors: DataError if none of its images can be read; RunError if the rate is beyond all arithmetic
        """
        job, state = self.job, self.state
        # Not after the update: memory that is given back between two steps has to be mapped anew. On a CPU, a step of
        # ResNet-20 took 1.07 times as long as one by hand, and takes 0.96 times.
        state.optimizer.zero_grad(set_to_none=True)
        state.phase = at_step(job.recipe.schedule, state.phase, step, job.calendar)
        rate = rate_of(job, state, step)
        held = [(number, batch.to(job.device)) for number, batch in groups]
        weight = self._weight([batch.targets for _, batch in held], stopping)
        if any(not len(batch) for _, batch in held) and not float(weight):
            first = next((batch.bad[0] for _, batch in groups if batch.bad), "")
            raise DataError(f"none of the images of step {step + 1:,} can be read: {first}")
        if self.norms is not None:
            self.norms.begin()
        passes = [(number, batch) for number, batch in held if len(batch)]
        empty = self._empty_passes(step, len(passes))
        left = len(passes) + empty
        for number, batch in passes:
            left -= 1
            self._backward(self._loss(step, number, batch) / weight, is_last=not left)
        for _ in range(empty):
            left -= 1
            self._backward(self._no_loss(), is_last=not left)
        state.bad_images += sum(len(batch.bad) for _, batch in groups)
        self.gradients.finish()
        if self.norms is not None:
            self.norms.end(job.processes, step + 1)
        self.look()
        self._apply(rate)
        return rate

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether any process had been told to stop before the last step but one; all are of one mind.

        Of the last step, a GPU may not know yet, and to wait for it would keep the two from working at the same time.
        """
        return len(self.heard) > 1 and self.heard[0].read() > 0

    def rest(self) -> None:
        """Leave the network as it was, once there are no more steps."""
        if self.norms is not None:
            self.norms.rest()
        self.gradients.rest()

    def _weight(self, targets: list[Tensor], stopping: bool) -> Any:
        """What the targets of all processes weigh."""
        mine = sum((self.job.recipe.loss.weight(target) for target in targets), 0.0)
        if self.job.processes.world == 1:
            return mine
        message = torch.full((2,), float(stopping), dtype=torch.float64, device=self.job.device)
        message[0] = mine
        weight, stops = self.job.processes.sum(message).unbind()
        self.heard = [*self.heard[-1:], Heard(stops)]
        return weight

    def _empty_passes(self, step: int, passes: int) -> int:
        """How many passes without images are due, where passes are work that all processes do together."""
        if self.job.execution.shard:
            return self.job.passes(step) - passes
        return int(is_synced(self.job) and not passes)

    def _loss(self, step: int, number: int, batch: Batch) -> Tensor:
        """The loss of a group, a sum over its images."""
        job = self.job
        pixels = job.floats(job.pipeline, batch)
        key: tuple[object, ...] = (job.recipe.seed, step, number)
        if job.recipe.batch.group is None:
            key = (*key, job.processes.rank)  # of the one group, each process has a part
        pixels, target = mixed(job, pixels, batch.targets, key)
        reseed(job.device, seed_of(*key))
        with job.cast():
            outputs = self.forward(pixels)
        loss = total_loss(job, self.state, outputs if isinstance(outputs, tuple) else (outputs,), target)
        if self.norms is not None:
            self.norms.count()
        return loss

    def _no_loss(self) -> Tensor:
        """A pass that changes nothing, for what the processes do together in it."""
        count = 0 if is_synced(self.job) else 2  # batch norm by itself refuses a single value
        forward = self.forward if count else self.state.module  # the compiled pass is of batches that are not empty
        with self.job.cast():
            outputs = forward(no_images(self.job, count))
        total: Any = sum(one.sum() for one in (outputs if isinstance(outputs, tuple) else (outputs,)))
        return total * 0.0  # type: ignore[no-any-return]

    def _backward(self, loss: Tensor, is_last: bool) -> None:
        self.gradients.before_backward(is_last)
        scaled: Tensor = loss if self.state.scaler is None else self.state.scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def _apply(self, rate: float) -> None:
        optimizer, scaler = self.state.optimizer, self.state.scaler
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_mult"]
        if scaler is not None:
            scaler.unscale_(optimizer)
        if self.job.recipe.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.job.recipe.optimizer.clip_norm)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()


def rate_of(job: Job, state: State, step: int) -> float:
    """The learning rate of a step. Errors: RunError if it is beyond all arithmetic of weights"""
    try:
        rate = job.recipe.optimizer.lr * factor(job.recipe.schedule, state.phase, step, job.calendar, job.total)
    except OverflowError:
        rate = math.inf
    if not abs(rate) <= LARGEST:
        raise RunError(f"the learning rate of step {step + 1:,} is {rate:.3g}", "a smaller optimizer.lr or schedule")
    return rate


class Heard:
    """A number on its way from a device."""

    def __init__(self, value: Tensor) -> None:
        self.event: torch.cuda.Event | None = None
        self.value = value
        if value.is_cuda:
            self.value = torch.empty((), dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)
            self.event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self.event.record()

    def read(self) -> float:
        """Waits for what was asked of the device before the number, and for nothing after it."""
        if self.event is not None:
            self.event.synchronize()
        return float(self.value)


def mixed(job: Job, pixels: Tensor, target: Tensor, key: tuple[object, ...]) -> tuple[Tensor, Tensor]:
    """The images of a group mixed with each other, where the recipe says so; one of its mixes, drawn for the group."""
    if not job.recipe.mix:
        return pixels, target
    draw = Draw(*key, "mix")
    mix = job.recipe.mix[draw.integer(0, len(job.recipe.mix) - 1)]
    return mix(pixels, F.one_hot(target, job.classes).to(pixels.dtype), draw)


def reseed(device: torch.device, seed: int) -> None:
    """Seed the generator of a device, which dropout draws from."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def total_loss(job: Job, state: State, outputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
    """The weighted sum of the losses of all outputs, itself a sum over images; what it measures is counted."""
    loss = sum(weight * job.recipe.loss.total(outputs[k], target) for k, weight in job.outputs)
    assert isinstance(loss, Tensor)
    main = outputs[job.outputs[0][0]].detach()
    counts = [("loss", loss.detach(), float(job.recipe.loss.weight(target)))]
    counts += [(metric.op, *metric.count(main, target)) for metric in job.recipe.metrics]
    for name, total, count in counts:
        state.since_record.add(name, total, count)
        if job.recipe.schedule[state.phase.number].until is not None:
            state.since_check.add(name, total, count)
    return loss
