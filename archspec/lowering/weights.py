"""Weights from files: read as tensors only, compared with the network, put into its module."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from archspec.errors import BuildError
from archspec.graph.checkpoint import damaged, is_safetensors
from archspec.graph.coverage import Coverage, Stored, coverage, report
from archspec.graph.graph import Graph
from archspec.spec.renames import Rename, renamed

Named = str | os.PathLike[str]
INSIDE = ("state_dict", "model", "model_state_dict")
"""Where training scripts keep the state dict in a checkpoint."""


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint that fit a network, under the network's names."""

    tensors: Mapping[str, torch.Tensor]
    coverage: Coverage
    lines: list[str]
    """The report."""
    sha256: str
    """Of the file."""


def read_weights(
    graph: Graph,
    path: Named,
    renames: Iterable[Rename] = (),
    allow_missing: Iterable[str] = (),
    allow_unexpected: Iterable[str] = (),
    dtype: torch.dtype | None = None,
) -> Weights:
    """The weights of a network from a safetensors file or a PyTorch checkpoint; nothing in a file is run.

    Errors: BuildError if the file cannot be read or does not cover the network; SpecError of the renames
    """
    tensors = read_tensors(path)
    names = renamed(tensors, renames)
    tensors = {names[name]: value for name, value in tensors.items()}
    stored = stored_of(tensors)
    wanted = str(dtype or torch.float32).removeprefix("torch.")
    found = coverage(graph, stored, allow_missing, allow_unexpected, wanted)
    lines = report(found, os.fspath(path), graph.name)
    if not found.complete:
        raise BuildError("\n".join(lines))
    return Weights({name: tensors[name] for name in found.covered}, found, lines, _sha256(path))


def _sha256(path: Named) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(module: nn.Module, weights: Weights) -> None:
    """Put weights into a module, or the part of them that it has, converted to its types and devices."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name in weights.tensors:
                value.copy_(weights.tensors[name].reshape(value.shape))


def stored_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, Stored]:
    """Names, shapes and types of some tensors."""
    return {name: Stored(tuple(v.shape), str(v.dtype).removeprefix("torch.")) for name, v in tensors.items()}


def read_tensors(path: Named) -> dict[str, torch.Tensor]:
    """The tensors of a file, told by what it begins with, whatever it is called. Errors: BuildError"""
    if is_safetensors(path):
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise BuildError(damaged(path, error)) from None
    return _state_dict(_unpickled(path), os.fspath(path))


def _unpickled(path: Named) -> Any:
    """The content of a PyTorch checkpoint, if it is made of tensors and plain data alone."""
    name = os.fspath(path)
    with open(path, "rb") as file:
        start = file.read(2)
        if start[:1] != b"\x80" and start != b"PK":
            raise BuildError(f"{name}: neither a safetensors file nor a PyTorch checkpoint")
        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes can make the reader fail in any way
            raise BuildError(_refusal(name, str(error))) from None


def _refusal(name: str, said: str) -> str:
    hint = "\n  hint: save the state dict alone: torch.save(module.state_dict(), FILE)"
    if code := re.search(r"GLOBAL ([\w.]+\w)", said):
        return f"{name}: holds more than tensors: it asks to run {code[1]}, which is not done{hint}"
    if "TorchScript" in said:
        return f"{name}: a TorchScript program, not a state dict{hint}"
    if "Unsupported operand" in said or "Unsupported class" in said:
        return f"{name}: a pickle, but not one of tensors alone; it is not run{hint}"
    return f"{name}: not a whole PyTorch checkpoint; it may be cut short or damaged"


def _state_dict(content: Any, name: str) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint: all of it, or what it keeps under a usual key."""
    inside = content if isinstance(content, dict) else {}
    if not any(isinstance(value, torch.Tensor) for value in inside.values()):
        inside = next((inside[key] for key in INSIDE if isinstance(inside.get(key), dict)), inside)
    if not any(isinstance(value, torch.Tensor) for value in inside.values()):
        keys = f"; its keys are {', '.join(map(str, list(inside)[:8]))}" if inside else ""
        expected = " or ".join(f"`{key}`" for key in INSIDE)
        raise BuildError(f"{name}: no state dict: expected one by itself, or under {expected}{keys}")
    for key, value in inside.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise BuildError(f"{name}: `{key}` is a {type(value).__name__}, expected a tensor")
        if value.is_meta:
            raise BuildError(f"{name}: `{key}` is a tensor on the device `meta`, which holds no values")
        if value.layout is not torch.strided or value.is_quantized:
            raise BuildError(f"{name}: `{key}` is a sparse or quantized tensor, expected a plain one")
    return dict(inside)
