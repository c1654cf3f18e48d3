"""Drawn shapes: a dataset that needs no download."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.draw import Draw, digest
from archspec.image import Image
from archspec.part import Dataset, Split

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CLASSES = ("disc", "ring", "square", "frame", "triangle", "plus", "cross", "rows", "columns", "checks")
SPEC = 1
"""Version of what is drawn: part of the fingerprint."""


class Synthetic(Dataset, op="synthetic"):
    """Ten kinds of shapes of random colour, size, place and turn on a random ground with noise.

    An image is a function of (split, number) alone.
    """

    needs_folder: ClassVar = False

    train: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Images to train on."""
    test: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Images to test on."""
    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Side of the square images; unsaid, that of the network's input."""
    noise: Annotated[float, Field(ge=0, le=128)] = 16.0
    """Deviation of the noise at each pixel, on the scale 0 to 255."""

    def images(self, split: Split, folder: Path | None, size: tuple[int, int] = (32, 32)) -> Shapes:
        return Shapes(split, self.train if split == "train" else self.test, self.size or size[0], self.noise)


class Shapes:
    """One split of drawn shapes, held in memory once it is asked for."""

    classes = CLASSES

    def __init__(self, split: Split, count: int, size: int, noise: float) -> None:
        self.split, self.count, self.size, self.noise = split, count, size, noise
        self.held: dict[int, Array] = {}

    @property
    def fingerprint(self) -> str:
        return digest("synthetic", SPEC, self.split, self.count, self.size, self.noise).hex()[:32]

    def __len__(self) -> int:
        return self.count

    def target(self, index: int) -> int:
        return index % len(CLASSES)

    def name(self, index: int) -> str:
        return f"{self.split} shape {index}"

    def image(self, index: int) -> Image:
        if index not in self.held:
            self.held[index] = self._drawn(index)
        return Image(self.held[index])

    @cached_property
    def _grid(self) -> tuple[Array, Array]:
        import numpy as np

        middle = (self.size - 1) / 2
        y, x = np.mgrid[: self.size, : self.size]
        return (y - middle) / self.size, (x - middle) / self.size

    def _drawn(self, index: int) -> Array:
        import numpy as np

        draw = Draw("shape", self.split, index)
        y, x = self._grid
        turn = draw.uniform(-0.35, 0.35)
        radius = draw.uniform(0.22, 0.36)
        across, down = x - draw.uniform(-0.12, 0.12), y - draw.uniform(-0.12, 0.12)
        u = (across * math.cos(turn) + down * math.sin(turn)) / radius
        v = (down * math.cos(turn) - across * math.sin(turn)) / radius
        edge = distance(CLASSES[self.target(index)], u, v) * radius * self.size
        cover = np.clip(0.5 - edge, 0.0, 1.0)[:, :, None]
        ground, paint = (np.array([draw.uniform(20, 235) for _ in range(3)]) for _ in range(2))
        apart = np.abs(paint - ground).mean()
        if apart < 60:
            paint = np.where(ground < 128, ground + 75, ground - 75)
        slope = (x * draw.uniform(-60, 60) + y * draw.uniform(-60, 60))[:, :, None]
        bits = np.random.Philox(key=int.from_bytes(digest("noise", self.split, index)[:8], "little"))
        noise = np.random.Generator(bits).normal(0.0, self.noise, (self.size, self.size, 3))
        picture = ground * (1 - cover) + paint * cover + slope + noise
        found: Array = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        return found


def distance(shape: str, u: Array, v: Array) -> Array:
    """About how far a place is outside a shape of radius 1, in radii; less than 0 inside."""
    import numpy as np

    r, box = np.hypot(u, v), np.maximum(np.abs(u), np.abs(v)) - 0.85
    if shape == "disc":
        return r - 1
    if shape == "ring":
        return np.abs(r - 0.75) - 0.22
    if shape == "square":
        return box
    if shape == "frame":
        return np.abs(box + 0.2) - 0.2
    if shape == "triangle":
        return np.maximum(np.abs(u) * 0.866 + v * 0.5 - 0.45, -v - 0.55)
    if shape in ("plus", "cross"):
        a, b = (u, v) if shape == "plus" else ((u + v) * 0.7071, (u - v) * 0.7071)
        bars: Array = np.minimum(*(np.maximum(np.abs(p) - 1, np.abs(q) - 0.28) for p, q in ((a, b), (b, a))))
        return bars
    stripe_u, stripe_v = (0.22 - np.abs((w * 1.05 + 0.5) % 1 - 0.5) for w in (u, v))
    if shape == "rows":
        return np.maximum(box, stripe_v)
    if shape == "columns":
        return np.maximum(box, stripe_u)
    checks: Array = np.maximum(box, -np.sign((u * 1.2) % 1 - 0.5) * np.sign((v * 1.2) % 1 - 0.5) * 0.3)
    return checks
