"""Checkpoints of a run whose weights are shared out: a folder to which each process writes its shards.

torch.distributed.checkpoint writes in place, so it is given a fresh folder, which has its name only once it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from archspec.errors import RunError
from archspec.train.checkpoint import sync_folder
from archspec.train.processes import Processes

STATE = "state.json"
"""The small state of a folder and checksums of its files, written last."""
METADATA = ".metadata"
"""What torch writes of where which shard is."""
Empty = Callable[[str, torch.Size, torch.dtype], Tensor]
"""A tensor to read one of a name, size and type into."""


def write_folder(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any] | None, processes: Processes
) -> None:
    """Write tensors, of which each process holds shards, and, on the first one, small state. Errors: RunError

    Every process calls it at the same time; all of it is on the disk when it returns.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    if processes.is_first:
        shutil.rmtree(temporary, ignore_errors=True)
    processes.wait()
    ready = {name: value.detach() for name, value in tensors.items()}
    try:
        save(ready, storage_writer=FileSystemWriter(temporary, sync_files=True))
        mine = [path.name for path in temporary.glob(f"__{processes.rank}_*.distcp")]
        sums = processes.told({name: _sum(temporary / name) for name in mine})
        if header is not None:
            files = {name: one for found in sums for name, one in found.items()}
            files[METADATA] = _sum(temporary / METADATA)
            state = json.dumps({**header, "files": files}, sort_keys=True)
            with (temporary / STATE).open("w") as file:
                file.write(json.dumps({"crc32": zlib.crc32(state.encode()), "state": state}))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(temporary)
            if path.exists():  # of the same step, and so of the same content
                shutil.rmtree(path)
            os.replace(temporary, path)
            sync_folder(path.parent)
    except CheckpointException as error:
        reason = "; ".join(f"process {rank}: {one}" for rank, (one, _) in sorted(error.failures.items()))
        raise RunError(f"{path}: cannot be written: {reason}", "what was saved before is untouched") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{path}: cannot be written: {reason}", "what was saved before is untouched") from None
    processes.wait()


def read_folder(path: Path, empty: Empty = lambda name, size, dtype: torch.empty(size, dtype=dtype)) -> Any:
    """The small state and the tensors of a folder, each read into an empty one, which may be a shard.

    Errors: RunError if it is not whole
    """
    try:
        held = json.loads((path / STATE).read_text())
        if held["crc32"] != zlib.crc32(held["state"].encode()):
            raise ValueError(f"{STATE} is not as it was written")
        header = json.loads(held["state"])
        for name, told in header.pop("files").items():
            if _sum(path / name) != told:
                raise ValueError(f"{name} is not as it was written")
        reader = FileSystemReader(path)
        known = reader.read_metadata().state_dict_metadata
        tensors = {name: empty(name, meta.size, meta.properties.dtype) for name, meta in known.items()}  # type: ignore[union-attr]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is read without other processes
            load(tensors, storage_reader=reader, no_dist=True)
    except (Exception, CheckpointException) as caught:
        error: BaseException = caught
        if isinstance(error, CheckpointException):
            error = next(iter(error.failures.values()))[0]
        reason = (str(error).splitlines() or [""])[0].partition(". ")[0] or "damaged"
        raise RunError(f"{path}: not a whole checkpoint: {reason}") from None
    return header, tensors


def _sum(path: Path) -> int:
    """The checksum of a file."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(2**24):
            found = zlib.crc32(piece, found)
    return found
