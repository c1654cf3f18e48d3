"""CIFAR-10 and CIFAR-100, from their binary files."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.errors import DataError
from archspec.image import Image
from archspec.part import Dataset, Split

if TYPE_CHECKING:
    import numpy as np

PIXELS = 3 * 32 * 32


class Cifar10(Dataset, op="cifar10"):
    """50,000 and 10,000 images of 32 x 32 in 10 classes (Krizhevsky 2009).

    The folder holds the binary version: data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt;
    or a folder cifar-10-batches-bin that does.
    """

    train_on: Literal["all", "first_45k"] = "all"
    """`first_45k` leaves the last 5,000 training images out."""

    def images(self, split: Split, folder: Path | None, size: tuple[int, int] = (32, 32)) -> Records:
        here = inside(folder, "cifar-10-batches-bin", "test_batch.bin")
        names = ["test_batch.bin"] if split == "test" else [f"data_batch_{k}.bin" for k in range(1, 6)]
        first = 45_000 if split == "train" and self.train_on == "first_45k" else None
        return Records([here / name for name in names], here / "batches.meta.txt", 1, 10, first)


class Cifar100(Dataset, op="cifar100"):
    """50,000 and 10,000 images of 32 x 32 in 100 classes (Krizhevsky 2009), by their fine labels.

    The folder holds the binary version: train.bin, test.bin and fine_label_names.txt; or a folder cifar-100-binary that
    does.
    """

    def images(self, split: Split, folder: Path | None, size: tuple[int, int] = (32, 32)) -> Records:
        here = inside(folder, "cifar-100-binary", "test.bin")
        return Records([here / f"{split}.bin"], here / "fine_label_names.txt", 2, 100, None)


def inside(folder: Path | None, usual: str, needed: str) -> Path:
    """The folder that holds a file, or the one of a usual name in it. Errors: DataError"""
    assert folder is not None
    for place in (folder, folder / usual):
        if (place / needed).is_file():
            return place
    hint = f"download the binary version and unpack it: {usual}/{needed}"
    if list(folder.glob("**/*_batch*"))[:1] or list(folder.glob("*.tar.gz")):
        hint += "; the Python version and packed files are not read"
    raise DataError(f"{folder}: holds no {needed}", hint)


class Records:
    """Images in files of records: label bytes, of which the last counts, then red, green and blue planes."""

    size: ClassVar = (32, 32)

    def __init__(self, files: list[Path], names: Path, labels: int, classes: int, first: int | None) -> None:
        self.files, self.labels, self.first = files, labels, first
        self.classes = class_names(names, classes)
        assert len(self._targets) > 0
        if (highest := int(self._targets.max())) >= classes:
            raise DataError(f"{files[0].parent}: a label is {highest}, expected at most {classes - 1}")

    @cached_property
    def _records(self) -> np.ndarray[Any, Any]:
        import numpy as np

        found = []
        for file in self.files:
            try:
                data = np.fromfile(file, np.uint8)
            except OSError as error:
                raise DataError(f"{file}: {(error.strerror or str(error)).lower()}") from None
            record = self.labels + PIXELS
            if data.size == 0 or data.size % record:
                expected = f"expected a multiple of {record:,}"
                raise DataError(f"{file}: {data.size:,} bytes, {expected}", "download it again: it may be cut short")
            found.append(data.reshape(-1, record))
        return np.concatenate(found)[: self.first]

    @cached_property
    def _targets(self) -> np.ndarray[Any, Any]:
        return self._records[:, self.labels - 1]

    @cached_property
    def _pixels(self) -> np.ndarray[Any, Any]:
        import numpy as np

        planes = self._records[:, self.labels :].reshape(-1, 3, 32, 32)
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(self._records.tobytes()).hexdigest()[:32]

    def __len__(self) -> int:
        return len(self._targets)

    def target(self, index: int) -> int:
        return int(self._targets[index])

    def image(self, index: int) -> Image:
        return Image(self._pixels[index])

    def name(self, index: int) -> str:
        return f"record {index} of {self.files[0].parent}"


def class_names(file: Path, count: int) -> list[str]:
    """Names of classes, one on a line; where there is no such file, their numbers."""
    try:
        names = [line.strip() for line in file.read_text().splitlines() if line.strip()]
    except OSError:
        names = []
    return names if len(names) == count else [str(number) for number in range(count)]
