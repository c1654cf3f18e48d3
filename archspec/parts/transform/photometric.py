"""Brightness, contrast and saturation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.draw import Draw
from archspec.part import Transform
from archspec.parts.transform.constant import constant

if TYPE_CHECKING:
    from torch import Tensor

Amount = Annotated[float, Field(ge=0, le=1)]
GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey (ITU-R BT.601)."""


class Photometric(Transform, op="photometric"):
    """Brightness, contrast and saturation, each scaled by a factor from 1 - amount to 1 + amount (Howard 2013).

    Brightness moves pixels from black, contrast from the mean grey of the image, saturation from the pixel's own grey;
    after each, values are cut to 0 to 255.
    """

    floating: ClassVar = True

    brightness: Amount
    """How much at most."""
    contrast: Amount
    """How much at most."""
    saturation: Amount
    """How much at most."""
    order: Literal["random", "fixed"]
    """Whether the order of the three is drawn, or as written."""

    def drawn(self, draw: Draw) -> tuple[float, ...]:
        factors = [draw.uniform(1 - most, 1 + most) for most in (self.brightness, self.contrast, self.saturation)]
        order = draw.order(3) if self.order == "random" else [0, 1, 2]
        return (*factors, *map(float, order))

    def central(self) -> None:
        return None

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        import torch

        factors = drawn[:, :3].to(pixels)
        for turn in range(3):
            which = drawn[:, 3 + turn].long()
            factor = factors.gather(1, which[:, None])[:, :, None, None]
            grey = torch.einsum("nchw,c->nhw", pixels, constant(GREY, pixels))[:, None]
            which = which[:, None, None, None]
            base = torch.where(which == 0, 0.0, torch.where(which == 1, grey.mean((2, 3), keepdim=True), grey))
            pixels = base + factor * (pixels - base)
            pixels = pixels.clamp(0.0, 255.0)
        return pixels
