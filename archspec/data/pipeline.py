"""A list of transforms at work: on bytes, image by image, and on floats, a group at once on the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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

    def __getstate__(self) -> dict[str, Any]:
        """With arrays for all but the pixels: from one process to another, each tensor is an open file."""
        small = {name: [one.numpy() for one in getattr(self, name)] for name in ("drawn", "marks")}
        return {**self.__dict__, **small, "targets": self.targets.numpy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        small = {name: [torch.from_numpy(one) for one in state[name]] for name in ("drawn", "marks")}
        self.__dict__.update({**state, **small, "targets": torch.from_numpy(state["targets"])})

    def pin_memory(self) -> Batch:
        """In memory from which a device reads while the program goes on; torch's loader asks for it by this name."""
        return self._moved(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device) -> Batch:
        """All of it on a device."""
        return self if device.type == "cpu" else self._moved(lambda tensor: tensor.to(device, non_blocking=True))

    def _moved(self, move: Callable[[Tensor], Tensor]) -> Batch:
        drawn, marks = [move(one) for one in self.drawn], [move(one) for one in self.marks]
        return Batch(move(self.pixels), move(self.targets), drawn, marks, self.bad)


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
        self._on: dict[torch.device, tuple[list[Mapping[str, Tensor]], list[Tensor]]] = {}
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

    def floats(self, batch: Batch, dtype: torch.dtype = torch.float32, channels_last: bool = False) -> Tensor:
        """The images of a batch as floats, with all that waited done, on the device of the batch.

        Shape: N x 3 x H x W
        """
        held = batch.pixels.permute(0, 3, 1, 2)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        pixels = torch.empty(held.shape, dtype=dtype, device=held.device, memory_format=layout).copy_(held)
        fitted, zeros = self._on_device(held.device)
        floating = [k for k, transform in enumerate(self.transforms) if transform.floating]
        for k, drawn, marks in zip(floating, batch.drawn, batch.marks, strict=True):
            pixels = self.transforms[k].apply(pixels, drawn, marks, fitted[k], zeros[k])
        return pixels

    def _on_device(self, device: torch.device) -> tuple[list[Mapping[str, Tensor]], list[Tensor]]:
        """For each transform what it learnt, and the pixel that becomes 0; each is sent to a device once."""
        if device not in self._on:
            fitted: list[Mapping[str, Tensor]] = []
            for learnt in self.fitted:
                fitted.append({name: one.to(device) for name, one in learnt.items()})
            self._on[device] = fitted, [self._zero(k).to(device) for k in range(len(self.transforms))]
        return self._on[device]

    def _zero(self, place: int) -> Tensor:
        """The pixel that becomes 0 in the end, at the point of a transform: a mean, or 0 where it is subtracted."""
        for k, transform in enumerate(self.transforms):
            found = transform.zero(self.fitted[k])
            if found is not None:
                return found if k >= place else torch.zeros(3)
        return torch.zeros(3)
