"""AlexNet's change of lighting along the principal components of colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from archspec.draw import Draw
from archspec.part import Transform
from archspec.parts.transform.constant import constant

if TYPE_CHECKING:
    from torch import Tensor

Three = Field(min_length=3, max_length=3)
VALUES = [0.2175, 0.0188, 0.0045]
VECTORS = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
"""Eigenvalues and, as columns, eigenvectors of ImageNet's colours on the scale 0 to 1, RGB.

Source: fb.resnet.torch, datasets/imagenet.lua
"""


class Components(BaseModel):
    """Principal components of colour."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    values: Annotated[list[float], Three]
    """Eigenvalues of the covariance of pixels from 0 to 1."""
    vectors: Annotated[list[Annotated[list[float], Three]], Three]
    """Eigenvectors as columns: a row for red, green and blue each."""


class PcaLighting(Transform, op="pca_lighting"):
    """Adds multiples of the principal components of colour (Krizhevsky et al. 2012, section 4.1), the same everywhere.

    The multiples are a_i * l_i, with a_i from a Gaussian, drawn once per presentation, and l_i the eigenvalue, as the
    paper prints, or its root, as its author's code has it.
    """

    floating: ClassVar = True

    std: Annotated[float, Field(ge=0)]
    """Deviation of the a_i."""
    magnitude: Literal["eigenvalue", "stdev"]
    """Whether l_i is the eigenvalue or its root."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """White on the scale of pixels whose eigenvalues are taken; it matters to eigenvalues alone."""
    components: Literal["imagenet", "fitted"] | Components = "imagenet"
    """ImageNet's, those of the training images, or given ones."""
    rescale: bool = False
    """Whether the image is then divided by 1 + std, as in the author's code."""

    def drawn(self, draw: Draw) -> tuple[float, ...]:
        return tuple(self.std * draw.normal() for _ in range(3))

    def central(self) -> None:
        return None

    @property
    def fits(self) -> bool:
        return self.components == "fitted"

    def fit(self, batches: Iterable[Tensor]) -> dict[str, Tensor]:
        import torch

        count, total, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
        for pixels in batches:
            flat = pixels.double().transpose(0, 1).reshape(3, -1) / 255.0
            count, total, squares = count + flat.shape[1], total + flat.sum(1), squares + flat @ flat.T
        mean = total / count
        values, vectors = torch.linalg.eigh(squares / count - torch.outer(mean, mean))
        signs = torch.where(vectors.sum(0) < 0, -1.0, 1.0)
        return {"values": values.flip(0).float(), "vectors": (vectors * signs).flip(1).float()}

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        if self.components == "fitted":
            values, vectors = fitted["values"].to(pixels), fitted["vectors"].to(pixels)
        else:
            given = isinstance(self.components, Components)
            values = constant(self.components.values if given else VALUES, pixels)  # type: ignore[union-attr]
            vectors = constant(self.components.vectors if given else VECTORS, pixels)  # type: ignore[union-attr]
        size = values.clamp(min=0).sqrt() if self.magnitude == "stdev" else values * self.scale
        shift = 255.0 * (drawn.to(pixels) * size) @ vectors.T
        lit = pixels + shift[:, :, None, None]
        return lit / (1.0 + self.std) if self.rescale else lit
