"""Crops of a fixed size."""

from __future__ import annotations

from typing import Literal

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform
from archspec.parts.transform.resize import Side


def centre(image: Image, size: int) -> Image:
    """The square in the middle; where a margin is odd, the left or upper one is the smaller."""
    return image.crop((image.height - size) // 2, (image.width - size) // 2, size, size)


class CenterCrop(Transform, op="center_crop"):
    """The square in the middle; where a margin is odd, the left or upper one is the smaller."""

    size: Side
    """Side of the square."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        return centre(image, self.size)


class RandomCrop(Transform, op="random_crop"):
    """A square anywhere in the image."""

    size: Side
    """Side of the square."""
    offsets: Literal["inclusive", "exclusive"]
    """Whether the last place is drawn too: of 224 from 256, 33 or 32 places along each side."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        spare_y, spare_x = image.height - self.size, image.width - self.size
        if self.offsets == "exclusive":
            spare_y, spare_x = max(spare_y - 1, min(spare_y, 0)), max(spare_x - 1, min(spare_x, 0))
        top = draw.integer(0, spare_y) if spare_y > 0 else spare_y
        left = draw.integer(0, spare_x) if spare_x > 0 else spare_x
        return image.crop(top, left, self.size, self.size)

    def central(self) -> Transform:
        return CenterCrop(size=self.size)
