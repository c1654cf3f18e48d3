"""What `archspec build` writes: code, weights, expanded spec, picture, manifest; the same bytes for the same input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

import archspec
from archspec.drawing.picture import shown
from archspec.file import write_file
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.graph.plugins import plugins_of
from archspec.lowering.weights import Weights
from archspec.spec.writer import write
from archspec.views.expanded import expanded


def folder_name(graph: Graph) -> str:
    """`<name>`, or `<name>-<k>=<v>` for a variant made by setting params."""
    changed = "".join(f"-{name}={_part(value)}" for name, value in sorted(graph.changed.items()))
    return graph.name + changed


def _part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in text)[:60]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def write_artifacts(
    folder: Path,
    module: nn.Module,
    graph: Graph,
    source: str,
    seed: int,
    loaded: Weights | None = None,
    optimize: str | None = None,
) -> list[Path]:
    """Write all files of a build, each in one step, the manifest last. Errors: BuildError"""
    spec = write(expanded(graph))
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    contents: dict[str, bytes] = {
        "spec.yaml": spec.encode(),
        "model.py": source.encode(),
        "model.safetensors": save(state, {"format": "pt"}),
    }
    if (picture := shown(graph)) is not None:
        contents["graph.svg"] = picture.encode()
    contents["manifest.json"] = (
        json.dumps(_manifest(graph, contents, seed, loaded, optimize), indent=2) + "\n"
    ).encode()
    for name, data in contents.items():
        write_file(folder / name, data)
    return [folder / name for name in contents]


def _manifest(
    graph: Graph, contents: Mapping[str, bytes], seed: int, loaded: Weights | None, optimize: str | None
) -> dict[str, Any]:
    inference = graph.inference()
    return {
        "name": graph.name,
        "set": dict(graph.changed),
        "seed": seed,
        **({"optimize": optimize} if optimize else {}),
        **({"weights": {"sha256": loaded.sha256, "missing": list(loaded.coverage.left_out)}} if loaded else {}),
        "spec_sha256": spec_hash(graph),
        "files_sha256": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
        "versions": {
            "archspec-nn": archspec.__version__,
            "torch": torch.__version__,
            **{owner.name: owner.version for owner in plugins_of(graph)},
        },
        "params": graph.params,
        "params_inference": inference.params,
        "macs": inference.macs,
        "macs_training": graph.macs,
        "inputs": {node.name: list(node.shape.dims) for node in graph.inputs},
        "outputs": {output.name: list(graph[output.node].shape.dims) for output in graph.outputs},
    }
