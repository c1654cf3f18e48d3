"""A list of transforms at work: on bytes, image by image, and on floats, a group at once on the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from archspec.draw import Draw
from archspec.image import Image, Mark
from archspec.part import Transform

NOWHERE = (0, 0, 0, 0, 0)
"""The mark of an image that was warped."""


@dataclass
class Batch:
    """Images of one group, still bytes, with what waits to be done to them."""

    pixels: Tensor
    """N x H x W x 3 of uint8."""
    targets: Tensor
    """N numbers of classes."""
    drawn: list[Tensor]
    """For each transform on floats: N x numbers drawn."""
    marks: list[Tensor]
    """For each transform on floats: N x 5, the fields of `archspec.image.Mark`."""
    bad: list[str] = field(default_factory=list)
    """What is wrong with images that were left out."""

    def __len__(self) -> int:
        return len(self.targets)


def batched(images: Sequence[Image], targets: Sequence[int], bad: Iterable[str] = ()) -> Batch:
    """Images of one size as a batch."""
    if not images:
        return Batch(torch.zeros(0, 0, 0, 3, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64), [], [], list(bad))
    pixels = torch.from_numpy(np.stack([image.array for image in images]))
    drawn, marks = [], []
    for k in range(len(images[0].waiting)):
        waiting = [image.waiting[k] for image in images]
        drawn.append(torch.tensor([one.drawn for one in waiting], dtype=torch.float64))
        marks.append(torch.tensor([NOWHERE if one.mark is None else _numbers(one.mark) for one in waiting]))
    return Batch(pixels, torch.tensor(targets, dtype=torch.int64), drawn, marks, list(bad))


def _numbers(mark: Mark) -> tuple[int, ...]:
    return mark.height, mark.width, mark.top, mark.left, mark.sign


class Pipeline:
    """Transforms in their order, with what they learnt from the training images."""

    def __init__(self, transforms: Sequence[Transform], fitted: Sequence[Mapping[str, Tensor]] = ()) -> None:
        self.transforms = list(transforms)
        self.fitted = list(fitted) or [{} for _ in self.transforms]
        uses: Counter[str] = Counter()
        self.keys: list[tuple[str, int]] = []
        """For each transform: its op, and how many of that op come before it; draws depend on these."""
        for transform in self.transforms:
            self.keys.append((transform.op, uses[transform.op]))
            uses[transform.op] += 1

    def __call__(self, image: Image, *key: object) -> Image:
        """One image, as far as bytes go. What is drawn depends on the key and on each transform alone."""
        for transform, own in zip(self.transforms, self.keys, strict=True):
            image = transform(image, Draw(*key, *own))
        return image

    def floats(self, batch: Batch, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
        """The images of a batch as floats, with all that waited done.

        Shape: N x 3 x H x W
        """
        held = batch.pixels.to(device, non_blocking=True).permute(0, 3, 1, 2)
        pixels = torch.empty(held.shape, dtype=dtype, device=device).copy_(held)
        floating = [k for k, transform in enumerate(self.transforms) if transform.floating]
        for place, k in enumerate(floating):
            drawn, marks = batch.drawn[place].to(device), batch.marks[place].to(device)
            zero = self._zero(k).to(device)
            pixels = self.transforms[k].apply(pixels, drawn, marks, self.fitted[k], zero)
        return pixels

    def _zero(self, place: int) -> Tensor:
        """The pixel that becomes 0 in the end, at the point of a transform: a mean, or 0 where it is subtracted."""
        for k, transform in enumerate(self.transforms):
            found = transform.zero(self.fitted[k])
            if found is not None:
                return found if k >= place else torch.zeros(3)
        return torch.zeros(3)
