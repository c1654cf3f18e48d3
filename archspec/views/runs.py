"""Runs of training, read from the files in their folders, without torch; what is damaged is named and left out."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from archspec.errors import SpecError
from archspec.length import Calendar
from archspec.recipe.document import Loaded, Recipe
from archspec.recipe.files import load_recipe
from archspec.views.listing import fitted
from archspec.views.summary import aligned

FILES = ("spec.yaml", "recipe.yaml", "execution.json", "environment.json", "metrics.jsonl")
"""What the folder of a run holds; two of them make a folder one."""
MOST_STEPS = 10**12
"""No run has more."""


@dataclass(frozen=True, slots=True)
class Line:
    """A record of metrics.jsonl."""

    kind: str
    step: int
    values: dict[str, float]
    """Its numbers, all of them finite."""


@dataclass(frozen=True)
class RunRead:
    """What the files of a run say."""

    folder: Path
    name: str
    """What the reader calls it."""
    spec: str
    """Name of the spec, or nothing."""
    recipe_name: str
    """Name of the recipe, or nothing."""
    loaded: Loaded | None
    """The recipe; None if it cannot be read."""
    execution: dict[str, Any]
    environment: dict[str, Any]
    lines: tuple[Line, ...]
    checkpoint: int
    """Step of the newest checkpoint; 0 if there is none."""
    is_finished: bool
    written: float
    """When one of its files was last written, in seconds since 1970."""
    damaged: tuple[str, ...]
    """What cannot be read, each with its file."""

    @property
    def recipe(self) -> Recipe | None:
        return self.loaded.recipe if self.loaded else None

    @cached_property
    def step(self) -> int:
        """Steps that are done, as far as the files say."""
        return max([self.checkpoint, *(line.step for line in self.lines)])

    @cached_property
    def calendar(self) -> Calendar | None:
        """How its steps and epochs relate, which its records tell; None as long as there are none."""
        if self.recipe is None:
            return None
        batch = self.recipe.batch
        for line in reversed(self.lines):
            epoch = line.values.get("epoch", 0.0)
            if line.step and epoch > 0:
                per_epoch = line.step / epoch
                wraps = batch.last == "wrap"
                size = round(per_epoch * batch.size) if wraps else round(per_epoch) * batch.size
                return Calendar(size, batch.size, batch.last) if size else None
        return None

    @cached_property
    def total(self) -> int | None:
        """Steps of the whole run; None where only its data could tell."""
        if self.recipe is None:
            return None
        length, calendar = self.recipe.length, self.calendar
        if calendar is None and length.unit != "epoch":
            calendar = Calendar(1, self.recipe.batch.size, "wrap")
        return calendar.whole_steps(length) if calendar else None

    @property
    def steps_per_epoch(self) -> Fraction | None:
        return self.calendar.steps_per_epoch if self.calendar else None

    def curve(self, name: str) -> tuple[tuple[int, float], ...]:
        """The values of a metric, or of the learning rate, by steps."""
        kind = "train" if name == "lr" or name.startswith("train.") else "test"
        found = {line.step: line.values[name] for line in self.lines if line.kind == kind and name in line.values}
        return tuple(sorted(found.items()))

    @cached_property
    def metrics(self) -> list[str]:
        """Names of all that was measured: of training first, then of protocols."""
        names = [(line.kind, name) for line in self.lines for name in line.values if "." in name]
        known = dict.fromkeys(name for kind, name in names if kind == "train")
        return list(known | dict.fromkeys(name for kind, name in names if kind == "test"))

    def last(self, name: str) -> float | None:
        """The last value of a metric."""
        curve = self.curve(name)
        return curve[-1][1] if curve else None


def find_runs(folder: Path) -> list[RunRead]:
    """The runs at and below a folder, in the order of their names."""
    found = [read_run(path, _name_below(folder, path)) for path in _run_folders(folder)]
    return sorted(found, key=lambda run: _by_number(run.name))


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return sum((folder / name).is_file() for name in FILES) >= 2


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders of runs; what is inside one is not looked at, and no folder is looked at twice."""
    seen: set[str] = set()
    for at, folders, _ in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if is_run(Path(at)):
            folders.clear()
            yield Path(at)
        folders[:] = [name for name in folders if not name.startswith(".")]


def _name_below(folder: Path, path: Path) -> str:
    return path.resolve().name if path == folder else path.relative_to(folder).as_posix()


def _by_number(name: str) -> list[tuple[int, int, str]]:
    """What to sort names by so that run-2 comes before run-10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part[:18]), "") if part.isdecimal() else (0, 0, part) for part in parts]


def read_run(folder: Path, name: str) -> RunRead:
    """A run from its files."""
    damaged: list[str] = []
    loaded = _recipe(folder / "recipe.yaml", damaged)
    checkpoints = [int(p.stem) for p in folder.glob("checkpoints/*.safetensors") if re.fullmatch("[0-9]{1,12}", p.stem)]
    return RunRead(
        folder,
        name,
        _named(folder / "spec.yaml", damaged),
        loaded.recipe.name if loaded else _named(folder / "recipe.yaml", []),
        loaded,
        _object(folder / "execution.json", damaged),
        _object(folder / "environment.json", damaged),
        tuple(_lines(folder / "metrics.jsonl", damaged)),
        max(checkpoints, default=0),
        (folder / "weights.safetensors").is_file(),
        _written(folder),
        tuple(damaged),
    )


def _text(path: Path, damaged: list[str]) -> str | None:
    """A file's text; None after noting why it cannot be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        damaged.append(f"{path.name}: is missing")
    except OSError as error:
        damaged.append(f"{path.name}: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError:
        damaged.append(f"{path.name}: is not text")
    return None


def _named(path: Path, damaged: list[str]) -> str:
    """The name that a spec or recipe gives itself."""
    text = _text(path, damaged)
    if text is None:
        return ""
    found = re.search(r"^name:[ \t]*[\"']?([\w.-]+)", text, re.MULTILINE)
    if found is None:
        damaged.append(f"{path.name}: has no name")
    return found[1] if found else ""


def _recipe(path: Path, damaged: list[str]) -> Loaded | None:
    if _text(path, damaged) is None:
        return None
    try:
        return load_recipe(path.absolute())
    except SpecError as error:
        at = error.problems[0].position
        line = f" line {at.line}:" if at else ""
        damaged.append(f"{path.name}:{line} {error.problems[0].headline}")
    return None


def _object(path: Path, damaged: list[str]) -> dict[str, Any]:
    text = _text(path, damaged)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        damaged.append(f"{path.name}: is not a JSON object")
        return {}
    return found


def _lines(path: Path, damaged: list[str]) -> Iterator[Line]:
    """The records of metrics.jsonl; the last line may be cut short, since a run may be writing it."""
    if not path.exists():
        return
    text = _text(path, damaged) or ""
    for number, row in enumerate(text.splitlines(keepends=True), 1):
        try:
            yield _line(json.loads(row))
        except (ValueError, RecursionError) as error:
            if row.endswith("\n"):
                why = str(error) if type(error) is ValueError else "no record"
                damaged.append(f"{path.name}: line {number}: {why}; left out")


def _line(found: Any) -> Line:
    """A record. Errors: ValueError, worded for people"""
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        raise ValueError("no record")
    step = found.get("step")
    if type(step) is not int or not 0 <= step <= MOST_STEPS:
        raise ValueError("no step")
    values = {}
    for name, value in found.items():
        if name == "step" or type(value) not in (int, float):
            continue
        if not abs(value) < math.inf or abs(value) > 1e300:
            raise ValueError(f"{name} is no finite number")
        values[name] = float(value)
    return Line(found["kind"], step, values)


def _written(folder: Path) -> float:
    times = [0.0]
    for path in [*folder.glob("*"), *folder.glob("checkpoints/*")]:
        try:
            times.append(path.stat().st_mtime if path.is_file() else 0.0)
        except OSError:
            continue
    return max(times)


def value_text(name: str, value: float) -> str:
    """A value of a metric as people read it: errors in per cent."""
    return f"{100 * value:.2f} %" if name.endswith("_error") else f"{value:.4g}"


def steps_text(run: RunRead) -> str:
    """`40 of 100`; where the run's length in steps is not known, as the recipe has it."""
    if run.total is not None:
        return f"{run.step:,} of {run.total:,}"
    return f"{run.step:,} of {run.recipe.length}" if run.recipe else f"{run.step:,}"


def state_text(run: RunRead) -> str:
    return "finished" if run.is_finished else "unfinished"


def runs_table(runs: Sequence[RunRead], width: int | None = None) -> str:
    """An aligned line for each run; lines are cut to fit `width`, if there is one."""
    rows = [("run", "spec", "recipe", "steps", "state", "train loss", "written", "tests")]
    for run in runs:
        loss = run.last("train.loss")
        tests = [(name, run.last(name)) for name in run.metrics if not name.startswith("train.")]
        rows.append(
            (
                plain_text(run.name),
                run.spec or "?",
                run.recipe_name or "?",
                steps_text(run),
                state_text(run),
                "" if loss is None else value_text("train.loss", loss),
                written_text(run),
                ", ".join(f"{plain_text(name)} {value_text(name, v)}" for name, v in tests if v is not None),
            )
        )
    return "\n".join(fitted(line, width) for line in aligned(rows, right=(3, 5)))


def written_text(run: RunRead) -> str:
    return f"{datetime.fromtimestamp(run.written):%Y-%m-%d %H:%M}"


def plain_text(text: str) -> str:
    """Text of a file without what would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def runs_data(runs: Sequence[RunRead]) -> list[dict[str, Any]]:
    """The runs as plain data, for `runs --json`; errors are shares of 1."""
    return [run_data(run) for run in runs]


def run_data(run: RunRead) -> dict[str, Any]:
    """One run as plain data."""
    train = {name.partition(".")[2]: run.last(name) for name in run.metrics if name.startswith("train.")}
    tests: dict[str, dict[str, float | None]] = {}
    for name in run.metrics:
        protocol, _, metric = name.partition(".")
        if protocol != "train":
            tests.setdefault(protocol, {})[metric] = run.last(name)
    return {
        "run": str(run.folder),
        "name": run.name,
        "spec": run.spec,
        "recipe": run.recipe_name,
        "seed": run.recipe.seed if run.recipe else None,
        "step": run.step,
        "steps": run.total,
        "state": state_text(run),
        "train": train,
        "tests": tests,
        "written": datetime.fromtimestamp(run.written, UTC).isoformat(timespec="seconds"),
        "damaged": list(run.damaged),
    }
