"""Padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform

if TYPE_CHECKING:
    from torch import Tensor


class Pad(Transform, op="pad"):
    """A border on every side."""

    floating: ClassVar = True
    placed: ClassVar = True

    size: Annotated[int, Field(ge=1, le=4096)]
    """Width of the border."""
    fill: Literal["mean"] | Annotated[float, Field(ge=-255, le=255)]
    """The border's value on the scale 0 to 255, or `mean`: what the recipe's subtraction of a mean takes to 0."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        return image.wait().padded(self.size)

    def central(self) -> Transform | None:
        """A border of bytes; what is filled with the mean says nothing of the mean."""
        return None if self.fill == "mean" else _Border(size=self.size, fill=self.fill)

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        from archspec.parts.transform.place import places

        _, _, inside = places(marks, pixels.shape[2], pixels.shape[3])
        value = zero if self.fill == "mean" else zero.new_full((3,), self.fill)
        return pixels.where(inside[:, None], value.to(pixels)[:, None, None])


class _Border(Transform, op="pad"):
    """A border whose value is a byte."""

    size: int
    fill: float

    def __call__(self, image: Image, draw: Draw) -> Image:
        import numpy as np

        framed = image.padded(self.size)
        pixels = framed.array.copy()
        inside = np.s_[self.size : -self.size, self.size : -self.size]
        pixels[:] = round(min(max(self.fill, 0.0), 255.0))
        pixels[inside] = image.array
        return Image(pixels, framed.waiting)
