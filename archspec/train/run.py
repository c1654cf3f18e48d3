"""A run in its folder: what it is made of, its metrics and its checkpoints.

spec.yaml recipe.yaml         resolved: all that is learnt depends on these and the data
execution.json environment.json
metrics.jsonl                 a line per record, without times, so that it is the same however often a run stopped
checkpoints/00064000.safetensors
weights.safetensors           last or best, averaged where the recipe averages; written at the end
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import archspec
from archspec.data.pipeline import Pipeline
from archspec.errors import RunError
from archspec.file import write_file
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.image import Image
from archspec.length import Calendar
from archspec.lowering.artifacts import folder_name
from archspec.lowering.device import usable_device
from archspec.part import Logger
from archspec.recipe.document import Loaded
from archspec.recipe.files import load_recipe
from archspec.spec.reader import plain
from archspec.spec.writer import write
from archspec.train.checkpoint import read_tensors, sweep, sync_folder, write_tensors
from archspec.train.execution import Execution
from archspec.train.job import Job, prepare_module
from archspec.train.loop import Record
from archspec.train.state import State, fresh, numbers_of, restore, tensors_of
from archspec.views.expanded import expanded

RUNS = Path("runs")


@dataclass(frozen=True)
class Run:
    """The folder of a run."""

    folder: Path

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def checkpoints(self) -> list[Path]:
        """Newest first."""
        return sorted((self.folder / "checkpoints").glob("[0-9]*.safetensors"), reverse=True)

    @property
    def is_finished(self) -> bool:
        return self.weights.exists()

    def graph(self) -> Graph:
        """Errors: SpecError"""
        return archspec.compile(self.folder / "spec.yaml")

    def recipe(self, settings: dict[str, Any] | None = None) -> Loaded:
        """Errors: SpecError"""
        return load_recipe(self.folder / "recipe.yaml", settings)

    def settings(self) -> dict[str, Any]:
        """What execution.json says: the execution, and `data`."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "execution.json").read_text())
            return found
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder / 'execution.json'}: {error}") from None

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that was cut short is left out."""
        if not self.metrics.exists():
            return []
        found = []
        for line in self.metrics.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


def begin(folder: Path | None, graph: Graph, loaded: Loaded, execution: Execution, data: Path | None) -> Run:
    """A new run, its folder made and filled with what it is made of. Errors: RunError"""
    run = Run(_made(folder, graph))
    try:
        write_file(run.folder / "spec.yaml", write(expanded(graph)).encode())
        write_file(run.folder / "recipe.yaml", recipe_text(loaded).encode())
        settings = {**execution.model_dump(), "data": str(data.resolve()) if data else None}
        write_file(run.folder / "execution.json", f"{json.dumps(settings, indent=1)}\n".encode())
        write_file(run.folder / "environment.json", f"{json.dumps(environment(graph, loaded), indent=1)}\n".encode())
    except OSError as error:
        raise RunError(f"{run.folder}: {(error.strerror or str(error)).lower()}") from None
    return run


def _made(folder: Path | None, graph: Graph) -> Path:
    """The folder of a new run: the one that is named, or the first number that is free. Errors: RunError"""
    name, number = folder_name(graph), 0
    while True:
        number += 1
        tried = folder or RUNS / f"{name}-{number}"
        try:
            tried.parent.mkdir(parents=True, exist_ok=True)
            tried.mkdir(exist_ok=folder is not None and not any(tried.iterdir()) if tried.is_dir() else False)
            return tried
        except FileExistsError:
            if folder is not None:
                hint = f"go on with it: --resume {folder}" if (folder / "recipe.yaml").exists() else "name another"
                raise RunError(f"{folder}: exists already, and is not empty", hint) from None
        except OSError as error:
            raise RunError(f"{tried}: {(error.strerror or str(error)).lower()}") from None


def recipe_text(loaded: Loaded) -> str:
    """A recipe as one file, with what it extends and is set to worked in, marks included."""
    data = plain(loaded.written)
    assert isinstance(data, dict)
    data.pop("extends", None)
    return write(data)


def environment(graph: Graph, loaded: Loaded) -> dict[str, Any]:
    """What the run was made with."""
    import numpy
    import PIL

    return {
        "spec_hash": spec_hash(graph),
        "recipe_hash": loaded.recipe.hash,
        "archspec": archspec.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())],
    }


def keep_learnt(run: Run, job: Job) -> None:
    """Keep what transforms learnt from the training images, and the names of classes: to answer without the data."""
    tensors = {f"{k}.{name}": value for k, one in enumerate(job.pipeline.fitted) for name, value in one.items()}
    header = {"classes": list(job.train.classes), "train": job.train.fingerprint, "test": job.test.fingerprint}
    write_tensors(run.folder / "data.safetensors", tensors, header)


class Names:
    """The classes of a dataset that is not at hand."""

    fingerprint = ""

    def __init__(self, classes: list[str]) -> None:
        self.classes = classes

    def __len__(self) -> int:
        return 0

    def target(self, index: int) -> int:
        raise IndexError(index)

    def image(self, index: int) -> Image:
        raise IndexError(index)

    def name(self, index: int) -> str:
        raise IndexError(index)


def job_without_data(run: Run, execution: Execution) -> Job:
    """The job of a run as far as answering goes. Errors: RunError, SpecError"""
    graph, recipe = run.graph(), run.recipe().recipe
    header, tensors = read_tensors(run.folder / "data.safetensors")
    transforms = [*recipe.prepare, *recipe.augment, *recipe.normalize]
    learnt: list[dict[str, Tensor]] = [{} for _ in transforms]
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        learnt[int(number)][name] = value
    names = Names(header["classes"])
    calendar = Calendar(1, 1, "wrap")
    return Job(
        graph,
        recipe,
        names,
        names,
        Pipeline(transforms, learnt),
        calendar,
        0,
        usable_device(execution.device),
        execution,
    )


def opened(folder: Path) -> Run:
    """A run that is there. Errors: RunError"""
    if not (folder / "recipe.yaml").is_file() or not (folder / "spec.yaml").is_file():
        found = "no such folder" if not folder.exists() else "no run: it has no spec.yaml and recipe.yaml"
        raise RunError(f"{folder}: {found}", "`archspec runs` lists the runs below a folder")
    return Run(folder)


def newest(run: Run, said: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What the newest whole checkpoint holds; those that are not whole are passed over, and said to be."""
    for path in run.checkpoints:
        try:
            return read_tensors(path)
        except RunError as error:
            if said is not None:
                said.append(f"passed over: {error}")
    return None


def resume(run: Run, job: Job, state: State) -> list[str]:
    """Put the newest whole checkpoint into a fresh state, and cut the metrics to where it was; what was found.

    Errors: RunError if a checkpoint is of another spec or recipe
    """
    sweep(run.folder / "checkpoints")
    said: list[str] = []
    found = newest(run, said)
    numbers: dict[str, Any] = {"metrics": 0, "step": 0}
    if found is not None:
        numbers, tensors = found
        for what, mine in (("spec", spec_hash(job.graph)), ("recipe", job.recipe.hash)):
            if numbers[f"{what}_hash"] != mine:
                hint = f"{what}.yaml was changed after the run began; begin a new one"
                raise RunError(f"{run.folder}: its checkpoint is of another {what} than its {what}.yaml", hint)
        try:
            restore(state, numbers, tensors)
        except (KeyError, RuntimeError) as error:
            raise RunError(f"{run.folder}: its checkpoint does not fit: {str(error).splitlines()[0]}") from None
    said.append(f"goes on from step {numbers['step']:,}" if numbers["step"] else "begins anew: no checkpoint is there")
    if job.processes.is_first and run.metrics.exists():
        with run.metrics.open("r+b") as file:
            file.truncate(numbers["metrics"])
    job.processes.wait()
    return said


def start(run: Run, job: Job, module: torch.nn.Module) -> State:
    """The state of a new run, checked to have somewhere to be saved. Errors: RunError, SpecError"""
    state = fresh(job, module)
    if job.processes.is_first:
        (run.folder / "checkpoints").mkdir(exist_ok=True)
    return state


class Recorder:
    """Writes what a run's records say into its folder; only the first process writes."""

    def __init__(self, run: Run, job: Job, state: State, loggers: Sequence[Logger] = ()) -> None:
        self.run, self.job, self.state = run, job, state
        self.saved = -1
        """The step of the last checkpoint."""
        self.logs = [logger.open(run.folder) for logger in loggers] if job.processes.is_first else []
        self.file = run.metrics.open("ab") if job.processes.is_first else None

    def line(self, record: Record) -> None:
        for name, value in record.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                from archspec.train.finite import first_not_finite

                where = first_not_finite(self.run, self.job, record.step)
                message = f"{name} is {value} at step {record.step:,}{f'; {where}' if where else ''}"
                raise RunError(message, "a smaller optimizer.lr, a warm-up, or clip_norm may help")
        if self.file is not None:
            self.file.write(f"{json.dumps({'kind': record.kind, 'step': record.step, **record.values})}\n".encode())
            self.file.flush()
        for log in self.logs:
            log(record.kind, record.step, record.values)

    def save(self) -> None:
        """Write a checkpoint; every process calls it at the same time. Errors: RunError"""
        numbers = numbers_of(self.state, self.job)
        self.saved = self.state.step
        if self.file is None:
            return
        os.fsync(self.file.fileno())
        numbers["metrics"] = self.file.tell()
        numbers["spec_hash"], numbers["recipe_hash"] = spec_hash(self.job.graph), self.job.recipe.hash
        path = self.run.folder / "checkpoints" / f"{self.state.step:08}.safetensors"
        write_tensors(path, tensors_of(self.state), numbers)
        for old in self.run.checkpoints[self.job.execution.keep :]:
            old.unlink(missing_ok=True)

    def select(self, record: Record, weights: dict[str, Tensor]) -> None:
        """Keep the weights of the best value so far of the metric that selects."""
        chosen = self.job.recipe.select
        if chosen is None or chosen.metric not in record.values:
            return
        value, best = record.values[chosen.metric], self.state.best
        if best is None or (value < best if chosen.best == "lowest" else value > best):
            self.state.best = value
            if self.file is not None:
                write_tensors(
                    self.run.folder / "best.safetensors", weights, {"step": record.step, chosen.metric: value}
                )

    def close(self) -> None:
        for log in self.logs:
            log.close()
        if self.file is not None:
            self.file.close()

    def finish(self) -> None:
        """Write the weights of a finished run, then its last checkpoint."""
        if self.file is not None:
            best = self.run.folder / "best.safetensors"
            header: dict[str, Any] = {"step": self.state.step}
            tensors = self.state.final
            if self.job.recipe.select is not None and best.exists():
                header, tensors = read_tensors(best)
            write_tensors(self.run.weights, tensors, header)
            best.unlink(missing_ok=True)
            sync_folder(self.run.folder)
        self.save()


def record(
    run: Run, job: Job, state: State, records: Iterator[Record], loggers: Sequence[Logger] = ()
) -> Iterator[Record]:
    """Write what records say as they come, and checkpoints; at the end of the run its weights.

    `loggers` are told the records too. Errors: RunError
    """
    recorder = Recorder(run, job, state, loggers)
    try:
        for one in records:
            if one.kind != "step":
                recorder.line(one)
            if one.kind == "test":
                recorder.select(one, state.tested)
            if one.kind == "step" and state.step % job.execution.checkpoint_every == 0 and state.step < job.total:
                recorder.save()
            yield one
        if state.step == job.total:
            recorder.finish()
        elif recorder.saved != state.step:
            recorder.save()
    finally:
        recorder.close()


def trained(run: Run, job: Job) -> torch.nn.Module:
    """The network of a finished run with its weights, to be tested. Errors: RunError"""
    if not run.is_finished:
        raise RunError(f"{run.folder}: the run is not finished", f"archspec train --resume {run.folder}")
    _, tensors = read_tensors(run.weights)
    if {k: tuple(v.shape) for k, v in tensors.items()} != job.graph.state_shapes():
        raise RunError(f"{run.weights}: does not fit {run.folder / 'spec.yaml'}")
    module = prepare_module(job)
    module.load_state_dict(tensors)
    return module.eval()
