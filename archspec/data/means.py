"""What transforms learn from the training images, before training: once per data and transforms, then from a cache."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from archspec.data.pipeline import Pipeline, batched
from archspec.draw import digest
from archspec.errors import ArchspecError, DataError
from archspec.file import write_file
from archspec.image import Image
from archspec.part import Images, Transform
from archspec.recipe.document import data_of

AT_ONCE = 64
"""Images in one batch."""


def cache_folder() -> Path:
    """Where means are kept: $ARCHSPEC_CACHE, else archspec in the user's cache."""
    if named := os.environ.get("ARCHSPEC_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archspec"


def fitted(transforms: Sequence[Transform], images: Images, skip: bool = False) -> list[Mapping[str, Tensor]]:
    """For each transform what it learns from the training images behind those before it, drawn ones in their middle.

    Errors: DataError
    """
    found: list[Mapping[str, Tensor]] = []
    before: list[Transform] = []
    bytes_still = True
    for transform in transforms:
        found.append(_learnt(transform, before, images, skip) if transform.fits else {})
        bytes_still = bytes_still and transform.zero(found[-1]) is None
        central = transform.central()
        if central is not None and not central.floating and (bytes_still or not transform.floating):
            before.append(central)
    return found


def _learnt(transform: Transform, before: list[Transform], images: Images, skip: bool) -> Mapping[str, Tensor]:
    told = [data_of(one) for one in (*before, transform)]
    key = digest("fitted 1", images.fingerprint, json.dumps(told, sort_keys=True)).hex()[:32]
    kept = cache_folder() / f"{key}.safetensors"
    try:
        return load(kept.read_bytes())
    except (OSError, SafetensorError):
        pass
    try:
        learnt = {name: one.contiguous() for name, one in transform.fit(_batches(before, images, skip)).items()}
    except ValueError as error:
        raise DataError(f"`{transform.op}`: {error}") from None
    try:
        write_file(kept, save(learnt))
    except ArchspecError:  # without a cache it is learnt again the next time
        pass
    return learnt


def _batches(before: list[Transform], images: Images, skip: bool) -> Iterator[Tensor]:
    pipeline = Pipeline(before)
    held: list[Image] = []
    some = False
    for index in range(len(images)):
        try:
            held.append(_one(pipeline, images, index))
            some = True
        except DataError:
            if not skip:
                raise
        differs = len(held) > 1 and held[-1].array.shape != held[-2].array.shape
        if len(held) == AT_ONCE or differs or (held and index == len(images) - 1):
            cut = held[:-1] if differs else held
            yield batched(cut, [0] * len(cut)).pixels.permute(0, 3, 1, 2).to(torch.float32)
            held = held[-1:] if differs else []
    if held:
        yield batched(held, [0] * len(held)).pixels.permute(0, 3, 1, 2).to(torch.float32)
    if not some:
        raise DataError("none of the training images can be read, so nothing is learnt from them")


def _one(pipeline: Pipeline, images: Images, index: int) -> Image:
    image = images.image(index)
    try:
        return pipeline(image, "mean", index)
    except ArchspecError as error:
        raise DataError(f"{images.name(index)}: {error}") from None
