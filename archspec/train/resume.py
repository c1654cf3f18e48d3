"""Where a run goes on: its newest whole checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archspec.errors import RunError
from archspec.graph.canonical import spec_hash
from archspec.train.checkpoint import read_tensors, sweep
from archspec.train.checkpoint_folder import read_folder
from archspec.train.job import Job
from archspec.train.processes import Processes
from archspec.train.run import Run
from archspec.train.state import State, fresh, places, restore

KEYS = {"step", "metrics", "seed", "spec_hash", "recipe_hash", "phase", "since_record", "since_check", "averaged"}
"""What the header of a checkpoint says."""


def newest(
    run: Run, state: State, processes: Processes, said: list[str] | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What the newest checkpoint that is whole for all processes holds for a state.

    Those that are not whole are passed over, and said to be. Every process calls it at the same time.
    """
    place_of = places(state)

    def empty(name: str, size: torch.Size, dtype: torch.dtype) -> Tensor:
        place = place_of(name)
        return torch.empty_like(place, dtype=dtype) if place.shape == size else torch.empty(size, dtype=dtype)

    for path in run.checkpoints:
        wrong = ""
        try:
            header, tensors = read_folder(path, empty) if path.is_dir() else read_tensors(path)
            if not isinstance(header, dict) or KEYS - header.keys():
                wrong = f"{path}: not a whole checkpoint: its header lacks what a run needs"
        except RunError as error:
            wrong = str(error)
        told = [one for one in processes.told(wrong) if one]
        if not told:
            return header, tensors
        if said is not None:
            said.append(f"passed over: {told[0]}")
    return None


def resume(run: Run, job: Job, state: State) -> list[str]:
    """Put the newest whole checkpoint into a fresh state, and cut the metrics to where it was; what was found.

    A run that has no checkpoint at all begins anew.

    Errors: RunError if a checkpoint is of another spec or recipe
    """
    for folder in (run.folder, run.folder / "checkpoints"):
        sweep(folder)
    said: list[str] = []
    found = newest(run, state, job.processes, said)
    job.processes.agree("checkpoint", f"step {found[0]['step']}" if found else "none")
    if found is None and run.checkpoints:
        hint = "to begin anew, remove the folder checkpoints"
        raise RunError(f"{run.folder}: none of its checkpoints is whole; {'; '.join(said)}", hint)
    numbers: dict[str, Any] = {"metrics": 0, "step": 0}
    if found is not None:
        numbers, tensors = found
        if numbers["seed"] != job.recipe.seed:
            message = f"{run.folder}: the run began with seed {numbers['seed']}, found {job.recipe.seed} in recipe.yaml"
            raise RunError(message, "a run keeps its seed; begin a new one")
        for what, mine in (("spec", spec_hash(job.graph)), ("recipe", job.recipe.hash)):
            if numbers[f"{what}_hash"] != mine:
                hint = f"{what}.yaml was changed after the run began; begin a new one"
                raise RunError(f"{run.folder}: its checkpoint is of another {what} than its {what}.yaml", hint)
        try:
            restore(state, numbers, tensors, job.processes.is_first)
        except (KeyError, RuntimeError) as error:
            raise RunError(f"{run.folder}: its checkpoint does not fit: {str(error).splitlines()[0]}") from None
    said.append(
        f"goes on from step {numbers['step']:,}" if found is not None else "begins anew: no checkpoint is there"
    )
    if state.best is not None and job.recipe.select is not None:
        best = run.folder / "best.safetensors"
        if not best.exists():
            hint = "put it back; where the run had ended, its weights.safetensors held them; or begin a new run"
            raise RunError(f"{best}: no such file, and the best weights were in it", hint)
        read_tensors(best)
    if numbers["metrics"] and (not run.metrics.exists() or run.metrics.stat().st_size < numbers["metrics"]):
        message = f"{run.metrics}: is shorter than at the last checkpoint"
        raise RunError(message, "put the whole file back; without it the run's records are lost")
    if job.processes.is_first and run.metrics.exists():
        with run.metrics.open("r+b") as file:
            file.truncate(numbers["metrics"])
    job.processes.wait()
    return said


def start(run: Run, job: Job, module: torch.nn.Module) -> State:
    """The state of a new run, and the folder for its checkpoints. Errors: SpecError"""
    state = fresh(job, module)
    if job.processes.is_first:
        (run.folder / "checkpoints").mkdir(exist_ok=True)
    return state
