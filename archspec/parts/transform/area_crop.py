"""GoogLeNet's crop of random area and shape."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform
from archspec.parts.transform.crop import centre
from archspec.parts.transform.resize import Interpolation, Side, by_shorter_side

Pair = Field(min_length=2, max_length=2)
TRIES = 10
"""Shapes that are drawn before the middle of the image is taken, as torchvision does."""


class AreaCrop(Transform, op="area_crop"):
    """A random rectangle of the image, resized to a square (Szegedy et al. 2014, section 6).

    A shape that does not fit is drawn again, ten times; then the largest middle part with an allowed aspect is taken.
    """

    warps: ClassVar = True

    area: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Pair]
    """Least and greatest share of the image's area, drawn uniformly."""
    aspect: Annotated[list[Annotated[float, Field(gt=0)]], Pair]
    """Least and greatest width by height."""
    aspect_drawn: Literal["log_uniform", "uniform", "uniform_swapped"]
    """Its logarithm uniform, as torchvision; the aspect itself; or that, width and height exchanged by a coin."""
    size: Side
    """Side of the square."""
    interpolation: Interpolation | Annotated[list[Interpolation], Field(min_length=1)]
    """How it is resized; of a list, each equally likely."""

    @model_validator(mode="after")
    def _ranges(self) -> AreaCrop:
        for name, (low, high) in (("area", self.area), ("aspect", self.aspect)):
            if low > high:
                raise ValueError(f"given a range of `{name}` that begins with its lower end")
        return self

    def __call__(self, image: Image, draw: Draw) -> Image:
        how = self.interpolation
        name = how if isinstance(how, str) else how[draw.integer(0, len(how) - 1)]
        left, top, width, height = self._box(image.width, image.height, draw)
        return image.crop(top, left, height, width).resized(self.size, self.size, name)

    def _box(self, width: int, height: int, draw: Draw) -> tuple[int, int, int, int]:
        """Left, top, width and height of a rectangle."""
        for _ in range(TRIES):
            area = draw.uniform(*self.area) * width * height
            aspect = self._aspect(draw)
            wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if self.aspect_drawn == "uniform_swapped" and draw.uniform() < 0.5:
                wide, high = high, wide
            if 0 < wide <= width and 0 < high <= height:
                return draw.integer(0, width - wide), draw.integer(0, height - high), wide, high
        aspect = min(max(width / height, self.aspect[0]), self.aspect[1])
        wide, high = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
        return (width - wide) // 2, (height - high) // 2, wide, high

    def _aspect(self, draw: Draw) -> float:
        low, high = self.aspect
        if self.aspect_drawn == "log_uniform":
            return math.exp(draw.uniform(math.log(low), math.log(high)))
        return draw.uniform(low, high)

    def central(self) -> Transform:
        return _Middle(size=self.size)


class _Middle(Transform, op="area_crop"):
    """The middle square of the image resized by its shorter side."""

    size: Side

    def __call__(self, image: Image, draw: Draw) -> Image:
        return centre(by_shorter_side(image, self.size), self.size)
