"""Folders of images, one folder per class, as ImageNet is usually unpacked."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archspec.errors import DataError
from archspec.image import Image
from archspec.part import Dataset, Split

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp"}
SAMPLED = 500
"""Files whose content is part of a folder's fingerprint."""
TEST = ("val", "test", "validation")
"""Names of the folder to test on."""


class ImageFolder(Dataset, op="image_folder"):
    """Images in train/CLASS/... and val/CLASS/... (or test, validation); classes are numbered by name.

    Grey, palette, CMYK and transparent images become RGB, transparent ones on black; images are turned as their EXIF
    data say.
    """

    def images(self, split: Split, folder: Path | None, size: tuple[int, int] = (224, 224)) -> Files:
        assert folder is not None
        names = ("train",) if split == "train" else TEST
        here = next((folder / name for name in names if (folder / name).is_dir()), None)
        if here is None:
            found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
            raise DataError(f"{folder}: has no folder {' or '.join(names)}, found {found}", "it holds train and val")
        return Files(here)


class ImageNet(ImageFolder, op="imagenet"):
    """ImageNet as it is usually unpacked: train/n01440764/....JPEG and val/n01440764/....JPEG; see `image_folder`."""


class Files:
    """The images below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        import numpy as np

        paths: list[bytes] = []
        targets: list[int] = []
        for number, name in enumerate(self.classes):
            found = sorted(images_below(folder, name))
            if not found:
                raise DataError(f"{folder / name}: holds no images", f"suffixes: {', '.join(sorted(SUFFIXES))}")
            paths += map(os.fsencode, found)
            targets += [number] * len(found)
        if not self.classes:
            raise DataError(f"{folder}: holds no folders of classes", "one folder per class, with images in it")
        # Arrays, since each worker process would make a copy of all the objects in a list.
        self.paths, self.targets = np.array(paths), np.array(targets, np.int32)

    @cached_property
    def fingerprint(self) -> str:
        """Of the paths and sizes of all files, and of the content of some, evenly over all."""
        found = hashlib.sha256()
        for number in range(len(self)):
            path = self.path(number)
            found.update(f"{path}\0{os.path.getsize(self.folder / path)}\0".encode())
            if number % (1 + len(self.paths) // SAMPLED) == 0:
                found.update((self.folder / path).read_bytes())
        return found.hexdigest()[:32]

    def __len__(self) -> int:
        return len(self.paths)

    def target(self, index: int) -> int:
        return int(self.targets[index])

    def path(self, index: int) -> str:
        """From the folder."""
        return os.fsdecode(self.paths[index])

    def name(self, index: int) -> str:
        return str(self.folder / self.path(index))

    def image(self, index: int) -> Image:
        return decoded(self.folder / self.path(index))


def images_below(folder: Path, inside: str) -> list[str]:
    """Paths, from a folder, of the images in a folder of it, at any depth."""
    found = []
    for place, _, names in os.walk(folder / inside):
        below = os.path.relpath(place, folder)
        found += [f"{below}/{name}" for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]
    return found


ORIENTATION = 0x0112
"""The number of EXIF's orientation."""


@cache
def _fast_decoder() -> Callable[[bytes, str], Any] | None:
    """simplejpeg's decoder, where the extra `fast` is installed: the same bits as Pillow's, sooner."""
    try:
        from simplejpeg import decode_jpeg
    except ImportError:
        return None
    return decode_jpeg  # type: ignore[no-any-return]


def decoded(path: Path) -> Image:
    """The image of a file as RGB. Errors: DataError that names it"""
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = "the data folder may have been moved or unmounted"
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}", hint) from None
    if not data:
        raise DataError(f"{path}: an empty file, expected an image")
    return read_image(data, str(path))


def read_image(data: bytes, name: str) -> Image:
    """An encoded image as RGB. Errors: DataError that names it"""
    import PIL.Image
    import PIL.ImageOps

    try:
        image: PIL.Image.Image = PIL.Image.open(io.BytesIO(data))
        plain = image.format == "JPEG" and image.mode == "RGB" and image.getexif().get(ORIENTATION, 1) == 1
        if plain and (fast := _fast_decoder()) is not None:
            return Image(fast(data, "RGB"))
        image = PIL.ImageOps.exif_transpose(image)
        if image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
            black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
            image = PIL.Image.alpha_composite(black, image)
        elif image.mode == "F" or image.mode.startswith("I"):
            whole = image if image.mode == "F" else image.convert("I")
            image = whole.point(lambda value: value / 256.0).convert("L")
        return Image(image.convert("RGB"))
    except Exception as error:  # damaged bytes can make a decoder fail in any way
        message = f"{name}: not a whole image: {str(error).partition(chr(10))[0]}"
        raise DataError(message, "mend or remove it, or go on without such: --on-bad-image skip") from None
