"""An image on its way through the transforms of a recipe.

Geometry is done here, on bytes; work on floats is put off until the images of a group are on the device. For each
transform that waits, a mark says where in its frame the pixels that are left came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.errors import ArchspecError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Pillow
    from torch import Tensor

INTERPOLATIONS = ("nearest", "bilinear", "cubic", "area", "lanczos")
"""Ways to resize; all but `nearest` average over what they shrink (antialias)."""
SWIFT = {"bilinear": "bilinear", "cubic": "bicubic"}
"""Those for which torch has the filters of Pillow, to a level or two of 255, and is three times as fast."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the pixel (y, x) of an image was in the frame that a waiting transform saw: (top + y, left + sign * x)."""

    height: int
    """Of the frame."""
    width: int
    top: int = 0
    left: int = 0
    sign: int = 1
    """-1 once the image is mirrored."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transform that waits for floats: what was drawn for it, and its mark; None where places say nothing."""

    drawn: tuple[float, ...]
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Image:
    """Pixels, and what waits to be done to them as floats.

    The pixels are H x W x 3 bytes, RGB: an array of numpy, or an image of Pillow where that is what is at hand.
    """

    held: Any
    waiting: tuple[Waiting, ...] = ()

    @property
    def height(self) -> int:
        return int(self.held.shape[0] if hasattr(self.held, "shape") else self.held.height)

    @property
    def width(self) -> int:
        return int(self.held.shape[1] if hasattr(self.held, "shape") else self.held.width)

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The pixels as an array, H x W x 3 of uint8."""
        import numpy as np

        found: np.ndarray[Any, Any] = np.asarray(self.held)
        return found

    @property
    def pillow(self) -> Pillow:
        """The pixels as an image of Pillow."""
        from PIL import Image as Pillow

        return Pillow.fromarray(self.held) if hasattr(self.held, "shape") else self.held

    def wait(self, drawn: tuple[float, ...] = (), placed: bool = True) -> Image:
        """The image with one more transform that waits for it to be floats; `placed` if it matters to it where."""
        mark = Mark(self.height, self.width) if placed else None
        return Image(self.held, (*self.waiting, Waiting(drawn, mark)))

    def crop(self, top: int, left: int, height: int, width: int) -> Image:
        """A part of the image. Errors: ArchspecError if it reaches beyond it"""
        if top < 0 or left < 0 or top + height > self.height or left + width > self.width:
            found, part = f"{self.height}x{self.width}", f"{height}x{width} at ({top}, {left})"
            raise ArchspecError(f"a crop of {part} does not fit in an image of {found}")
        if hasattr(self.held, "shape"):
            pixels = self.held[top : top + height, left : left + width]
        else:
            pixels = self.held.crop((left, top, left + width, top + height))
        moved = self._moved(lambda m: replace(m, top=m.top + top, left=m.left + m.sign * left))
        return Image(pixels, moved)

    def mirrored(self) -> Image:
        """The image with left and right exchanged."""
        from PIL import Image as Pillow

        if hasattr(self.held, "shape"):
            pixels = _tensor(self.held).flip(1).numpy()  # five times as fast as numpy's
        else:
            pixels = self.held.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
        last = self.width - 1
        return Image(pixels, self._moved(lambda m: replace(m, left=m.left + m.sign * last, sign=-m.sign)))

    def padded(self, size: int) -> Image:
        """The image with `size` black pixels on every side."""
        import numpy as np

        pixels = np.zeros((self.height + 2 * size, self.width + 2 * size, 3), np.uint8)
        pixels[size : size + self.height, size : size + self.width] = self.array
        return Image(pixels, self._moved(lambda m: replace(m, top=m.top - size, left=m.left - m.sign * size)))

    def resized(self, height: int, width: int, interpolation: str = "bilinear") -> Image:
        """The image at another size, antialiased."""
        from PIL import Image as Pillow

        if (height, width) == (self.height, self.width):
            return self
        if interpolation in SWIFT:
            return self.warped(_resized(self.array, height, width, SWIFT[interpolation]))
        how = {"cubic": "BICUBIC", "area": "BOX"}.get(interpolation, interpolation.upper())
        return self.warped(self.pillow.resize((width, height), Pillow.Resampling[how]))

    def warped(self, pixels: Any) -> Image:
        """Other pixels in the place of these, whose places say nothing of where these were."""
        return Image(pixels, tuple(replace(one, mark=None) for one in self.waiting))

    def _moved(self, move: Callable[[Mark], Mark]) -> tuple[Waiting, ...]:
        return tuple(one if one.mark is None else replace(one, mark=move(one.mark)) for one in self.waiting)


def _resized(pixels: np.ndarray[Any, Any], height: int, width: int, mode: str) -> np.ndarray[Any, Any]:
    """Pixels, H x W x 3 of uint8, at another size."""
    from torch.nn import functional as F

    planes = _tensor(pixels)[None].permute(0, 3, 1, 2)
    found: np.ndarray[Any, Any] = F.interpolate(planes, (height, width), mode=mode, antialias=True)[0].numpy()
    return found.transpose(1, 2, 0)


def _tensor(pixels: np.ndarray[Any, Any]) -> Tensor:
    import torch

    # torch warns of bytes that may not be changed
    return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
