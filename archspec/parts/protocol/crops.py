"""Several crops of an image."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Evaluation
from archspec.parts.transform.resize import Side, by_shorter_side


def five(image: Image, size: int) -> list[Image]:
    """The four corners and the centre."""
    bottom, right = image.height - size, image.width - size
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return [image.crop(top, left, size, size) for top, left in places]


def with_mirrors(views: list[Image]) -> list[Image]:
    return [*views, *(view.mirrored() for view in views)]


class TenCrop(Evaluation, op="ten_crop"):
    """The four corners, the centre, and their mirror images (Krizhevsky et al. 2012, section 4.1)."""

    size: Side
    """Side of a crop."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        return with_mirrors(five(image, self.size))


class TenRandomCrops(Evaluation, op="ten_random_crops"):
    """Ten squares anywhere in the image, each mirrored by a coin. No paper of the three tests like this.

    With `combine: vote`, this is "ten random patches, most likely label", as reading notes on ResNet had it.
    """

    size: Side
    """Side of a crop."""
    count: Annotated[int, Field(ge=1)] = 10
    """How many."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        found = []
        for _ in range(self.count):
            top, left = draw.integer(0, image.height - self.size), draw.integer(0, image.width - self.size)
            view = image.crop(top, left, self.size, self.size)
            found.append(view.mirrored() if draw.uniform() < 0.5 else view)
        return found


class GoogLeNet144(Evaluation, op="googlenet_144"):
    """4 scales x 3 squares x 6 views x 2 mirrors = 144 crops (Szegedy et al. 2014, section 7).

    The shorter side is resized to each scale; of the left, centre and right (or top, centre and bottom) square, the
    four corners, the centre, and the whole square resized are taken, with their mirror images. The squares of a
    square image coincide, so that it has 48 distinct crops, each three times.
    """

    warps = True

    scales: Annotated[list[Side], Field(min_length=1)]
    """Lengths of the shorter side."""
    size: Side
    """Side of a crop."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        found = []
        for scale in self.scales:
            scaled = by_shorter_side(image, scale)
            bottom, right = scaled.height - scale, scaled.width - scale
            for part in (0, 1, 2):
                square = scaled.crop(bottom * part // 2, right * part // 2, scale, scale)
                found += with_mirrors([*five(square, self.size), square.resized(self.size, self.size)])
        return found


class FullyConvolutional(Evaluation, op="fully_convolutional"):
    """The whole image at several sizes, the classifier applied at every place (He et al. 2015, section 3.4)."""

    fully_convolutional = True
    warps = True

    shorter: Annotated[list[Side], Field(min_length=1)]
    """Lengths of the shorter side."""
    mirror: bool
    """Whether mirror images are seen too."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        views = [by_shorter_side(image, shorter) for shorter in self.shorter]
        return with_mirrors(views) if self.mirror else views
