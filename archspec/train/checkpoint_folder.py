"""Checkpoints of a run whose weights are shared out: a folder to which each process writes its shards.

torch.distributed.checkpoint writes in place, so it is given a fresh folder, which has its name only once it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
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
"""The small state of a folder, written last."""
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
        if header is not None:
            with (temporary / STATE).open("w") as file:
                file.write(json.dumps(header, sort_keys=True))
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
        header = json.loads((path / STATE).read_text())
        reader = FileSystemReader(path)
        held = reader.read_metadata().state_dict_metadata
        tensors = {name: empty(name, meta.size, meta.properties.dtype) for name, meta in held.items()}  # type: ignore[union-attr]
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
