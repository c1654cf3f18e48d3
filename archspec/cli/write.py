"""Writing a file in one step."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from archspec.errors import ArchspecError


def write_file(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the whole new one; its mode stays, links stay links.

    Errors: ArchspecError
    """
    real = path.resolve()
    temporary = real.with_name(f".{real.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            if real.exists():
                os.chmod(temporary, stat.S_IMODE(real.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, real)
    except OSError as error:
        raise ArchspecError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        temporary.unlink(missing_ok=True)
