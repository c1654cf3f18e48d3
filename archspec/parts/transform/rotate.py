"""Rotation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform


class Rotate(Transform, op="rotate"):
    """Turned about its centre by a random angle, at its own size. None of the three papers does this."""

    warps: ClassVar = True

    degrees: Annotated[float, Field(gt=0, le=180)]
    """The angle is drawn uniformly from -degrees to degrees, counter-clockwise."""
    interpolation: Literal["nearest", "bilinear", "cubic"]
    """How pixels between pixels come about."""
    fill: Annotated[int, Field(ge=0, le=255)]
    """Value of pixels that come from outside the image."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        from PIL import Image as Pillow

        resampling = Pillow.Resampling
        how = {"nearest": resampling.NEAREST, "bilinear": resampling.BILINEAR, "cubic": resampling.BICUBIC}
        angle = draw.uniform(-self.degrees, self.degrees)
        return image.warped(image.pillow.rotate(angle, how[self.interpolation], fillcolor=(self.fill,) * 3))

    def central(self) -> None:
        return None
