"""Transforms done at once and in their order, on one image of float64: what putting work off must not change."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image as Pillow

from archspec.draw import Draw
from archspec.part import Transform
from archspec.parts.transform.lighting import VALUES, VECTORS
from archspec.parts.transform.trivial_augment import OPERATIONS
from tests.parts.pictures import resized

# torchvision's compiled operations do not load beside a CPU-only torch, and its transforms need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision.transforms import InterpolationMode, autoaugment  # noqa: E402
from torchvision.transforms.v2 import functional as V  # noqa: E402

Array = np.ndarray


class InOrder:
    """A list of transforms, with the means of those that subtract one, by their places in the list."""

    def __init__(self, transforms: Sequence[Transform], means: Mapping[int, Array]) -> None:
        self.transforms, self.means = transforms, means

    def __call__(self, image: Array, *key: object) -> Array:
        """Shape: H x W x 3 of bytes -> 3 x H x W of floats"""
        uses: dict[str, int] = {}
        pixels = image
        for place, part in enumerate(self.transforms):
            draw = Draw(*key, part.op, uses.setdefault(part.op, 0))
            uses[part.op] += 1
            change = getattr(self, part.op)
            if part.op in ("resize", "area_crop", "trivial_augment"):
                assert pixels.dtype == np.uint8
            elif part.op not in ("center_crop", "random_crop", "flip"):
                pixels = pixels.astype(np.float64)
            pixels = change(pixels, part, draw, place)
        return pixels.astype(np.float64).transpose(2, 0, 1)

    def zero(self, place: int) -> Array:
        """The pixel that becomes 0 by the first transform that subtracts a mean, unless that has been done."""
        for k, part in enumerate(self.transforms):
            if part.op == "normalize" and k >= place:
                return 255 * np.array(part.mean)
            if part.op == "subtract_mean":
                found = np.array(part.values) if part.values else self.means[k].reshape(3, -1).mean(1)
                return found if k >= place else np.zeros(3)
        return np.zeros(3)

    # On bytes.

    def resize(self, pixels, part, draw, place):
        if part.size:
            height, width = part.size
        else:
            side = part.shorter if isinstance(part.shorter, int) else draw.integer(*part.shorter)
            short = min(pixels.shape[:2])
            height, width = (side * length // short for length in pixels.shape[:2])
        return resized(pixels, height, width, part.interpolation)

    def area_crop(self, pixels, part, draw, place):
        names = [part.interpolation] if isinstance(part.interpolation, str) else part.interpolation
        name = names[draw.integer(0, len(names) - 1)] if len(names) > 1 else names[0]
        height, width = pixels.shape[:2]
        while True:  # one of ten shapes fits in the images of these tests
            area = draw.uniform(*part.area) * height * width
            aspect = part.aspect[0] * (part.aspect[1] / part.aspect[0]) ** draw.uniform()
            wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if wide <= width and high <= height:
                break
        left, top = draw.integer(0, width - wide), draw.integer(0, height - high)
        return resized(pixels[top : top + high, left : left + wide], part.size, part.size, name)

    def trivial_augment(self, pixels, part, draw, place):
        space = autoaugment.TrivialAugmentWide()._augmentation_space(31)
        number, level, minus = draw.integer(0, 13), draw.integer(0, 30), draw.integer(0, 1)
        name = list(space)[number]
        strengths, signed = space[name]
        strength = float(strengths[level]) if strengths.dim() else 0.0
        strength = -strength if signed and minus != ("translate" in OPERATIONS[number]) else strength
        held = Pillow.fromarray(pixels)
        return np.asarray(autoaugment._apply_op(held, name, strength, InterpolationMode.NEAREST, None))

    # On bytes or floats.

    def center_crop(self, pixels, part, draw, place):
        top, left = ((length - part.size) // 2 for length in pixels.shape[:2])
        return pixels[top : top + part.size, left : left + part.size]

    def random_crop(self, pixels, part, draw, place):
        top, left = (draw.integer(0, length - part.size) if length > part.size else 0 for length in pixels.shape[:2])
        return pixels[top : top + part.size, left : left + part.size]

    def flip(self, pixels, part, draw, place):
        return pixels[:, ::-1] if draw.uniform() < part.p else pixels

    # On floats.

    def subtract_mean(self, pixels, part, draw, place):
        if part.values:
            return pixels - np.array(part.values)
        mean = self.means[place]
        if mean.ndim == 3 and mean.shape[1:] == pixels.shape[:2]:
            return pixels - mean.transpose(1, 2, 0)
        return pixels - mean.reshape(3, -1).mean(1)

    def normalize(self, pixels, part, draw, place):
        return (pixels / 255 - part.mean) / part.std

    def pad(self, pixels, part, draw, place):
        height, width, _ = pixels.shape
        fill = self.zero(place) if part.fill == "mean" else np.full(3, part.fill)
        found = np.tile(fill, (height + 2 * part.size, width + 2 * part.size, 1))
        found[part.size : part.size + height, part.size : part.size + width] = pixels
        return found

    def random_erase(self, pixels, part, draw, place):
        top, left, bottom, right = map(int, part._box(*pixels.shape[:2], draw))  # tested elsewhere
        pixels = pixels.copy()
        pixels[top:bottom, left:right] = self.zero(place) if part.fill == "mean" else part.fill
        return pixels

    def pca_lighting(self, pixels, part, draw, place):
        assert part.magnitude == "eigenvalue" and part.components == "imagenet"
        multiples = [part.std * draw.normal() for _ in range(3)]
        return pixels + 255 * np.array(VECTORS) @ (np.array(VALUES) * part.scale * multiples)

    def photometric(self, pixels, part, draw, place):
        factors = [draw.uniform(1 - most, 1 + most) for most in (part.brightness, part.contrast, part.saturation)]
        held = torch.from_numpy(pixels.transpose(2, 0, 1).copy()) / 255
        for which in draw.order(3) if part.order == "random" else range(3):
            change = (V.adjust_brightness, V.adjust_contrast, V.adjust_saturation)[which]
            held = change(held, factors[which])
        return held.numpy().transpose(1, 2, 0) * 255
