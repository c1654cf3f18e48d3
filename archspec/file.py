"""Writing a file in one step, and knowing beforehand that it can be done."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from archspec.errors import ArchspecError


def write_file(path: Path, data: bytes) -> None:
    """Write a file, and its folder, so that it is either the old one or the whole new one.

    A file that is there keeps its mode, and a link stays a link. Errors: ArchspecError
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise ArchspecError(f"{path}: a link that leads to itself") from None
    temporary = real.with_name(f".{real.name}.{os.getpid()}.tmp")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                if real.exists():
                    os.chmod(temporary, stat.S_IMODE(real.stat().st_mode))
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, real)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise ArchspecError(f"{path.parent}: not a directory, so {path.name} cannot be written there") from None
    except OSError as error:
        raise ArchspecError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written before any work is done; nothing stays created. Errors: ArchspecError"""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    hint = "name another place with --out"
    if not existing.is_dir():
        raise ArchspecError(f"{existing}: not a directory, so {folder} cannot be written\n  hint: {hint}")
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        where = f"{folder}: cannot be written" + ("" if existing == folder.absolute() else f", nor can {existing}")
        raise ArchspecError(f"{where}: {reason}\n  hint: {hint}") from None
