"""Random erasing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform
from archspec.parts.transform.area_crop import TRIES
from archspec.parts.transform.flip import Probability

if TYPE_CHECKING:
    from torch import Tensor

Pair = Field(min_length=2, max_length=2)


class RandomErase(Transform, op="random_erase"):
    """A random rectangle is filled (Zhong et al. 2020, algorithm 1)."""

    floating: ClassVar = True
    placed: ClassVar = True

    p: Probability
    """How likely."""
    area: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Pair] = [0.02, 0.33]
    """Least and greatest share of the image's area, drawn uniformly."""
    aspect: Annotated[list[Annotated[float, Field(gt=0)]], Pair] = [0.3, 3.3]
    """Least and greatest height by width; its logarithm is drawn uniformly."""
    fill: Literal["mean"] | Annotated[float, Field(ge=-255, le=255)]
    """The value on the scale 0 to 255, or `mean`: what the recipe's subtraction of a mean takes to 0."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        return image.wait(self._box(image.height, image.width, draw))

    def _box(self, height: int, width: int, draw: Draw) -> tuple[float, ...]:
        """Top, left, bottom and right, all 0 for nothing."""
        if draw.uniform() >= self.p:
            return (0.0, 0.0, 0.0, 0.0)
        for _ in range(TRIES):
            area = draw.uniform(*self.area) * height * width
            aspect = math.exp(draw.uniform(math.log(self.aspect[0]), math.log(self.aspect[1])))
            high, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < high < height and 0 < wide < width:
                top, left = draw.integer(0, height - high), draw.integer(0, width - wide)
                return (float(top), float(left), float(top + high), float(left + wide))
        return (0.0, 0.0, 0.0, 0.0)

    def central(self) -> None:
        return None

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        from archspec.parts.transform.place import places

        top, left, bottom, right = drawn[:, :, None].unbind(1)
        y, x, _ = places(marks, pixels.shape[2], pixels.shape[3])
        rows, columns = (y >= top) & (y < bottom), (x >= left) & (x < right)
        erased = rows[:, :, None] & columns[:, None, :]
        value = zero if self.fill == "mean" else zero.new_full((3,), self.fill)
        return value.to(pixels)[:, None, None].where(erased[:, None], pixels)
