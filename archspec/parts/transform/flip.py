"""Mirroring."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform

Probability = Annotated[float, Field(ge=0, le=1)]


class Flip(Transform, op="flip"):
    """Left and right exchanged."""

    p: Probability
    """How likely."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        return image.mirrored() if draw.uniform() < self.p else image

    def central(self) -> None:
        return None
