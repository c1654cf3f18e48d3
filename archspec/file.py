"""Writing a file in one step."""

from __future__ import annotations

import os
import stat
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
