"""The views that a protocol makes of test images."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from archspec.data.means import fitted
from archspec.data.pipeline import Batch, Pipeline, batched
from archspec.draw import Draw
from archspec.errors import ArchspecError, DataError
from archspec.image import Image
from archspec.part import Evaluation, Images, Transform
from archspec.train.job import Job


@dataclass(frozen=True)
class Viewed:
    """The views of some images, those of one size together."""

    targets: list[int]
    places: list[list[tuple[int, int]]]
    """For each batch: of each view, the number of its image and of the view."""
    batches: list[Batch]
    views: int
    bad: list[str]

    def __getstate__(self) -> dict[str, Any]:
        """With all pixels in one tensor: from one process to another, each tensor is an open file."""
        pixels = [batch.pixels for batch in self.batches]
        flat = torch.cat([one.reshape(-1) for one in pixels]) if pixels else torch.zeros(0, dtype=torch.uint8)
        rest = [{**batch.__getstate__(), "pixels": tuple(batch.pixels.shape)} for batch in self.batches]
        return {**self.__dict__, "batches": rest, "flat": flat}

    def __setstate__(self, state: dict[str, Any]) -> None:
        flat, rest = state.pop("flat"), state.pop("batches")
        parts = torch.split(flat, [math.prod(one["pixels"]) for one in rest])
        batches = []
        for one, part in zip(rest, parts, strict=True):
            batch = Batch.__new__(Batch)
            batch.__setstate__({**one, "pixels": part.view(one["pixels"])})
            batches.append(batch)
        self.__dict__.update(state, batches=batches)

    def pin_memory(self) -> Viewed:
        """In memory from which a device reads while the program goes on; torch's loader asks for it by this name."""
        return replace(self, batches=[batch.pin_memory() for batch in self.batches])


class Viewing:
    """Makes the views of some test images."""

    def __init__(
        self, protocol: Evaluation, images: Images, seed: int, skip: bool, pipeline: Pipeline, start: int
    ) -> None:
        self.protocol, self.images, self.seed, self.skip = protocol, images, seed, skip
        self.before = Pipeline(pipeline.transforms[:start])
        self.after = Pipeline(pipeline.transforms[start:])

    def __call__(self, indices: Sequence[int]) -> Viewed:
        """Errors: DataError"""
        found: list[tuple[list[Image], int]] = []
        bad: list[str] = []
        for index in indices:
            try:
                found.append((self._views(index), self.images.target(index)))
            except DataError as error:
                if not self.skip:
                    raise
                bad.append(error.message)
        return self.together(found, bad)

    def together(self, found: list[tuple[list[Image], int]], bad: list[str]) -> Viewed:
        """The views of images with their targets, those of one size in one batch."""
        by_size: dict[tuple[int, int], list[tuple[tuple[int, int], Image]]] = defaultdict(list)
        for image, (views, _) in enumerate(found):
            for number, view in enumerate(views):
                by_size[view.height, view.width].append(((image, number), view))
        places = [[place for place, _ in rows] for rows in by_size.values()]
        batches = [batched([view for _, view in rows], [0] * len(rows)) for rows in by_size.values()]
        return Viewed([target for _, target in found], places, batches, len(found[0][0]) if found else 0, bad)

    def _views(self, index: int) -> list[Image]:
        return views_of(self.images.image(index), self.images.name(index), self, index)


def views_of(image: Image, name: str, viewing: Viewing, index: int) -> list[Image]:
    """Errors: DataError if a view does not fit in the image"""
    key = (viewing.seed, "test", index)
    try:
        prepared = viewing.before(image, *key)
        views = viewing.protocol.views(prepared, Draw(*key, viewing.protocol.op))
        return [viewing.after(view, *key, number) for number, view in enumerate(views)]
    except DataError:
        raise
    except ArchspecError as error:
        raise DataError(f"{name}: {error}") from None


def pipeline_of(job: Job, protocol: Evaluation) -> tuple[Pipeline, int]:
    """The transforms of a protocol's views, and how many come before the views are made."""
    recipe = job.recipe
    own = recipe.prepare if protocol.prepare is None else protocol.prepare
    known = dict(zip(map(id, job.pipeline.transforms), job.pipeline.fitted, strict=True))
    if protocol.prepare is not None:
        name = next((name for name, one in recipe.evaluate.items() if one is protocol), "")
        known |= zip(map(id, own), job.own.get(name) or fitted(own, job.train), strict=True)
    transforms: list[Transform] = [*own, *recipe.normalize]
    return Pipeline(transforms, [known[id(transform)] for transform in transforms]), len(own)


def viewing_of(job: Job, protocol: Evaluation) -> tuple[Viewing, Pipeline]:
    """What makes the views of a protocol, and the transforms whose work on floats is left."""
    pipeline, start = pipeline_of(job, protocol)
    skip = job.execution.on_bad_image == "skip"
    return Viewing(protocol, job.test, job.recipe.seed, skip, pipeline, start), pipeline


def at_once(job: Job, viewing: Viewing) -> int:
    """How many images have as many views as go into one forward pass."""
    for index in range(min(len(viewing.images), 8)):
        try:
            return max(1, job.execution.test_batch // len(viewing._views(index)))
        except DataError:
            continue
    return job.execution.test_batch
