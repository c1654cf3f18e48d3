"""The loop: one step after another, yielding records. It reads no files and writes none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from archspec.parts.schedule import Plateau
from archspec.train.average import averaged, enter
from archspec.train.evaluate import Interrupted, evaluate
from archspec.train.exact import recalibrated
from archspec.train.job import Job
from archspec.train.phases import Phase, seen
from archspec.train.state import State, copied
from archspec.train.step import Update


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

    Errors: DataError of an image; RunError of a learning rate
    """
    update = Update(job, state)
    alone = job.processes.world == 1
    try:
        if state.pending:
            yield from tested(job, state, stop)
        for step, groups in job.steps(state.step):
            rate = update(step, groups, stop())
            state.step, state.pending = step + 1, True
            enter(job, state)
            yield from ended(job, state)
            yield from measured(job, state, rate)
            yield from tested(job, state, stop)
            yield Record("step", state.step)
            if stop() if alone else update.is_asked_to_stop:
                break
    except Interrupted:  # the tests of this step are done when the run goes on
        pass
    finally:
        update.rest()


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


def tested(job: Job, state: State, stop: Callable[[], bool]) -> Iterator[Record]:
    """Evaluations that are due, at the end all of them, with what a plateau makes of them.

    The weights are averaged where the recipe averages, and at the end have exact statistics where it says so.
    """
    last = state.step == job.total
    every = {name: protocol.every for name, protocol in job.recipe.evaluate.items()}
    regular = {name for name, length in every.items() if length is not None and job.calendar.due(state.step, length)}
    if not regular and not last:
        state.pending = False
        return
    found = {}
    with averaged(state), recalibrated(job, state) if last else nullcontext():
        for name, protocol in job.recipe.evaluate.items():
            if last or name in regular:
                found[name] = evaluate(job, state.module, protocol, stop)
        if last:
            state.final = copied(state.module)
        if job.recipe.select is not None:
            state.tested = copied(state.module)
    state.pending = False
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
