"""A run in its folder: what it is made of, its metrics and its checkpoints.

.lock                         which command trains the run
spec.yaml recipe.yaml         resolved: all that is learnt depends on these and the data
execution.json                device, precision and the like, and the folder of data
environment.json              versions, hashes, the machine
data.safetensors              what transforms learnt from the training images, and the names of classes
metrics.jsonl                 a line per record, without times, so that it is the same however often a run stopped
checkpoints/00064000.safetensors, or a folder 00064000 where weights are shared out among processes
best.safetensors              while the run goes on, where the recipe selects: the best weights so far
weights.safetensors           last or best, averaged where the recipe averages; written at the end
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

import archspec
from archspec.errors import RunError
from archspec.file import write_file
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.lowering.artifacts import folder_name
from archspec.recipe.document import Loaded
from archspec.recipe.files import load_recipe
from archspec.spec.reader import plain
from archspec.spec.writer import write
from archspec.train.execution import Execution
from archspec.train.processes import Processes
from archspec.views.expanded import expanded

RUNS = Path("runs")


@dataclass(frozen=True)
class Run:
    """The folder of a run."""

    folder: Path

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def checkpoints(self) -> list[Path]:
        """Newest first."""
        found = (self.folder / "checkpoints").glob("[0-9]*")
        return sorted((path for path in found if path.suffix == ".safetensors" or path.is_dir()), reverse=True)

    @property
    def is_finished(self) -> bool:
        return self.weights.exists()

    def graph(self) -> Graph:
        """Errors: SpecError"""
        return archspec.compile(self.folder / "spec.yaml")

    def recipe(self, settings: dict[str, Any] | None = None) -> Loaded:
        """Errors: SpecError"""
        return load_recipe(self.folder / "recipe.yaml", settings)

    def settings(self) -> dict[str, Any]:
        """What execution.json says: the execution, and `data`."""
        path = self.folder / "execution.json"
        try:
            found = json.loads(path.read_text())
            if not isinstance(found, dict) or not isinstance(found.get("data", 0), str | None):
                raise ValueError("expected a mapping with `data`")
            Execution(**{name: value for name, value in found.items() if name != "data"})
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{path}: cannot be used: {str(error).splitlines()[0]}") from None
        return found

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that was cut short is left out."""
        if not self.metrics.exists():
            return []
        found = []
        for line in self.metrics.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


def begin(folder: Path | None, graph: Graph, loaded: Loaded, execution: Execution, data: Path | None) -> Run:
    """The folder of a new run, with what the run is made of but its recipe. Errors: RunError, ArchspecError"""
    run = Run(_made(folder, graph))
    write_file(run.folder / "spec.yaml", write(expanded(graph)).encode())
    keep_settings(run, execution, data)
    write_file(run.folder / "environment.json", f"{json.dumps(environment(graph, loaded), indent=1)}\n".encode())
    return run


def keep_settings(run: Run, execution: Execution, data: Path | None) -> None:
    """Keep how a run is executed, now and where it goes on without being told otherwise."""
    settings = {**execution.model_dump(), "data": str(data.resolve()) if data else None}
    write_file(run.folder / "execution.json", f"{json.dumps(settings, indent=1)}\n".encode())


@contextmanager
def claimed(run: Run, processes: Processes) -> Iterator[None]:
    """While it lasts, no other command trains the run. Errors: RunError if one does"""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    if not processes.is_first:
        yield
        return
    path = run.folder / ".lock"
    with path.open("ab") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it ends with the process, and workers do not have it
        except (BlockingIOError, PermissionError):
            hint = "wait for it, or end it; a run that is begun anew has a folder of its own"
            raise RunError(f"{run.folder}: another process trains this run", hint) from None
        except OSError:  # a file system without locks
            pass
        yield  # the file stays: a second command may have it open, and would lock what is gone


def seal(run: Run, loaded: Loaded) -> None:
    """Write the recipe of a new run. It comes last: a folder that has it can be gone on with."""
    write_file(run.folder / "recipe.yaml", recipe_text(loaded).encode())


def _made(folder: Path | None, graph: Graph) -> Path:
    """The folder of a new run: the one that is named, or the first number that is free. Errors: RunError"""
    try:
        if folder is not None and folder.is_dir() and not any(folder.iterdir()):
            return folder
        named = folder or RUNS / folder_name(graph)
        if named.parent.exists() and not named.parent.is_dir():
            raise RunError(f"{named.parent}: not a folder, so no run can be written there")
        named.parent.mkdir(parents=True, exist_ok=True)
        for tried in [folder] if folder is not None else (Path(f"{named}-{number}") for number in count(1)):
            try:
                tried.mkdir()
                return tried
            except FileExistsError:
                continue
    except OSError as error:
        raise RunError(f"{folder or RUNS}: {(error.strerror or str(error)).lower()}") from None
    assert folder is not None
    hint = f"go on with it: --resume {folder}" if (folder / "recipe.yaml").exists() else "name another"
    raise RunError(f"{folder}: exists already, and is not empty", hint)


def recipe_text(loaded: Loaded) -> str:
    """A recipe as one file, with what it extends and is set to worked in, marks included."""
    data = plain(loaded.written)
    assert isinstance(data, dict)
    data.pop("extends", None)
    return write(data)


def environment(graph: Graph, loaded: Loaded) -> dict[str, Any]:
    """What the run was made with."""
    import numpy
    import PIL

    return {
        "spec_hash": spec_hash(graph),
        "recipe_hash": loaded.recipe.hash,
        "archspec": archspec.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())],
    }


def opened(folder: Path) -> Run:
    """A run that is there. Errors: RunError"""
    if not (folder / "recipe.yaml").is_file() or not (folder / "spec.yaml").is_file():
        found = "no such folder" if not folder.exists() else "no run: it has no spec.yaml and recipe.yaml"
        raise RunError(f"{folder}: {found}", "`archspec runs` lists the runs below a folder")
    return Run(folder)
