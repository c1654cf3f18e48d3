"""What a safetensors file holds, from its header alone."""

from __future__ import annotations

import os
from pathlib import Path

from archspec.errors import BuildError
from archspec.graph.coverage import Stored

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""Its names of types -> torch's."""


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a safetensors file: the length of a JSON header, then the header.

    Errors: BuildError if it cannot be read or is empty
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise BuildError(f"{name}: {(error.strerror or str(error)).lower()}") from None
    if not start:
        raise BuildError(f"{name}: the file is empty")
    return start[8:] == b"{"


def header(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Names, shapes and types of a safetensors file. Errors: BuildError"""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return {name: Stored(tuple(s.get_shape()), _dtype(s.get_dtype())) for name, s in slices.items()}
    except (SafetensorError, OSError) as error:
        raise BuildError(damaged(path, error)) from None


def damaged(path: str | os.PathLike[str], error: Exception) -> str:
    reason = str(error).removeprefix("Error while deserializing header: ").lower()
    return f"{os.fspath(path)}: not a whole safetensors file: {reason}"


def _dtype(name: str) -> str:
    return DTYPES.get(name, name.lower())
