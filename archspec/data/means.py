"""What transforms learn from the training images, before training: once per data and transforms, then from a cache."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from archspec.data.loader import loaded
from archspec.data.pipeline import Batch, Pipeline, batched
from archspec.draw import digest
from archspec.errors import ArchspecError, DataError
from archspec.file import write_file
from archspec.image import Image
from archspec.part import Images, Transform
from archspec.recipe.document import data_of

AT_ONCE = 64
"""Images read together."""


def cache_folder() -> Path:
    """Where means are kept: $ARCHSPEC_CACHE, else archspec in the user's cache."""
    if named := os.environ.get("ARCHSPEC_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archspec"


def fitted(
    transforms: Sequence[Transform], images: Images, skip: bool = False, workers: int = 0
) -> list[Mapping[str, Tensor]]:
    """For each transform what it learns from the training images behind those before it, drawn ones in their middle.

    The images are read by so many worker processes. Errors: DataError
    """
    found: list[Mapping[str, Tensor]] = []
    before: list[Transform] = []
    bytes_still = True
    for transform in transforms:
        found.append(_learnt(transform, before, images, skip, workers) if transform.fits else {})
        bytes_still = bytes_still and transform.zero(found[-1]) is None
        central = transform.central()
        if central is not None and not central.floating and (bytes_still or not transform.floating):
            before.append(central)
    return found


def _learnt(
    transform: Transform, before: list[Transform], images: Images, skip: bool, workers: int
) -> Mapping[str, Tensor]:
    told = [data_of(one) for one in (*before, transform)]
    key = digest("fitted 2", images.fingerprint, json.dumps(told, sort_keys=True)).hex()[:32]
    kept = cache_folder() / f"{key}.safetensors"
    try:
        return load(kept.read_bytes())
    except (OSError, SafetensorError):
        pass
    batches = _batches(_Reading(Pipeline(before), images, skip), workers)
    try:
        learnt = {name: one.contiguous() for name, one in transform.fit(batches).items()}
    except ValueError as error:
        raise DataError(f"`{transform.op}`: {error}") from None
    try:
        write_file(kept, save(learnt))
    except ArchspecError:  # without a cache it is learnt again the next time
        pass
    return learnt


class _Reading:
    """Reads images whose numbers follow each other, those of one size in one batch."""

    def __init__(self, pipeline: Pipeline, images: Images, skip: bool) -> None:
        self.pipeline, self.images, self.skip = pipeline, images, skip

    def __call__(self, first: int) -> list[Batch]:
        """Errors: DataError"""
        found: list[Image] = []
        for index in range(first, min(first + AT_ONCE, len(self.images))):
            try:
                found.append(self._image(index))
            except DataError:
                if not self.skip:
                    raise
        runs = groupby(found, lambda image: image.array.shape)
        return [batched(run, [0] * len(run)) for run in (list(images) for _, images in runs)]

    def _image(self, index: int) -> Image:
        image = self.images.image(index)
        try:
            return self.pipeline(image, "mean", index)
        except DataError:
            raise
        except ArchspecError as error:
            raise DataError(f"{self.images.name(index)}: {error}") from None


def _batches(reading: _Reading, workers: int) -> Iterator[Tensor]:
    some = False
    for batches in loaded(reading, range(0, len(reading.images), AT_ONCE), workers):
        for batch in batches:
            some = True
            yield batch.pixels.permute(0, 3, 1, 2).to(torch.float32)
    if not some:
        raise DataError("none of the training images can be read, so nothing is learnt from them")
