"""What a run's records say, written into its folder as they come, with checkpoints between them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from archspec.errors import DataError, RunError
from archspec.graph.canonical import spec_hash
from archspec.part import Logger
from archspec.train.average import averaged, holding
from archspec.train.checkpoint import read_tensors, remove, sync_folder, write_tensors
from archspec.train.checkpoint_folder import write_folder
from archspec.train.exact import recalibrated
from archspec.train.finite import first_not_finite
from archspec.train.job import Job
from archspec.train.loop import Record
from archspec.train.run import Run
from archspec.train.shard import held
from archspec.train.state import State, copied, is_over, numbers_of, tensors_of


class Recorder:
    """Writes what a run's records say into its folder; only the first process writes."""

    def __init__(self, run: Run, job: Job, state: State, loggers: Sequence[Logger] = ()) -> None:
        self.run, self.job, self.state = run, job, state
        self.saved = -1
        """The step of the last checkpoint."""
        self.logs = [logger.open(run.folder, state.step) for logger in loggers] if job.processes.is_first else []
        self.file = run.metrics.open("ab") if job.processes.is_first else None

    def line(self, record: Record) -> None:
        for name, value in record.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise self._not_finite(f"{name} is {value}", record.step)
        if self.file is not None:
            text = json.dumps({"kind": record.kind, "step": record.step, **record.values})
            try:
                self.file.write(f"{text}\n".encode())
                self.file.flush()
            except OSError as error:
                raise self._lost(error) from None
        for log in self.logs:
            log(record.kind, record.step, record.values)

    def _lost(self, error: OSError) -> RunError:
        hint = f"mend it and go on: archspec train --resume {self.run.folder}"
        return RunError(f"{self.run.metrics}: cannot be written: {(error.strerror or str(error)).lower()}", hint)

    def refuse_not_finite(self) -> None:
        """So that no good checkpoint gives way to a bad one. Errors: RunError"""
        for what, tensors in (
            ("a weight", [held(p.detach()) for p in self.state.module.parameters()]),
            ("a buffer", [b for b in self.state.module.buffers() if b.is_floating_point()]),
            ("a weight of the result", [v for v in self.state.final.values() if v.is_floating_point()]),
        ):
            mine = not tensors or bool(torch.isfinite(torch.stack(torch._foreach_norm(tensors))).all())
            if self.job.processes.any(not mine):
                raise self._not_finite(f"{what} is not finite", self.state.step)

    def _not_finite(self, what: str, step: int) -> RunError:
        where = first_not_finite(self.run, self.job, step)
        message = f"{what} at step {step:,}{f'; {where}' if where else ''}"
        return RunError(message, "a smaller optimizer.lr, a warm-up, or clip_norm may help")

    def save(self) -> None:
        """Write a checkpoint; every process calls it at the same time. Errors: RunError"""
        self.refuse_not_finite()
        numbers = numbers_of(self.state, self.job)
        self.saved = self.state.step
        path = self.run.folder / "checkpoints" / f"{self.state.step:08}"
        header = self._header(numbers) if self.file is not None else None
        if self.job.execution.shard:
            write_folder(path, tensors_of(self.state), header, self.job.processes)
        elif header is not None:
            path = path.with_suffix(".safetensors")
            write_tensors(path, tensors_of(self.state), header)
        if header is not None:
            for old in self.run.checkpoints[self.job.execution.keep :]:
                if old != path:
                    remove(old)

    def _header(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """What a checkpoint says beside its tensors, once the metrics before it are on the disk."""
        assert self.file is not None
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            raise self._lost(error) from None
        return {
            **numbers,
            "seed": self.job.recipe.seed,
            "metrics": self.file.tell(),
            "spec_hash": spec_hash(self.job.graph),
            "recipe_hash": self.job.recipe.hash,
        }

    def select(self, record: Record, weights: dict[str, Tensor]) -> None:
        """Keep the weights of the best value so far of the metric that selects."""
        chosen = self.job.recipe.select
        if chosen is None or chosen.metric not in record.values:
            return
        value, best = record.values[chosen.metric], self.state.best
        if best is None or (value < best if chosen.best == "lowest" else value > best):
            self.state.best = value
            if self.file is not None:
                write_tensors(
                    self.run.folder / "best.safetensors", weights, {"step": record.step, chosen.metric: value}
                )

    def close(self) -> None:
        for log in self.logs:
            log.close()
        if self.file is not None:
            self.file.close()

    def finish(self) -> None:
        """Write the weights of a finished run, then its last checkpoint."""
        self.refuse_not_finite()
        if not self.state.final:  # the weights were taken away after the run had ended
            with averaged(self.state), recalibrated(self.job, self.state):
                self.state.final = copied(self.state.module)
        best = self.run.folder / "best.safetensors"
        header: dict[str, Any] = {"step": self.state.step}
        tensors = self.state.final
        if self.job.recipe.select is not None and self.state.best is not None:
            header, tensors = read_tensors(best)
            with holding(self.state.module, tensors), recalibrated(self.job, self.state):
                tensors = copied(self.state.module)
        self.job.processes.wait()  # until all have read the best
        if self.file is not None:
            write_tensors(self.run.weights, tensors, header)
            best.unlink(missing_ok=True)
            sync_folder(self.run.folder)
        self.save()


def record(
    run: Run, job: Job, state: State, records: Iterator[Record], loggers: Sequence[Logger] = ()
) -> Iterator[Record]:
    """Write what records say as they come, and checkpoints; at the end of the run its weights.

    `loggers` are told the records too. Errors: RunError
    """
    recorder = Recorder(run, job, state, loggers)
    between = state.step
    """The step after which nothing else has happened yet."""
    try:
        for one in records:
            between = one.step if one.kind == "step" else -1
            if one.kind != "step":
                recorder.line(one)
            if one.kind == "test":
                recorder.select(one, state.tested)
            if one.kind == "step" and state.step % job.execution.checkpoint_every == 0 and state.step < job.total:
                recorder.save()
            yield one
        if is_over(state, job):
            recorder.finish()
        elif recorder.saved != state.step:
            recorder.save()
    except DataError as error:
        whole = state.step == between or state.pending  # not in the middle of a step
        if type(error) is DataError and job.processes.world == 1 and whole and recorder.saved != state.step:
            recorder.save()  # nothing of the steps that are done is lost
        raise
    finally:
        recorder.close()


def save_start(run: Run, job: Job, state: State) -> None:
    """Keep the weights that a run starts from, where they are not those of its seed."""
    recorder = Recorder(run, job, state)
    try:
        recorder.save()
    finally:
        recorder.close()
