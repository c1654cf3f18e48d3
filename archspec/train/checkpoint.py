"""Checkpoints: one file that is the old one or the whole new one, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from archspec.errors import RunError

KEY = "archspec"
"""Of the small state in the header of a file."""
SUM = "crc32"
"""Of the checksum of all tensors in the small state."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and small state as one file, in one step, on the disk when this returns. Errors: RunError"""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(ready, temporary, {KEY: json.dumps({**header, SUM: _sum(ready)}, sort_keys=True)})
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        hint = "what was saved before is untouched; mend it and go on with --resume"
        raise RunError(f"{path}: cannot be written: {reason}", hint) from None


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder are on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def read_tensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The small state and the tensors of a file. Errors: RunError if it is not whole"""
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if header.pop(SUM) != _sum(tensors):
                raise ValueError("its numbers are not those that were written")
            return header, tensors
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"{path}: not a whole checkpoint: {str(error).splitlines()[0]}") from None


def _sum(tensors: Mapping[str, Tensor]) -> str:
    found = 0
    for name in sorted(tensors):
        found = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, zlib.crc32(name.encode(), found))
    return f"{found:08x}"


def sweep(folder: Path) -> None:
    """Remove what interrupted writing has left behind."""
    for pattern in (".*.tmp*", ".tmp*"):  # ours, and those of safetensors
        for left in folder.glob(pattern):
            remove(left)


def remove(path: Path) -> None:
    """Remove a checkpoint, a file or a folder, so that what is left of it half-way is not taken for one."""
    gone = path if path.name.startswith(".") else path.with_name(f".{path.name}.tmp")
    try:
        os.replace(path, gone)
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    except OSError:  # it lies there until the next sweep
        pass
