"""Shards of litdata: many images in few files, for disks that many small files are too slow on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from archspec.errors import DataError
from archspec.image import Image
from archspec.part import Dataset, Split
from archspec.parts.dataset.folder import TEST, read_image

CLASSES = "classes.txt"
"""The file of the names of classes, one a line."""


class LitData(Dataset, op="litdata"):
    """Shards that litdata's `optimize` wrote to train/ and val/ (or test/, validation/), and classes.txt beside them.

    A sample is a mapping of `image`, the bytes of an image file, and `target`, the number of its class, counted from 0;
    classes.txt names the classes, one a line. It needs the extra `scale`.
    """

    def images(self, split: Split, folder: Path | None, size: tuple[int, int]) -> Shards:
        assert folder is not None
        names = ("train",) if split == "train" else TEST
        here = next((folder / name for name in names if (folder / name / "index.json").is_file()), None)
        if here is None:
            message = f"{folder}: has no shards in {' or '.join(names)}: no index.json is there"
            raise DataError(message, "litdata.optimize(..., output_dir=FOLDER/train) writes them")
        try:
            classes = (folder / CLASSES).read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{folder / CLASSES}: {error}", "names of the classes, one a line") from None
        return Shards(here, [name.strip() for name in classes if name.strip()])


class Shards:
    """The images in a folder of shards."""

    def __init__(self, folder: Path, classes: list[str]) -> None:
        self.folder, self.classes = folder, classes
        self.index = (folder / "index.json").read_bytes()
        self._opened: dict[int, Any] = {}
        self._last: tuple[int, dict[str, Any]] = (-1, {})
        self._dataset()
        try:  # not len(...): under torchrun, litdata tells of one process's share
            self.count = sum(int(chunk["chunk_size"]) for chunk in json.loads(self.index)["chunks"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder / 'index.json'}: is no index of shards: {error}") from None

    @property
    def fingerprint(self) -> str:
        """Of the index, the sizes of all shards, and the names of classes."""
        found = hashlib.sha256(self.index + "\n".join(self.classes).encode())
        for path in sorted(self.folder.glob("*.bin")):
            found.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        return found.hexdigest()[:32]

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"{self.folder}, sample {index}"

    def target(self, index: int) -> int:
        target = self._sample(index)["target"]
        if type(target) is not int or not 0 <= target < len(self.classes):
            message = f"{self.name(index)}: `target` must be the number of one of {len(self.classes)} classes"
            raise DataError(f"{message}, found {target!r}", f"{CLASSES} names all classes, one a line")
        return target

    def image(self, index: int) -> Image:
        return read_image(bytes(self._sample(index)["image"]), self.name(index))

    def _sample(self, index: int) -> dict[str, Any]:
        """A sample, kept until the next one: its image and its target are asked for one by one."""
        if self._last[0] != index:
            self._last = (index, self._read(index))
        return self._last[1]

    def _read(self, index: int) -> dict[str, Any]:
        try:
            found = self._dataset()[index]
        except Exception as error:  # damaged shards can make litdata fail in any way
            raise DataError(f"{self.name(index)}: {type(error).__name__}: {error}") from None
        if not isinstance(found, dict) or {"image", "target"} - found.keys():
            shown = ", ".join(found) if isinstance(found, dict) else type(found).__name__
            message = f"{self.name(index)}: must be a mapping of `image` and `target`, found {shown}"
            raise DataError(message, '{"image": BYTES OF A FILE, "target": NUMBER}')
        return found

    def _dataset(self) -> Any:
        """Each process opens the shards by itself."""
        if os.getpid() not in self._opened:
            try:
                from litdata import StreamingDataset
            except ImportError:
                raise DataError("litdata is not installed", 'pip install "archspec-nn[scale]"') from None
            self._opened = {os.getpid(): StreamingDataset(str(self.folder))}
        return self._opened[os.getpid()]
