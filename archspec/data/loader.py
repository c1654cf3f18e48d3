"""What worker processes make ready. Nothing depends on how many there are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from archspec.data.pipeline import Batch, Pipeline, batched
from archspec.data.stream import Group
from archspec.errors import ArchspecError, DataError, RunError
from archspec.image import Image
from archspec.part import Images


class Presented:
    """Makes the batch of a group: each image changed as its presentation says."""

    def __init__(self, images: Images, pipeline: Pipeline, seed: int, skip: bool) -> None:
        self.images, self.pipeline, self.seed, self.skip = images, pipeline, seed, skip

    def __call__(self, group: Group) -> Batch:
        """The batch, which may be empty where images that cannot be read are left out. Errors: DataError"""
        found: list[Image] = []
        targets: list[int] = []
        bad: list[str] = []
        for epoch, index, repeat in group.presentations:
            try:
                image, target = self._image(epoch, index, repeat), self.images.target(index)
            except DataError as error:
                if not self.skip:
                    raise
                bad.append(error.message)
                continue
            found.append(image)
            targets.append(target)
        sizes = {(image.height, image.width) for image in found}
        if len(sizes) > 1:
            shown = " and ".join(f"{h}x{w}" for h, w in sorted(sizes)[:2])
            raise DataError(f"images of one batch differ in size: {shown}", "end `augment` with a crop of one size")
        return batched(found, targets, bad)

    def _image(self, epoch: int, index: int, repeat: int) -> Image:
        image = self.images.image(index)
        try:
            return self.pipeline(image, self.seed, epoch, index, repeat)
        except DataError:
            raise
        except ArchspecError as error:
            raise DataError(f"{self.images.name(index)}: {error}") from None


class _Keyed(Dataset[Any]):
    """A function as a dataset of torch, whose keys are the function's arguments."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.make(key)
        except ArchspecError as error:  # torch would wrap an error of a worker into its traceback
            return error


def loaded(make: Callable[[Any], Any], keys: Iterable[Any], workers: int, pin: bool = False) -> Iterator[Any]:
    """What a function makes of keys, in their order, by worker processes or here. Errors: what the function raises

    `pin` lets what worker processes make lie in memory that is pinned.
    """
    if workers == 0:
        yield from map(make, keys)
        return
    loader = DataLoader(
        _Keyed(make),
        batch_size=None,
        sampler=keys,
        num_workers=workers,
        collate_fn=_same,
        worker_init_fn=_begin,
        generator=torch.Generator(),  # else torch's own is drawn from
        prefetch_factor=4,
        pin_memory=pin,
    )
    try:
        for made in loader:
            if isinstance(made, ArchspecError):
                raise made
            yield made
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        message = "a process that makes images ready has died"
        raise RunError(message, "most often memory ran out, or /dev/shm is too small: fewer --workers") from error


def _same(made: Any) -> Any:
    return made


def _begin(worker: int) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears of it too, and ends its workers
