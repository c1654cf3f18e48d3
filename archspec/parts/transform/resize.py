"""Resizing."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform

Interpolation = Literal["nearest", "bilinear", "cubic", "area", "lanczos"]
Side = Annotated[int, Field(ge=1, le=65_536)]


def by_shorter_side(image: Image, shorter: int, interpolation: str = "bilinear") -> Image:
    """The image with its shorter side of this length, its shape kept; the longer side is rounded down."""
    height, width = image.height, image.width
    if height <= width:
        return image.resized(shorter, max(1, shorter * width // height), interpolation)
    return image.resized(max(1, shorter * height // width), shorter, interpolation)


class Resize(Transform, op="resize"):
    """Another size, antialiased: to a shorter side, or to height and width."""

    warps: ClassVar = True

    shorter: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    """Length of the shorter side; of [low, high] a whole number is drawn, both included."""
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    """Height and width."""
    interpolation: Interpolation = "bilinear"
    """How pixels between pixels come about."""

    @model_validator(mode="after")
    def _one(self) -> Resize:
        if (self.shorter is None) == (self.size is None):
            raise ValueError("given either `shorter` or `size`")
        if isinstance(self.shorter, list) and self.shorter[0] > self.shorter[1]:
            raise ValueError("given a range of `shorter` that begins with its lower end")
        return self

    def __call__(self, image: Image, draw: Draw) -> Image:
        if self.size is not None:
            return image.resized(self.size[0], self.size[1], self.interpolation)
        assert self.shorter is not None
        side = self.shorter if isinstance(self.shorter, int) else draw.integer(*self.shorter)
        return by_shorter_side(image, side, self.interpolation)

    def central(self) -> Transform:
        return self.model_copy(update={"shorter": self.shorter[0]}) if isinstance(self.shorter, list) else self
