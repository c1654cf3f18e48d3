"""A run in its folder: what it is made of, its metrics and its checkpoints.

spec.yaml recipe.yaml         resolved: all that is learnt depends on these and the data
execution.json                device, precision and the like, and the folder of data
environment.json              versions, hashes, the machine
data.safetensors              what transforms learnt from the training images, and the names of classes
metrics.jsonl                 a line per record, without times, so that it is the same however often a run stopped
checkpoints/00064000.safetensors, or a folder 00064000 where weights are shared out among processes
best.safetensors              while the run goes on, where the recipe selects: the best weights so far
weights.safetensors           last or best, averaged where the recipe averages; written at the end
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import archspec
from archspec.data.pipeline import Pipeline
from archspec.errors import DataError, RunError
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
from archspec.train.average import holding
from archspec.train.checkpoint import read_tensors, remove, sweep, sync_folder, write_tensors
from archspec.train.checkpoint_folder import read_folder, write_folder
from archspec.train.exact import recalibrated
from archspec.train.execution import Execution
from archspec.train.job import Job, image_size, prepare_module
from archspec.train.loop import Record
from archspec.train.processes import Processes
from archspec.train.shard import held
from archspec.train.state import State, copied, fresh, is_over, numbers_of, places, restore, tensors_of
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
        found = (self.folder / "checkpoints").glob("[0-9]*")
        return sorted((path for path in found if path.suffix == ".safetensors" or path.is_dir()), reverse=True)

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
        path = self.folder / "execution.json"
        try:
            found = json.loads(path.read_text())
            if not isinstance(found, dict) or not isinstance(found.get("data", 0), str | None):
                raise ValueError("expected a mapping with `data`")
            Execution(**{name: value for name, value in found.items() if name != "data"})
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{path}: cannot be used: {str(error).splitlines()[0]}") from None
        return found

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
    """The folder of a new run, with what the run is made of but its recipe. Errors: RunError, ArchspecError"""
    run = Run(_made(folder, graph))
    write_file(run.folder / "spec.yaml", write(expanded(graph)).encode())
    keep_settings(run, execution, data)
    write_file(run.folder / "environment.json", f"{json.dumps(environment(graph, loaded), indent=1)}\n".encode())
    return run


def keep_settings(run: Run, execution: Execution, data: Path | None) -> None:
    """Keep how a run is executed, now and where it goes on without being told otherwise."""
    settings = {**execution.model_dump(), "data": str(data.resolve()) if data else None}
    write_file(run.folder / "execution.json", f"{json.dumps(settings, indent=1)}\n".encode())


@contextmanager
def claimed(run: Run, processes: Processes) -> Iterator[None]:
    """While it lasts, no other command trains the run. Errors: RunError if one does"""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    if not processes.is_first:
        yield
        return
    path = run.folder / ".lock"
    with path.open("ab") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it ends with the process, and workers do not have it
        except (BlockingIOError, PermissionError):
            hint = "wait for it, or end it; a run that is begun anew has a folder of its own"
            raise RunError(f"{run.folder}: another process trains this run", hint) from None
        except OSError:  # a file system without locks
            pass
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def seal(run: Run, loaded: Loaded) -> None:
    """Write the recipe of a new run. It comes last: a folder that has it can be gone on with."""
    write_file(run.folder / "recipe.yaml", recipe_text(loaded).encode())


def _made(folder: Path | None, graph: Graph) -> Path:
    """The folder of a new run: the one that is named, or the first number that is free. Errors: RunError"""
    try:
        if folder is not None and folder.is_dir() and not any(folder.iterdir()):
            return folder
        named = folder or RUNS / folder_name(graph)
        if named.parent.exists() and not named.parent.is_dir():
            raise RunError(f"{named.parent}: not a folder, so no run can be written there")
        named.parent.mkdir(parents=True, exist_ok=True)
        for tried in [folder] if folder is not None else (Path(f"{named}-{number}") for number in count(1)):
            try:
                tried.mkdir()
                return tried
            except FileExistsError:
                continue
    except OSError as error:
        raise RunError(f"{folder or RUNS}: {(error.strerror or str(error)).lower()}") from None
    assert folder is not None
    hint = f"go on with it: --resume {folder}" if (folder / "recipe.yaml").exists() else "name another"
    raise RunError(f"{folder}: exists already, and is not empty", hint)


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
    lists = {"train": job.pipeline.fitted, **{f"test.{name}": learnt for name, learnt in job.own.items()}}
    tensors = {
        f"{of}.{k}.{name}": value
        for of, learnt in lists.items()
        for k, one in enumerate(learnt)
        for name, value in one.items()
    }
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


def check_data(run: Run, job: Job) -> None:
    """Errors: RunError if a run began with other images than those at hand"""
    header, _ = read_tensors(run.folder / "data.safetensors")
    if header["classes"] != list(job.train.classes):
        raise RunError(f"{run.folder}: the run began with other classes than these data have")
    for split, images in (("train", job.train), ("test", job.test)):
        if header[split] != images.fingerprint:
            hint = "name the same data, or begin a new run"
            raise RunError(f"{run.folder}: the run began with other {split} images than these", hint)


def job_to_test(run: Run, execution: Execution, data: Path | None, processes: Processes) -> Job:
    """The job of a run with test images, and means that the run learnt. Errors: RunError, DataError, SpecError"""
    job = job_without_data(run, execution)
    held = data or (Path(kept) if (kept := run.settings()["data"]) else None)
    if job.recipe.data.needs_folder and (held is None or not held.is_dir()):
        raise RunError(f"{held}: no such folder of data", "--data FOLDER")
    images = job.recipe.data.images("test", held, image_size(job.graph))
    if list(images.classes) != list(job.train.classes):
        raise RunError(f"{run.folder}: the run learnt other classes than these data have")
    return replace(job, test=images, processes=processes)


def job_without_data(run: Run, execution: Execution) -> Job:
    """The job of a run as far as answering goes. Errors: RunError, SpecError"""
    graph, recipe = run.graph(), run.recipe().recipe
    header, tensors = read_tensors(run.folder / "data.safetensors")
    transforms = [*recipe.prepare, *recipe.augment, *recipe.normalize]
    learnt: dict[str, list[Mapping[str, Tensor]]] = {"train": [{} for _ in transforms]}
    for name, protocol in recipe.evaluate.items():
        learnt[f"test.{name}"] = [{} for _ in protocol.prepare or ()]
    for key, value in tensors.items():
        of, number, name = key.rsplit(".", 2)
        learnt[of][int(number)] = {**learnt[of][int(number)], name: value}
    own = {name: learnt[f"test.{name}"] for name in recipe.evaluate}
    names = Names(header["classes"])
    calendar = Calendar(1, 1, "wrap")
    pipeline = Pipeline(transforms, learnt["train"])
    device = usable_device(execution.device)
    return Job(graph, recipe, names, names, pipeline, calendar, 0, device, execution, own=own)


def opened(folder: Path) -> Run:
    """A run that is there. Errors: RunError"""
    if not (folder / "recipe.yaml").is_file() or not (folder / "spec.yaml").is_file():
        found = "no such folder" if not folder.exists() else "no run: it has no spec.yaml and recipe.yaml"
        raise RunError(f"{folder}: {found}", "`archspec runs` lists the runs below a folder")
    return Run(folder)


KEYS = {"step", "metrics", "seed", "spec_hash", "recipe_hash", "phase", "since_record", "since_check", "averaged"}
"""What the header of a checkpoint says."""


def newest(run: Run, state: State, said: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What the newest whole checkpoint holds for a state; those that are not whole are passed over, and said to be."""
    place_of = places(state)

    def empty(name: str, size: torch.Size, dtype: torch.dtype) -> Tensor:
        place = place_of(name)
        return torch.empty_like(place, dtype=dtype) if place.shape == size else torch.empty(size, dtype=dtype)

    for path in run.checkpoints:
        try:
            header, tensors = read_folder(path, empty) if path.is_dir() else read_tensors(path)
            if not isinstance(header, dict) or KEYS - header.keys():
                raise RunError(f"{path}: not a whole checkpoint: its header lacks what a run needs")
            return header, tensors
        except RunError as error:
            if said is not None:
                said.append(f"passed over: {error}")
    return None


def resume(run: Run, job: Job, state: State) -> list[str]:
    """Put the newest whole checkpoint into a fresh state, and cut the metrics to where it was; what was found.

    A run that has no checkpoint at all begins anew.

    Errors: RunError if a checkpoint is of another spec or recipe
    """
    for folder in (run.folder, run.folder / "checkpoints"):
        sweep(folder)
    said: list[str] = []
    found = newest(run, state, said)
    job.processes.agree("checkpoint", f"step {found[0]['step']}" if found else "none")
    if found is None and run.checkpoints:
        hint = "to begin anew, remove the folder checkpoints"
        raise RunError(f"{run.folder}: none of its checkpoints is whole; {'; '.join(said)}", hint)
    numbers: dict[str, Any] = {"metrics": 0, "step": 0}
    if found is not None:
        numbers, tensors = found
        if numbers["seed"] != job.recipe.seed:
            message = f"{run.folder}: the run began with seed {numbers['seed']}, found {job.recipe.seed} in recipe.yaml"
            raise RunError(message, "a run keeps its seed; begin a new one")
        for what, mine in (("spec", spec_hash(job.graph)), ("recipe", job.recipe.hash)):
            if numbers[f"{what}_hash"] != mine:
                hint = f"{what}.yaml was changed after the run began; begin a new one"
                raise RunError(f"{run.folder}: its checkpoint is of another {what} than its {what}.yaml", hint)
        try:
            restore(state, numbers, tensors, job.processes.is_first)
        except (KeyError, RuntimeError) as error:
            raise RunError(f"{run.folder}: its checkpoint does not fit: {str(error).splitlines()[0]}") from None
    said.append(
        f"goes on from step {numbers['step']:,}" if found is not None else "begins anew: no checkpoint is there"
    )
    if state.best is not None and job.recipe.select is not None:
        read_tensors(run.folder / "best.safetensors")
    if numbers["metrics"] and (not run.metrics.exists() or run.metrics.stat().st_size < numbers["metrics"]):
        message = f"{run.metrics}: is shorter than at the last checkpoint"
        raise RunError(message, "put the whole file back; without it the run's records are lost")
    if job.processes.is_first and run.metrics.exists():
        with run.metrics.open("r+b") as file:
            file.truncate(numbers["metrics"])
    job.processes.wait()
    return said


def start(run: Run, job: Job, module: torch.nn.Module) -> State:
    """The state of a new run, and the folder for its checkpoints. Errors: SpecError"""
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
        self.logs = [logger.open(run.folder, state.step) for logger in loggers] if job.processes.is_first else []
        self.file = run.metrics.open("ab") if job.processes.is_first else None

    def line(self, record: Record) -> None:
        for name, value in record.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise self._not_finite(f"{name} is {value}", record.step)
        if self.file is not None:
            text = json.dumps({"kind": record.kind, "step": record.step, **record.values})
            try:
                self.file.write(f"{text}\n".encode())
                self.file.flush()
            except OSError as error:
                raise self._lost(error) from None
        for log in self.logs:
            log(record.kind, record.step, record.values)

    def _lost(self, error: OSError) -> RunError:
        hint = f"mend it and go on: archspec train --resume {self.run.folder}"
        return RunError(f"{self.run.metrics}: cannot be written: {(error.strerror or str(error)).lower()}", hint)

    def refuse_not_finite(self) -> None:
        """So that no good checkpoint gives way to a bad one. Errors: RunError"""
        norms = torch._foreach_norm([held(p.detach()) for p in self.state.module.parameters()])
        mine = bool(torch.isfinite(torch.stack(norms)).all())
        if self.job.processes.any(not mine):
            raise self._not_finite("a weight is not finite", self.state.step)

    def _not_finite(self, what: str, step: int) -> RunError:
        from archspec.train.finite import first_not_finite

        where = first_not_finite(self.run, self.job, step)
        message = f"{what} at step {step:,}{f'; {where}' if where else ''}"
        return RunError(message, "a smaller optimizer.lr, a warm-up, or clip_norm may help")

    def save(self) -> None:
        """Write a checkpoint; every process calls it at the same time. Errors: RunError"""
        self.refuse_not_finite()
        numbers = numbers_of(self.state, self.job)
        self.saved = self.state.step
        path = self.run.folder / "checkpoints" / f"{self.state.step:08}"
        header = self._header(numbers) if self.file is not None else None
        if self.job.execution.shard:
            write_folder(path, tensors_of(self.state), header, self.job.processes)
        elif header is not None:
            path = path.with_suffix(".safetensors")
            write_tensors(path, tensors_of(self.state), header)
        if header is not None:
            for old in self.run.checkpoints[self.job.execution.keep :]:
                if old != path:
                    remove(old)

    def _header(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """What a checkpoint says beside its tensors, once the metrics before it are on the disk."""
        assert self.file is not None
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            raise self._lost(error) from None
        return {
            **numbers,
            "seed": self.job.recipe.seed,
            "metrics": self.file.tell(),
            "spec_hash": spec_hash(self.job.graph),
            "recipe_hash": self.job.recipe.hash,
        }

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
        self.refuse_not_finite()
        assert self.state.final
        best = self.run.folder / "best.safetensors"
        header: dict[str, Any] = {"step": self.state.step}
        tensors = self.state.final
        if self.job.recipe.select is not None and self.state.best is not None:
            header, tensors = read_tensors(best)
            with holding(self.state.module, tensors), recalibrated(self.job, self.state):
                tensors = copied(self.state.module)
        if self.file is not None:
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
    between = state.step
    """The step after which nothing else has happened yet."""
    try:
        for one in records:
            between = one.step if one.kind == "step" else -1
            if one.kind != "step":
                recorder.line(one)
            if one.kind == "test":
                recorder.select(one, state.tested)
            if one.kind == "step" and state.step % job.execution.checkpoint_every == 0 and state.step < job.total:
                recorder.save()
            yield one
        if is_over(state, job):
            recorder.finish()
        elif recorder.saved != state.step:
            recorder.save()
    except DataError as error:
        whole = state.step == between or state.pending  # not in the middle of a step
        if type(error) is DataError and job.processes.world == 1 and whole and recorder.saved != state.step:
            recorder.save()  # nothing of the steps that are done is lost
        raise
    finally:
        recorder.close()


def save_start(run: Run, job: Job, state: State) -> None:
    """Keep the weights that a run starts from, where they are not those of its seed."""
    recorder = Recorder(run, job, state)
    try:
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
