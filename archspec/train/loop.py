"""The loop: one step after another, yielding records. It reads no files and writes none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archspec.data.pipeline import Batch
from archspec.draw import Draw, seed_of
from archspec.errors import DataError
from archspec.parts.schedule import Plateau
from archspec.train.average import averaged, enter
from archspec.train.evaluate import evaluate
from archspec.train.exact import recalibrated
from archspec.train.job import Job
from archspec.train.norms import GroupedNorms, norms_of, synchronise
from archspec.train.phases import Phase, at_step, factor, seen
from archspec.train.state import State


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened. A `step` says only that one more is done."""

    kind: str
    """step, train, test, drop or phase."""
    step: int
    """Steps that are done."""
    values: dict[str, Any] = field(default_factory=dict)


def train(job: Job, state: State, stop: Callable[[], bool] = lambda: False) -> Iterator[Record]:
    """Train from a state to the end of the run, or until it is stopped; the state changes as it goes.

    Errors: DataError of an image
    """
    forward, norms = prepared(job, state)
    if state.step == job.total:  # stopped before its last tests were done
        yield from tested(job, state)
    for step, groups in job.steps(state.step):
        rate = update(job, state, forward, norms, step, groups)
        state.step = step + 1
        enter(job, state)
        yield from ended(job, state)
        yield from measured(job, state, rate)
        yield from tested(job, state)
        yield Record("step", state.step)
        if stop():
            break
    if norms is not None:
        norms.rest()


def prepared(job: Job, state: State) -> tuple[Callable[[Tensor], Any], GroupedNorms | None]:
    """The forward pass, compiled if wished, and batch norm in groups or over all processes."""
    found = norms_of(state.module)
    norms = GroupedNorms(found) if job.is_grouped or (job.processes.world > 1 and job.recipe.batch.group) else None
    if job.processes.world > 1 and not job.recipe.batch.group:
        synchronise(found)
    # Static shapes: else kernels depend on which shapes came first, and a resumed run differs in the last digit.
    forward = torch.compile(state.module, dynamic=False) if job.execution.compile else state.module
    return forward, norms


def update(
    job: Job,
    state: State,
    forward: Callable[[Tensor], Any],
    norms: GroupedNorms | None,
    step: int,
    groups: list[tuple[int, Batch]],
    look: Callable[[], None] = lambda: None,
) -> float:
    """One step: the gradients of all groups of all processes, divided by the weight of them all, and an update.

    It returns the learning rate of its time. `look` is called between gradients and update.
    """
    state.phase = at_step(job.recipe.schedule, state.phase, step, job.calendar)
    rate = job.recipe.optimizer.lr * factor(job.recipe.schedule, state.phase, step, job.calendar, job.total)
    targets = [batch.targets.to(job.device, non_blocking=True) for _, batch in groups]
    weight = global_weight(job, targets)
    if any(not len(target) for target in targets) and not float(weight):
        first = next(batch.bad[0] for _, batch in groups if batch.bad)
        raise DataError(f"none of the images of step {step + 1:,} can be read: {first}")
    if norms is not None:
        norms.begin()
    for (number, batch), target in zip(groups, targets, strict=True):
        state.bad_images += len(batch.bad)
        if not len(batch):
            continue
        pixels = job.floats(job.pipeline, batch)
        key: tuple[object, ...] = (job.recipe.seed, step, number)
        if job.recipe.batch.group is None:
            key = (*key, job.processes.rank)  # of the one group, each process has a part
        pixels, target = mixed(job, pixels, target, key)
        reseed(job.device, seed_of(*key))
        with job.cast():
            outputs = forward(pixels)
        loss = total_loss(job, state, outputs if isinstance(outputs, tuple) else (outputs,), target)
        if norms is not None:
            norms.count()
        scaled = loss / weight if state.scaler is None else state.scaler.scale(loss / weight)
        scaled.backward()
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    sum_gradients(job, parameters)
    if norms is not None:
        norms.end(job.processes, step + 1)
    look()
    apply_gradients(job, state, parameters, rate)
    return rate


def global_weight(job: Job, targets: list[Tensor]) -> Any:
    """What the targets of all processes weigh."""
    mine = sum((job.recipe.loss.weight(target) for target in targets), 0.0)
    if job.processes.world == 1:
        return mine
    return job.processes.sum(torch.as_tensor(mine, dtype=torch.float64, device=job.device).reshape(1))[0]


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


def sum_gradients(job: Job, parameters: list[nn.Parameter]) -> None:
    """Gradients summed over the processes; what had no part in the loss has a gradient of 0, and so decays."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    job.processes.sum_all([p.grad for p in parameters if p.grad is not None])


def apply_gradients(job: Job, state: State, parameters: list[nn.Parameter], rate: float) -> None:
    for group in state.optimizer.param_groups:
        group["lr"] = rate * group["lr_mult"]
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)
    if job.recipe.optimizer.clip_norm is not None:
        nn.utils.clip_grad_norm_(parameters, job.recipe.optimizer.clip_norm)
    if state.scaler is not None:
        state.scaler.step(state.optimizer)
        state.scaler.update()
    else:
        state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)


def ended(job: Job, state: State) -> Iterator[Record]:
    """The end of a phase whose condition is met, looked at after each stretch."""
    until = job.recipe.schedule[state.phase.number].until
    if until is None:
        return
    over = job.calendar.whole_steps(until.over)
    if (state.step - math.ceil(state.phase.start)) % over:
        return
    mean = state.since_check.means(job.processes, job.measured, job.device)[until.metric.partition(".")[2]]
    if until.met(mean):
        state.phase = Phase(state.phase.number + 1, Fraction(state.step))
        yield Record("phase", state.step, {"phase": state.phase.number, until.metric: mean})


def measured(job: Job, state: State, rate: float) -> Iterator[Record]:
    """A record of training, every so many steps and at the end."""
    if state.step % job.execution.log_every and state.step != job.total:
        return
    means = state.since_record.means(job.processes, job.measured, job.device)
    values = {"epoch": float(job.calendar.epochs(state.step)), "lr": rate}
    yield Record("train", state.step, values | {f"train.{name}": mean for name, mean in means.items()})


def copied(state: State) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in state.module.state_dict().items()}


def tested(job: Job, state: State) -> Iterator[Record]:
    """Evaluations that are due, at the end all of them, with what a plateau makes of them.

    The weights are averaged where the recipe averages, and at the end have exact statistics where it says so.
    """
    last = state.step == job.total
    every = {name: protocol.every for name, protocol in job.recipe.evaluate.items()}
    regular = {name for name, length in every.items() if length is not None and job.calendar.due(state.step, length)}
    if not regular and not last:
        return
    found = {}
    with averaged(state), recalibrated(job, state) if last else nullcontext():
        for name, protocol in job.recipe.evaluate.items():
            if last or name in regular:
                found[name] = evaluate(job, [state.module], protocol)
        if last:
            state.final = copied(state)
        if job.recipe.select is not None:
            state.tested = copied(state)
    for name, results in found.items():
        values = {f"{name}.{metric}": value for metric, value in results.items()}
        yield Record("test", state.step, {"epoch": float(job.calendar.epochs(state.step)), **values})
        if name in regular:
            yield from dropped(job, state, values)


def dropped(job: Job, state: State, values: dict[str, Any]) -> Iterator[Record]:
    """What a plateau that watches one of these values makes of it: perhaps a drop of the rate."""
    now = job.recipe.schedule[state.phase.number]
    if not isinstance(now, Plateau) or now.metric not in values:
        return
    op = now.metric.rpartition(".")[2]
    lowest = all(metric.better == "lowest" for metric in job.recipe.metrics if metric.op == op)
    before = state.phase.drops
    state.phase = seen(now, state.phase, values[now.metric], lowest)
    if state.phase.drops > before:
        yield Record("drop", state.step, {"drops": state.phase.drops, now.metric: values[now.metric]})
