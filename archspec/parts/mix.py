"""Mixing the images of a group: partners are the images shifted by one place, one share for the group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.draw import Draw, seed_of
from archspec.part import Mix

if TYPE_CHECKING:
    from torch import Tensor


def beta(alpha: float, draw: Draw) -> float:
    """From the distribution Beta(alpha, alpha)."""
    import numpy as np

    return float(np.random.Generator(np.random.Philox(key=seed_of(*draw.key, "beta"))).beta(alpha, alpha))


class Mixup(Mix, op="mixup"):
    """share * x + (1 - share) * partner, of images and targets alike (Zhang et al. 2018)."""

    alpha: Annotated[float, Field(gt=0)]
    """Of the distribution Beta(alpha, alpha) of the share."""

    def __call__(self, pixels: Tensor, targets: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        share = beta(self.alpha, draw)
        return pixels.lerp(pixels.roll(1, 0), 1.0 - share), targets.lerp(targets.roll(1, 0), 1.0 - share)


class Cutmix(Mix, op="cutmix"):
    """A rectangle is that of the partner, and the targets are mixed by area (Yun et al. 2019)."""

    alpha: Annotated[float, Field(gt=0)]
    """Of the distribution Beta(alpha, alpha) of the share that stays."""

    def __call__(self, pixels: Tensor, targets: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        height, width = pixels.shape[2:]
        side = math.sqrt(1.0 - beta(self.alpha, draw)) / 2.0
        y, x = draw.integer(0, height - 1), draw.integer(0, width - 1)
        top, bottom = max(0, int(y - side * height)), min(height, int(y + side * height))
        left, right = max(0, int(x - side * width)), min(width, int(x + side * width))
        mixed = pixels.clone()
        mixed[:, :, top:bottom, left:right] = pixels.roll(1, 0)[:, :, top:bottom, left:right]
        cut = (bottom - top) * (right - left) / (height * width)
        return mixed, targets.lerp(targets.roll(1, 0), cut)
