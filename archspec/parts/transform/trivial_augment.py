"""TrivialAugment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.draw import Draw
from archspec.image import Image
from archspec.part import Transform

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

BINS = 31
"""Strengths of an operation, from none to most."""
LARGEST = {
    "shear_x": 0.99,
    "shear_y": 0.99,
    "translate_x": 32.0,
    "translate_y": 32.0,
    "rotate": 135.0,
    "brightness": 0.99,
    "colour": 0.99,
    "contrast": 0.99,
    "sharpness": 0.99,
}
"""Operations with a sign, and their greatest strength."""
OPERATIONS = ["identity", *LARGEST, "posterize", "solarize", "auto_contrast", "equalize"]


class TrivialAugment(Transform, op="trivial_augment"):
    """One operation of fourteen at one strength of 31, all equally likely (Müller and Hutter 2021, the wide space)."""

    warps: ClassVar = True

    def __call__(self, image: Image, draw: Draw) -> Image:
        name = OPERATIONS[draw.integer(0, len(OPERATIONS) - 1)]
        level, sign = draw.integer(0, BINS - 1), 1 - 2 * draw.integer(0, 1)
        return image.warped(operated(image.pillow, name, level, sign)) if name != "identity" else image

    def central(self) -> None:
        return None


def operated(image: Pillow, name: str, level: int, sign: int = 1) -> Pillow:
    """An image after one operation at a level from 0 to 30."""
    from PIL import Image, ImageEnhance, ImageOps

    if name in LARGEST:
        strength = sign * LARGEST[name] * level / (BINS - 1)
        enhancers = {
            "brightness": ImageEnhance.Brightness,
            "colour": ImageEnhance.Color,
            "contrast": ImageEnhance.Contrast,
            "sharpness": ImageEnhance.Sharpness,
        }
        if name in enhancers:
            return enhancers[name](image).enhance(1.0 + strength)
        if name == "rotate":
            return image.rotate(strength, Image.Resampling.NEAREST)
        matrix = {  # from places of the result to those of the image; shears leave the upper left corner where it is
            "shear_x": (1, strength, 0, 0, 1, 0),
            "shear_y": (1, 0, 0, strength, 1, 0),
            "translate_x": (1, 0, float(int(strength)), 0, 1, 0),
            "translate_y": (1, 0, 0, 0, 1, float(int(strength))),
        }[name]
        return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)
    if name == "posterize":
        return ImageOps.posterize(image, 8 - round(level / ((BINS - 1) / 6)))
    if name == "solarize":
        return ImageOps.solarize(image, 255.0 * (BINS - 1 - level) / (BINS - 1))  # type: ignore[arg-type]
    return ImageOps.autocontrast(image) if name == "auto_contrast" else ImageOps.equalize(image)
