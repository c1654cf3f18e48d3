"""What is fixed for a run: the network, the recipe, the data, and how they are executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archspec.api import build
from archspec.data.loader import Presented, loaded
from archspec.data.means import fitted
from archspec.data.pipeline import Batch, Pipeline
from archspec.data.stream import Stream, groups_of
from archspec.errors import RunError, did_you_mean
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.length import Calendar
from archspec.lowering.device import usable_device
from archspec.part import Images
from archspec.parts.transform.constant import constant
from archspec.parts.transform.photometric import GREY
from archspec.recipe.document import Recipe
from archspec.train.execution import Execution
from archspec.train.processes import Processes
from archspec.train.shard import check_shard, shard

DTYPES = {"fp64": torch.float64}
CAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Job:
    """A run, but for its state."""

    graph: Graph
    recipe: Recipe
    train: Images
    test: Images
    pipeline: Pipeline
    """Of training images."""
    calendar: Calendar
    total: int
    """Steps of the whole run."""
    device: torch.device
    execution: Execution = field(default_factory=Execution)
    processes: Processes = field(default_factory=Processes)
    own: dict[str, list[Mapping[str, Tensor]]] = field(default_factory=dict)
    """By name of a protocol with a `prepare` of its own: what this learnt."""

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and images."""
        return DTYPES.get(self.execution.precision, torch.float32)

    @cached_property
    def outputs(self) -> list[tuple[int, float]]:
        """Numbers of the training outputs with a loss, and the weight of each; the first is the main one."""
        weights = self.recipe.loss_weights
        rows = [(k, weights.get(out.name, out.loss_weight)) for k, out in enumerate(self.graph.outputs)]
        main = self.graph.main_outputs[0].name
        return sorted(
            ((k, weight) for k, weight in rows if weight or self.graph.outputs[k].name == main),
            key=lambda row: self.graph.outputs[row[0]].name != main,
        )

    @cached_property
    def measured(self) -> list[str]:
        """Names of what is measured at every step."""
        return ["loss", *(metric.op for metric in self.recipe.metrics)]

    @property
    def is_grouped(self) -> bool:
        """Whether forward passes see parts of a batch by themselves."""
        group = self.recipe.batch.group
        return group is not None and group < self.recipe.batch.size

    @cached_property
    def stream(self) -> Stream:
        return Stream(self.recipe.order, self.calendar, self.recipe.seed)

    def passes(self, step: int) -> int:
        """How many forward passes of a step the process with most groups has."""
        size = self.recipe.batch.group
        return len(groups_of(self.stream(step), step, size, 0, self.processes.world))  # groups are dealt from 0 on

    def steps(self, first: int) -> Iterator[tuple[int, list[tuple[int, Batch]]]]:
        """From a step on: each step with the groups of this process, numbered and made ready."""
        mine, size = self.processes, self.recipe.batch.group
        make = Presented(self.train, self.pipeline, self.recipe.seed, self.execution.on_bad_image == "skip")
        groups_at = lru_cache(64)(lambda step: groups_of(self.stream(step), step, size, mine.rank, mine.world))
        keys = (group for step in range(first, self.total) for group in groups_at(step))
        batches = iter(loaded(make, keys, self.execution.workers, self.device.type == "cuda"))
        for step in range(first, self.total):
            groups = groups_at(step)
            yield step, [(group.number, next(batches)) for group in groups]

    def floats(self, pipeline: Pipeline, batch: Batch) -> Tensor:
        """The images of a batch, which is on the device, as the network reads them: with one channel, their grey."""
        pixels = pipeline.floats(batch, self.dtype, self.execution.channels_last)
        if self.graph.inputs[0].shape.dims[0] == 1:
            pixels = (pixels * constant(GREY, pixels)[:, None, None]).sum(1, keepdim=True)
        return pixels.contiguous(memory_format=torch.channels_last) if self.execution.channels_last else pixels

    def cast(self) -> Any:
        """The context of a forward pass."""
        kind = CAST.get(self.execution.precision)
        return torch.autocast(self.device.type, kind, enabled=kind is not None)


def prepare_job(
    graph: Graph, recipe: Recipe, data: Path | None, execution: Execution, processes: Processes | None = None
) -> Job:
    """A job whose data are opened and whose means are known. Errors: DataError, RunError, BuildError"""
    together = processes or Processes()
    check_shard(execution, together)
    device = usable_device(execution.device)
    if device.type == "cuda":
        device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
        torch.cuda.set_device(device)  # else what pins memory opens the first one too
    height, width = image_size(graph)
    if recipe.data.needs_folder and data is None:
        message = f"the recipe's data `{recipe.data.op}` is read from a folder, and none is named"
        raise RunError(message, "--data FOLDER, or try --recipe-set data=synthetic")
    if data is not None and not data.is_dir():
        raise RunError(f"{data}: no such folder of data")
    train, test = (recipe.data.images(split, data, (height, width)) for split in ("train", "test"))
    _check_classes(graph, train, test)
    _check_loss_weights(graph, recipe)
    together.agree("spec", spec_hash(graph))
    together.agree("recipe", recipe.hash)
    together.agree("seed", str(recipe.seed))
    together.agree("dataset", train.fingerprint)
    calendar = Calendar(len(train), recipe.batch.size, recipe.batch.last)
    _check_batches(recipe, calendar, together.world)
    transforms = [*recipe.prepare, *recipe.augment, *recipe.normalize]
    skip = execution.on_bad_image == "skip"
    lists = {"": transforms, **{name: p.prepare for name, p in recipe.evaluate.items() if p.prepare is not None}}
    own = together.from_first(
        lambda: {name: fitted(ones, train, skip, execution.workers) for name, ones in lists.items()}
    )
    learnt = own.pop("")
    pipeline = Pipeline(transforms, learnt)
    total = calendar.whole_steps(recipe.length)
    job = Job(graph, recipe, train, test, pipeline, calendar, total, device, execution, together, own)
    _check_size(job, height, width)
    return job


def _check_loss_weights(graph: Graph, recipe: Recipe) -> None:
    names = [output.name for output in graph.outputs]
    for name in recipe.loss_weights:
        if name not in names:
            message = f"the recipe gives a loss weight to `{name}`, and {graph.name} has no output `{name}`"
            raise RunError(message, did_you_mean(name, names, "its outputs"))


def _check_batches(recipe: Recipe, calendar: Calendar, world: int) -> None:
    """Errors: RunError if an epoch has no step, or a process would have no part of a batch that all share"""
    size = recipe.batch.size
    if not calendar.steps_per_epoch:
        have = f"an epoch of {calendar.epoch:,} images has no whole batch of {size:,}"
        raise RunError(f"{have}, and smaller ones are dropped", "--recipe-set batch.last=keep, or a smaller batch.size")
    smallest = (calendar.epoch % size or size) if calendar.last == "keep" else size
    if recipe.batch.group is None and smallest < world:
        message = f"the smallest batch has {smallest} images, and {world} processes share it"
        raise RunError(message, "say batch.group, so that a process may have none, or batch.last=wrap")


def image_size(graph: Graph) -> tuple[int, int]:
    """Height and width of a network's only input. Errors: RunError"""
    inputs = [tuple(node.shape.dims) for node in graph.inputs]
    if len(inputs) != 1 or len(inputs[0]) != 3 or inputs[0][0] not in (1, 3):
        found = ", ".join("x".join(map(str, dims)) for dims in inputs)
        raise RunError(f"{graph.name} reads {found}; a network that is trained on images reads one, of 3xHxW or 1xHxW")
    return inputs[0][1], inputs[0][2]


def _check_classes(graph: Graph, train: Images, test: Images) -> None:
    if list(train.classes) != list(test.classes):
        missing = sorted({*train.classes} ^ {*test.classes})[:5]
        raise RunError(f"training and test images have other classes: {', '.join(missing)} in one of them only")
    for output in graph.outputs:
        dims = tuple(graph[output.node].shape.dims)
        if dims != (len(train.classes),):
            found = "x".join(map(str, dims))
            message = (
                f"output `{output.name}` of {graph.name} is {found}, and the data have {len(train.classes)} classes"
            )
            raise RunError(message, f"-s classes={len(train.classes)}, where the spec has such a param")


def _check_size(job: Job, height: int, width: int) -> None:
    """Errors: RunError if training images are not of the size that the network reads"""
    (group,) = groups_of(job.stream(0)[:1], 0, None, 0, 1)
    batch = Presented(job.train, job.pipeline, job.recipe.seed, skip=True)(group)
    if len(batch) and tuple(batch.pixels.shape[1:3]) != (height, width):
        found = "x".join(map(str, batch.pixels.shape[1:3]))
        message = f"{job.recipe.name} makes images of {found}, and {job.graph.name} reads {height}x{width}"
        raise RunError(message, f"a recipe for images of this size, or -i {job.graph.inputs[0].name}=3x{found}")


def no_images(job: Job, count: int) -> Tensor:
    """What the network reads, of no images, or of black ones."""
    return torch.zeros(count, *job.graph.inputs[0].shape.dims, device=job.device, dtype=job.dtype)


def prepare_module(job: Job, **options: Any) -> nn.Module:
    """The network of a job on its device, in training mode, with first values drawn from the recipe's seed."""
    module = build(
        job.graph,
        seed=job.recipe.seed,
        freeze=job.recipe.optimizer.freeze,
        dtype=job.dtype,
        optimize="training" if job.execution.optimize else None,
        recompute=job.execution.recompute,
        **options,
    )
    module.to(job.device)
    job.processes.spread([*module.parameters(), *module.buffers()])
    if job.execution.channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if job.execution.shard:
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        shard(module, job.processes, job.device)
    return module
