"""What `archspec train` does once its options are read."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from archspec.cli.options import WeightsOptions
from archspec.errors import RunError, did_you_mean
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.part import Logger
from archspec.recipe.document import Loaded
from archspec.registry import RECIPE_PARTS
from archspec.train.execution import Execution
from archspec.train.job import Job, prepare_job, prepare_module
from archspec.train.learnt import check_data, keep_learnt
from archspec.train.loop import Record, train
from archspec.train.processes import Processes, join, leave
from archspec.train.recorder import record, save_start
from archspec.train.resume import resume, start
from archspec.train.run import Run, begin, claimed, keep_settings, opened, seal
from archspec.train.state import State, is_over


@dataclass(frozen=True)
class Command:
    """A run to begin."""

    graph: Graph
    loaded: Loaded
    machine: dict[str, Any]
    data: Path | None
    folder: Path | None
    weights: WeightsOptions
    logs: tuple[str, ...] = ()


def loggers(names: tuple[str, ...]) -> list[Logger]:
    """The loggers of some names. Errors: RunError, PluginError"""
    registry = RECIPE_PARTS["logger"]
    found = []
    for name in names:
        if name not in registry:
            raise RunError(f"there is no logger `{name}`", did_you_mean(name, registry, "loggers"))
        logger = cast(type[Logger], registry[name])()
        logger.check()
        found.append(logger)
    return found


def go_train(command: Command) -> None:
    """Begin a run and train. Errors: ArchspecError"""
    if int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) and command.folder is None:
        hint = "name the run's folder: --out FOLDER"
        raise RunError("torchrun may start this run again, which then must find its folder", hint)
    told = loggers(command.logs)
    execution, processes = _joined(command.machine)
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))  # torchrun starts the same command again
    folder = command.folder
    if folder is not None and processes.from_first(lambda: bool(again) and (folder / "recipe.yaml").exists()):
        _check_same(Run(folder), command)
        go_on(folder, command.machine, command.data, command.logs)
        return
    job = prepare_job(command.graph, command.loaded.recipe, command.data, execution, processes)
    module = prepare_module(
        job,
        weights=command.weights.file,
        rename=command.weights.rename,
        allow_missing=command.weights.allow_missing,
        allow_unexpected=command.weights.allow_unexpected,
    )
    made = None
    if processes.is_first:
        given = as_given(execution, command.machine)
        made = begin(command.folder, command.graph, command.loaded, given, command.data)
        keep_learnt(made, job)
    run = processes.told(made)[0]
    _check_folder(run, processes)
    with claimed(run, processes):
        state = start(run, job, module)
        if command.weights.file:
            save_start(run, job, state)
        if processes.is_first:
            seal(run, command.loaded)
        _go(run, job, state, [], told)


def _check_same(run: Run, command: Command) -> None:
    """Errors: RunError if a folder holds another run than a command begins"""
    recipe = run.recipe().recipe
    mine = (spec_hash(command.graph), command.loaded.recipe.hash, command.loaded.recipe.seed)
    if mine != (spec_hash(run.graph()), recipe.hash, recipe.seed):
        raise RunError(f"{run.folder}: exists already, and holds another run", "name another folder")


def _check_folder(run: Run, processes: Processes) -> None:
    """Errors: RunError if a process does not see the folder that the first one has made"""
    if not all(processes.told(run.folder.is_dir())):
        hint = "with several machines, the run's folder is on a disk that all of them have"
        raise RunError(f"{run.folder}: not every process sees it", hint)


def go_on(folder: Path, machine: dict[str, Any], data: Path | None, logs: tuple[str, ...] = ()) -> None:
    """Go on with a run that stopped. Errors: ArchspecError"""
    run = opened(folder)
    if run.is_finished:
        if os.environ.get("RANK", "0") == "0":
            click.echo(f"{folder}: the run is finished; its weights are {run.weights}")
        return
    kept = run.settings()
    held = kept.pop("data")
    chosen = {**kept, **machine}
    if (chosen["precision"] == "fp64") != (kept["precision"] == "fp64"):
        raise RunError(f"{folder}: its weights are {kept['precision']}; fp64 and others cannot be exchanged")
    execution, processes = _joined(chosen)
    graph, loaded = run.graph(), run.recipe()
    folder_of_data = data or (Path(held) if held else None)
    job = prepare_job(graph, loaded.recipe, folder_of_data, execution, processes)
    check_data(run, job)
    with claimed(run, processes):
        state = start(run, job, prepare_module(job))
        said = resume(run, job, state)
        if processes.is_first:
            keep_settings(run, as_given(execution, chosen), folder_of_data)
        _go(run, job, state, said, loggers(logs))


def as_given(execution: Execution, machine: dict[str, Any]) -> Execution:
    """With the device as the user said it, which means another one to each process."""
    return execution.model_copy(update={"device": machine.get("device", "cpu")})


def _joined(machine: dict[str, Any]) -> tuple[Execution, Processes]:
    processes, device = join(machine.get("device", "cpu"))
    execution = Execution(**{**machine, "device": device})
    from archspec.train.machine import apply

    apply(execution)
    return execution, processes


def _go(run: Run, job: Job, state: State, said: list[str], told: list[Logger]) -> None:
    """Train to the end or to a signal, and show how it goes."""
    stopped: list[int] = []
    kinds = (signal.SIGTERM, signal.SIGINT)

    def hear(number: int, _: Any) -> None:
        if stopped and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice
        stopped.append(number)

    before = [signal.signal(kind, hear) for kind in kinds]
    show = Progress(job, state) if job.processes.is_first else None
    if show:
        show.say(f"{job.graph.name} by {job.recipe.name} in {run.folder}")
        for line in [*said, *_idle(job)]:
            show.say(line)

    try:
        for one in record(run, job, state, train(job, state, lambda: bool(stopped)), told):
            if show:
                show(one)
        bad = sum(job.processes.told(state.bad_images))
        leave()
    except (RuntimeError, ValueError) as error:
        for sign, message, hint in LOST:
            if sign in str(error):
                raise RunError(message, f"{hint}; go on: archspec train --resume {run.folder}") from error
        raise
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
    if show:
        show.end()
        if bad:
            click.echo(f"left out {bad} presentations of images that cannot be read")
        if is_over(state, job):
            click.echo(f"finished: {run.weights}")
        else:
            click.echo(f"stopped at step {state.step:,} of {job.total:,}: archspec train --resume {run.folder}")
    if stopped and not is_over(state, job):
        sys.exit(128 + stopped[0])


LOST = [
    ("more than 1 value per channel", "batch norm met a forward pass of a single value", "a larger batch or group"),
    ("DataLoader worker", "a process that makes images ready has died", "most often memory ran out: fewer --workers"),
    ("onnection closed by peer", "another process of this run is gone", "its own message says why"),
    ("onnection reset by peer", "another process of this run is gone", "its own message says why"),
]
"""Words of torch for what is no mistake of a program, and what is told instead, with a hint."""


def _idle(job: Job) -> list[str]:
    """What there is to say of processes that have nothing to do."""
    group, batch, world = job.recipe.batch.group, job.recipe.batch.size, job.processes.world
    groups = world if group is None else -(-batch // group)
    if groups >= world:
        return []
    some = "1 group" if groups == 1 else f"{groups} groups"
    return [f"a batch has {some}, so {world - groups} of {world} processes have nothing to do"]


class Progress:
    """A line that says how far a run is, and above it what it has measured; without a terminal, plain lines alone."""

    def __init__(self, job: Job, state: State) -> None:
        self.job, self.first, self.began, self.shown = job, state.step, time.monotonic(), 0.0
        self.live = sys.stderr.isatty()
        self.loss = ""

    def say(self, text: str) -> None:
        self._clear()
        click.echo(text)

    def __call__(self, record: Record) -> None:
        if record.kind == "step":
            if self.live and time.monotonic() - self.shown > 0.2:
                self._line(record.step)
            return
        if record.kind == "train":
            self.loss = "".join(
                f"{name.removeprefix('train.').removesuffix('_error')} {shown(name, v)}, "
                for name, v in record.values.items()
                if "train." in name
            )
        if record.kind != "train" or not self.live:
            self.say(self._told(record))

    def _told(self, record: Record) -> str:
        values = ", ".join(f"{name} {shown(name, value)}" for name, value in record.values.items())
        speed = f", {self._speed(record.step):,.0f} images/s" if record.kind == "train" else ""
        return f"step {record.step:,} of {self.job.total:,}: {record.kind}: {values}{speed}"

    def _speed(self, step: int) -> float:
        return (step - self.first) * self.job.recipe.batch.size / max(time.monotonic() - self.began, 1e-9)

    def _line(self, step: int) -> None:
        self.shown = time.monotonic()
        left = (self.job.total - step) * (self.shown - self.began) / max(step - self.first, 1)
        width = shutil.get_terminal_size().columns - 1
        done = int(10 * step / self.job.total)
        bar = f"[{'#' * done}{'.' * (10 - done)}]"
        text = f"{bar} {duration(left)} left, {step:,}/{self.job.total:,}, {self.loss}{self._speed(step):,.0f} images/s"
        click.echo(f"\r{text[:width]:<{width}}", nl=False, err=True)

    def _clear(self) -> None:
        if self.live:
            click.echo(f"\r{'':<{shutil.get_terminal_size().columns - 1}}\r", nl=False, err=True)

    def end(self) -> None:
        self._clear()


def shown(name: str, value: Any) -> str:
    """A number of a record as people read it: errors in per cent."""
    if name.endswith("_error"):
        return f"{100 * value:.2f} %"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"
