"""What a run keeps of its data: to go on with the same, and to test and answer without those it learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from archspec.data.pipeline import Pipeline
from archspec.errors import RunError
from archspec.image import Image
from archspec.length import Calendar
from archspec.lowering.device import usable_device
from archspec.train.checkpoint import read_tensors, write_tensors
from archspec.train.execution import Execution
from archspec.train.job import Job, image_size, prepare_module
from archspec.train.processes import Processes
from archspec.train.run import Run


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
