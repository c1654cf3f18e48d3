"""Subtracting the mean of the training images, and dividing by deviations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.part import Transform
from archspec.parts.transform.constant import constant

if TYPE_CHECKING:
    from torch import Tensor

Three = Field(min_length=3, max_length=3)
Values = Annotated[list[float], Three]


class SubtractMean(Transform, op="subtract_mean"):
    """The mean of the training images is subtracted, at every pixel or one value per channel.

    Unless values are given, it is that of the training images behind the transforms before this, drawn ones in their
    middle. Subtracted per pixel, a crop that follows takes the mean at its own place, and an image of another size is
    given the mean's channel means.
    """

    floating: ClassVar = True

    per: Literal["pixel", "channel"]
    """Whether every place has a mean of its own."""
    values: Values | None = None
    """The mean, red, green and blue from 0 to 255, where it is not that of the data."""

    @model_validator(mode="after")
    def _channels(self) -> SubtractMean:
        if self.per == "pixel" and self.values is not None:
            raise ValueError("`per: channel` where `values` are given")
        return self

    @property
    def placed(self) -> bool:  # type: ignore[override]
        return self.per == "pixel"

    @property
    def fits(self) -> bool:
        return self.values is None

    def fit(self, batches: Iterable[Tensor]) -> dict[str, Tensor]:
        import torch

        total: Tensor | None = None
        count = 0
        for pixels in batches:
            here = pixels.double().sum(0) if self.per == "pixel" else pixels.double().mean((2, 3)).sum(0)
            if total is not None and total.shape != here.shape:
                raise ValueError("images differ in size, so their pixels have no mean; crop them first")
            total = here if total is None else total + here
            count += len(pixels)
        assert total is not None
        return {"mean": (total / count).to(torch.float32)}

    def zero(self, fitted: Mapping[str, Tensor]) -> Tensor:
        import torch

        mean = torch.tensor(self.values) if self.values is not None else fitted["mean"]
        return mean.mean((1, 2)) if mean.dim() == 3 else mean

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        from archspec.parts.transform.place import places

        means = constant(self.values, pixels) if self.values is not None else self.zero(fitted).to(pixels)
        means = means[:, None, None]
        if self.per == "channel":
            return pixels - means
        mean = fitted["mean"].to(pixels)
        height, width = mean.shape[1:]
        rows, columns, inside = places(marks, pixels.shape[2], pixels.shape[3])
        here = mean[:, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]].transpose(0, 1)
        fits = (marks[:, 0] == height) & (marks[:, 1] == width)  # each by itself, whatever else is in the group
        return pixels - (here * inside[:, None]).where(fits[:, None, None, None], means)


class Normalize(Transform, op="normalize"):
    """(pixel / 255 - mean) / std, per channel."""

    floating: ClassVar = True

    mean: Values
    """Red, green and blue, of pixels from 0 to 1."""
    std: Annotated[list[Annotated[float, Field(gt=0)]], Three]
    """Red, green and blue, of pixels from 0 to 1."""

    def zero(self, fitted: Mapping[str, Tensor]) -> Tensor:
        import torch

        return torch.tensor(self.mean) * 255.0

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        scale = constant([1.0 / (255.0 * std) for std in self.std], pixels)
        shift = constant([-mean / std for mean, std in zip(self.mean, self.std, strict=True)], pixels)
        return pixels.mul_(scale[:, None, None]).add_(shift[:, None, None])
