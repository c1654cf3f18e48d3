"""One view: the image as it is, or its middle."""

from __future__ import annotations

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Evaluation
from archspec.parts.transform.crop import centre
from archspec.parts.transform.resize import Side


class Whole(Evaluation, op="whole"):
    """The image as it is prepared."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        return [image]


class CenterCropView(Evaluation, op="center_crop"):
    """The square in the middle."""

    size: Side
    """Side of the square."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        return [centre(image, self.size)]
