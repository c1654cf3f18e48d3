"""Images to test with, and a test of distributions."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image as Pillow

from archspec.draw import Draw
from archspec.image import Image

# torchvision's compiled operations do not load beside a CPU-only torch, and its transforms need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms.v2 import functional as V  # noqa: E402


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random pixels, H x W x 3."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Pixels that change slowly, H x W x 3, with noise of a few levels."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(y / 9 + k) * 60 + np.cos(x / 7 - k * seed) * 50 + 120 for k in range(3)]
    return np.clip(np.stack(waves, 2) + noise(height, width, seed) / 16, 0, 255).astype(np.uint8)


PILLOWS = {"nearest": 0, "lanczos": 1, "area": 4}
TORCHVISIONS = {"bilinear": InterpolationMode.BILINEAR, "cubic": InterpolationMode.BICUBIC}


def resized(array: np.ndarray, height: int, width: int, how: str = "bilinear") -> np.ndarray:
    """Pixels at another size, as torchvision resizes tensors of bytes, or as Pillow does where it cannot."""
    if how in PILLOWS:
        return np.asarray(Pillow.fromarray(array).resize((width, height), PILLOWS[how]))
    planes = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    found = V.resize(planes, [height, width], TORCHVISIONS[how], antialias=True)
    return found.numpy().transpose(1, 2, 0)


def encoded(height: int, width: int) -> np.ndarray:
    """An image of sides up to 4096 whose pixels tell their own places."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y & 255, x & 255, (y >> 8) << 4 | x >> 8], 2).astype(np.uint8)


def places(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns that the pixels of an encoded image tell."""
    low_y, low_x, high = np.moveaxis(array.astype(int), 2, 0)
    return high >> 4 << 8 | low_y, (high & 15) << 8 | low_x


def box(image: Image) -> tuple[int, int, bool]:
    """Top, left and whether it is mirrored, of a crop of an encoded image; every pixel is checked."""
    array = image.array
    rows, columns = places(array)
    top, left = int(rows[0, 0]), int(columns[0].min())
    mirrored = bool(columns[0, -1] < columns[0, 0])
    expected = encoded(top + image.height, left + image.width)[top:, left:]
    np.testing.assert_array_equal(array, expected[:, ::-1] if mirrored else expected)
    return top, left, mirrored


def draws(count: int, name: str = "draw") -> list[Draw]:
    """So many rows of random numbers."""
    return [Draw(name, number) for number in range(count)]


def spread(values: list[float], below: Callable[[float], float]) -> float:
    """Kolmogorov and Smirnov's distance from a distribution, times the root of the count: 1.95 in one of 1000 cases."""
    found = sorted(values)
    count = len(found)
    apart = [max((k + 1) / count - below(v), below(v) - k / count) for k, v in enumerate(found)]
    return max(apart) * math.sqrt(count)
