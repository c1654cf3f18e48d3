"""What a report says of runs: their numbers beside those of the papers, their settings side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from archspec.errors import ArchspecError, RunError, SpecError
from archspec.graph.canonical import spec_hash
from archspec.graph.compile import compile
from archspec.graph.graph import Graph
from archspec.length import Calendar, Length
from archspec.part import Schedule
from archspec.recipe.document import Loaded, Recipe, Reported, data_of
from archspec.recipe.files import load_recipe, recipe_names
from archspec.recipe.tree import Assumption
from archspec.spec.files import load
from archspec.views.runs import RunRead, is_run, read_run, run_data

MOST_DROPS = 24
"""Drops of one rule of a schedule that are marked; a rate that falls more often falls smoothly."""
IMAGENET = ("ilsvrc", "imagenet")
"""How papers call what the dataset `imagenet` holds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step at which a phase ends or the learning rate drops."""

    step: int
    text: str


@dataclass(frozen=True, slots=True)
class Ours:
    """What a run has for a number of a paper; in per cent for an error."""

    run: str
    value: float | None
    difference: float | None
    """Ours less theirs."""
    notes: tuple[str, ...]
    """Why the two may not be compared."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A number that a paper reports, with those of the runs."""

    spec: str
    set: Mapping[str, Any]
    data: str
    protocol: str
    models: int
    metric: str
    value: float
    """In per cent for an error, as papers have it."""
    note: str
    recipes: tuple[str, ...]
    """The recipes that quote it."""
    ours: tuple[Ours, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A setting in all runs; a text for each, empty where one has none."""

    path: str
    values: tuple[str, ...]
    assumed: tuple[bool, ...]
    """For each run, whether its paper does not state it."""

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Assumed:
    """What some runs' recipe assumes."""

    recipe: str
    runs: tuple[str, ...]
    values: tuple[Assumption, ...]


@dataclass(frozen=True)
class RunShown:
    """A run of a report."""

    read: RunRead
    graph: Graph | None
    """None where its spec cannot be compiled."""
    changed: tuple[str, ...]
    """What its recipe has other than the one of this name in the zoo."""
    damaged: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.read.name

    @property
    def params(self) -> int | None:
        return self.graph.params if self.graph else None

    @property
    def macs(self) -> int | None:
        """Of one image, at test."""
        return self.graph.inference().macs if self.graph else None

    @property
    def changed_sections(self) -> tuple[str, ...]:
        """The same by sections of the recipe."""
        return tuple(dict.fromkeys(path.partition(".")[0] for path in self.changed))

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """Where its phases ended and its rate dropped, so far."""
        found = {moment.step: moment for moment in _moments(self.read) if 0 < moment.step < self.read.step}
        return tuple(found[step] for step in sorted(found))


@dataclass(frozen=True)
class Report:
    """Everything that is said of some runs."""

    runs: tuple[RunShown, ...]
    beside: tuple[Beside, ...]
    settings: tuple[Row, ...]
    machine: tuple[Row, ...]
    environment: tuple[Row, ...]
    assumed: tuple[Assumed, ...]

    @property
    def title(self) -> str:
        return self.runs[0].name if len(self.runs) == 1 else f"{len(self.runs)} runs"

    @cached_property
    def metrics(self) -> list[str]:
        """Names of what any of the runs has measured."""
        return list(dict.fromkeys(name for run in self.runs for name in run.read.metrics))


def report_of(folders: Sequence[Path]) -> Report:
    """The report of some runs. Errors: RunError"""
    runs = tuple(_shown(run) for run in _opened(folders))
    loaded = [run.read.loaded for run in runs]
    return Report(
        runs,
        tuple(_beside(runs)),
        _rows([_leaves_of(one.recipe) if one else {} for one in loaded], [_marks(one) for one in loaded]),
        _rows([_machine(run.read.execution) for run in runs]),
        _rows([_texts(run.read.environment) for run in runs]),
        tuple(_assumed(runs)),
    )


def report_data(report: Report) -> dict[str, Any]:
    """A report as plain data, for `report --json`; values of `runs` and `curves` are shares of 1."""
    return {
        "runs": [_run_data(run) for run in report.runs],
        "reported": [asdict(one) for one in report.beside],
        "settings": [_row_data(row) for row in report.settings],
        "machine": [_row_data(row) for row in report.machine],
        "environment": [_row_data(row) for row in report.environment],
        "assumed": [asdict(one) for one in report.assumed],
    }


def _run_data(run: RunShown) -> dict[str, Any]:
    return {
        **run_data(run.read),
        "params": run.params,
        "macs": run.macs,
        "changed": list(run.changed),
        "moments": [asdict(moment) for moment in run.moments],
        "curves": {name: run.read.curve(name) for name in ("lr", *run.read.metrics)},
        "damaged": [*run.read.damaged, *run.damaged],
    }


def _row_data(row: Row) -> dict[str, Any]:
    return {**asdict(row), "differs": row.differs}


# Opening.


def _opened(folders: Sequence[Path]) -> list[RunRead]:
    """The runs, each under the shortest name that tells it from the others. Errors: RunError"""
    found: dict[Path, Path] = {}
    for folder in folders:
        _refuse(folder)
        real = folder.resolve()
        if real in found:
            same = "" if str(found[real]) == str(folder) else f", as {found[real]}"
            raise RunError(f"{folder}: is given twice{same}", "name each run once")
        found[real] = folder
    runs = [read_run(folder, name) for folder, name in zip(folders, _names(list(found)), strict=True)]
    for run in runs:
        if not any(line.kind in ("train", "test") for line in run.lines):
            damage = "; ".join(text for text in run.damaged if text.startswith("metrics.jsonl"))
            hint = damage or "a run writes some every --log-every steps; leave this one out, or go on with it: --resume"
            raise RunError(f"{run.folder}: has no metrics yet", hint)
    return runs


def _refuse(folder: Path) -> None:
    """Errors: RunError if a folder is not one of a run"""
    hint = "`archspec runs FOLDER` lists the runs below a folder"
    if not folder.is_dir():
        raise RunError(f"{folder}: {'no folder' if folder.exists() else 'no such folder'}", hint)
    if not is_run(folder):
        raise RunError(f"{folder}: no run: it has no spec.yaml and recipe.yaml", hint)


def _names(folders: Sequence[Path]) -> list[str]:
    """The last parts of paths, as many as tell them apart."""
    found = []
    for folder in folders:
        others = [other for other in folders if other != folder]
        count = 1
        while any(other.parts[-count:] == folder.parts[-count:] for other in others):
            count += 1
        found.append("/".join(folder.parts[-count:]))
    return found


def _shown(run: RunRead) -> RunShown:
    graph: Graph | None = None
    damaged: tuple[str, ...] = ()
    try:
        graph = compile(load((run.folder / "spec.yaml").absolute()))
    except ArchspecError as error:
        told = error.problems[0].headline if isinstance(error, SpecError) else str(error)
        if not any(text.startswith("spec.yaml") for text in run.damaged):
            damaged = (f"spec.yaml: {told}",)
    return RunShown(run, graph, _changed(run.recipe), damaged)


def _changed(recipe: Recipe | None) -> tuple[str, ...]:
    """The settings in which a recipe is not the one of its name in the zoo; none if there is no such recipe."""
    if recipe is None or recipe.name not in recipe_names():
        return ()
    try:
        original = load_recipe(recipe.name).recipe
    except SpecError:
        return ()
    mine, theirs = _leaves_of(recipe), _leaves_of(original)
    return tuple(path for path in {**theirs, **mine} if path != "seed" and mine.get(path) != theirs.get(path))


# Moments.


def _moments(run: RunRead) -> Iterator[Moment]:
    """Ends of phases and drops: those that the schedule foresees, and those that were recorded."""
    ends = {}
    for line in run.lines:
        if line.kind == "phase":
            number = int(line.values.get("phase", 0))
            ends[number] = line.step
            yield Moment(line.step, f"phase {number + 1}")
    if run.recipe is None:
        return
    start: Length | float | None = 0.0
    for number, phase in enumerate(run.recipe.schedule):
        if number:
            start = _end(run.recipe.schedule[number - 1], start, ends.get(number), run.calendar)
        if start is None:
            return
        assert isinstance(start, float)
        if number:
            yield Moment(_whole(start), f"phase {number + 1}")
        stop = _end(phase, start, ends.get(number + 1), run.calendar)
        yield from _drops(phase, start, float(run.step) if stop is None else stop, run.calendar)
    for line in run.lines:
        if line.kind == "drop":
            factors = [getattr(phase, "factor", None) for phase in run.recipe.schedule if phase.op == "plateau"]
            yield Moment(line.step, f"lr × {factors[0]:g}" if factors else "lr drops")


def _whole(steps: float) -> int:
    return int(-(-steps // 1))


def _end(phase: Schedule, start: Any, recorded: int | None, calendar: Calendar | None) -> float | None:
    """When a phase ends, in steps; None if that is not known."""
    if phase.until is not None:
        return None if recorded is None else float(recorded)
    lasts = _steps(phase.lasts, calendar) if phase.lasts is not None else None
    return None if lasts is None else start + lasts


def _steps(length: Length, calendar: Calendar | None) -> float | None:
    if calendar is None:
        return float(length.value) if length.unit == "step" else None
    return float(calendar.steps(length))


def _drops(phase: Schedule, start: float, stop: float, calendar: Calendar | None) -> Iterator[Moment]:
    """Where a schedule in steps drops the rate."""
    origin = start if phase.clock == "phase" else 0.0
    factor = getattr(phase, "factor", None)
    if phase.op == "multi_step":
        times = [_steps(one, calendar) for one in getattr(phase, "at", [])]
    elif phase.op == "step":
        every = _steps(phase.every, calendar)  # type: ignore[attr-defined]
        count = int((stop - origin) / every) if every else 0
        times = [every * k for k in range(1, count + 1)] if every and count <= MOST_DROPS else []
    else:
        return
    for time in times:
        if time is not None and start < origin + time < stop:
            yield Moment(_whole(origin + time), f"lr × {factor:g}")


# Numbers of papers.


def _beside(runs: Sequence[RunShown]) -> Iterator[Beside]:
    """The numbers that the runs' recipes quote, each once, and what the runs have for them."""
    quoted: dict[str, tuple[Reported, list[str]]] = {}
    for run in runs:
        for one in run.read.recipe.reported if run.read.recipe else []:
            assert run.read.recipe is not None
            _, recipes = quoted.setdefault(repr(one), (one, []))
            if run.read.recipe.name not in recipes:
                recipes.append(run.read.recipe.name)
    for one, recipes in quoted.values():
        same = [run for run in runs if run.read.spec == one.spec and _is_network(run, one)]
        for metric, value in (one.model_extra or {}).items():
            if type(value) in (int, float):
                ours = tuple(mine for run in same if (mine := _ours(run, one, metric, float(value))) is not None)
                yield Beside(
                    one.spec, one.set, one.data, one.protocol, one.models, metric, float(value), one.note,
                    tuple(recipes), ours,
                )  # fmt: skip


def _is_network(run: RunShown, reported: Reported) -> bool:
    """Whether a run trained the network of a number, params and all: the two have the same hash."""
    if run.graph is None:
        return False
    try:
        return spec_hash(compile(load(reported.spec), dict(reported.set))) == spec_hash(run.graph)
    except ArchspecError:
        return False


def _ours(run: RunShown, reported: Reported, metric: str, theirs: float) -> Ours | None:
    """What a run has for a number; None where it tests in no such way."""
    read, name = run.read, f"{reported.protocol}.{metric}"
    recipe = read.recipe
    if recipe is None or reported.protocol not in recipe.evaluate:
        return None
    if reported.models != 1:
        return Ours(run.name, None, None, (f"theirs is of {reported.models} networks together, a run is one",))
    value = read.last(name)
    if value is None:
        return Ours(run.name, None, None, ("not tested so far",))
    shown = 100.0 * value if metric.endswith("_error") else value
    return Ours(run.name, shown, shown - theirs, tuple(_caveats(run, recipe, reported)))


def _caveats(run: RunShown, recipe: Recipe, reported: Reported) -> Iterator[str]:
    """Why a run's number is not what its paper measured."""
    op, theirs = recipe.data.op, reported.data
    first = theirs.casefold().split()[0] if theirs.split() else ""
    if op == "synthetic":
        yield f"made-up images; theirs is on {theirs}"
    elif op == "imagenet" and first.startswith(IMAGENET):
        yield f"on the test images of the folder; theirs is on {theirs}"
    elif first.replace("-", "") != op:
        yield f"on {op}; theirs is on {theirs}"
    if not run.read.is_finished:
        of = f" of {run.read.total:,}" if run.read.total else ""
        yield f"not finished: step {run.read.step:,}{of}"
    if run.changed:
        yield f"recipe changed: {', '.join(run.changed_sections)}"
    if recipe.select is not None:
        yield f"the last value; the weights saved are those with the {recipe.select.best} {recipe.select.metric}"


# Settings.


def _leaves_of(recipe: Recipe) -> dict[str, str]:
    """The settings of a recipe by path; an item of a list is one setting."""
    apart = ("recipe", "name", "paper", "description", "reported")
    names = [name for name in Recipe.model_fields if name not in apart]
    return {path: text for name in names for path, text in _leaves(data_of(getattr(recipe, name)), name)}


def _leaves(data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, path if key == "op" else f"{path}.{key}")
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for number, item in enumerate(data):
            yield f"{path}.{number}", setting_text(item)
    elif not _is_unsaid(data):
        yield path, setting_text(data)


def _is_unsaid(data: Any) -> bool:
    return data is None or data in ([], {}, "")


def setting_text(data: Any) -> str:
    """A setting as people read it: `pad (size 4, fill mean)`."""
    if isinstance(data, dict):
        fields = [(key, value) for key, value in data.items() if key != "op" and not _is_unsaid(value)]
        inner = ", ".join(f"{key} {setting_text(value)}" for key, value in fields)
        return " ".join([*([str(data["op"])] if "op" in data else []), *([f"({inner})"] if inner else [])]) or "none"
    if isinstance(data, list):
        return f"[{', '.join(map(setting_text, data))}]" if data else "none"
    if isinstance(data, bool):
        return "yes" if data else "no"
    if isinstance(data, float):
        return f"{data:g}" if float(f"{data:g}") == data else repr(data)
    return "none" if data is None else str(data)


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): setting_text(value) for key, value in data.items()}


def _machine(execution: Mapping[str, Any]) -> dict[str, str]:
    """What a run was told of the machine; of the folder of its data the last name alone."""
    data = execution.get("data")
    return _texts({**execution, **({"data": Path(data).name} if isinstance(data, str) else {})})


def _marks(loaded: Loaded | None) -> list[str]:
    """Paths of what a recipe assumes, as settings have them."""
    return [_numbered(one.path) for one in loaded.assumptions] if loaded else []


def _numbered(path: str) -> str:
    """A path in a section that may be written without being a list: `schedule.at` is `schedule.0.at`."""
    section, _, rest = path.partition(".")
    if section in ("schedule", "mix") and not rest.partition(".")[0].isdecimal():
        return f"{section}.0.{rest}".rstrip(".")
    return path


def _rows(columns: Sequence[Mapping[str, str]], marks: Sequence[Iterable[str]] = ()) -> tuple[Row, ...]:
    """Settings of all runs side by side, those of one section together."""
    paths = list(dict.fromkeys(path for column in columns for path in column))
    sections = list(dict.fromkeys(path.partition(".")[0] for path in paths))
    found = []
    for path in sorted(paths, key=lambda path: sections.index(path.partition(".")[0])):
        assumed = [any(_touches(mark, path) for mark in some) for some in marks] or [False] * len(columns)
        values = tuple(column.get(path, "") for column in columns)
        said = tuple(mark and bool(value) for mark, value in zip(assumed, values, strict=True))
        found.append(Row(path, values, said))
    return tuple(found)


def _touches(mark: str, path: str) -> bool:
    return mark == path or mark.startswith(f"{path}.") or path.startswith(f"{mark}.")


def _assumed(runs: Sequence[RunShown]) -> Iterator[Assumed]:
    """What the recipes assume, once for runs that assume the same."""
    found: dict[str, tuple[Loaded, list[str]]] = {}
    for run in runs:
        if run.read.loaded is not None:
            key = repr((run.read.loaded.recipe.name, run.read.loaded.assumptions))
            found.setdefault(key, (run.read.loaded, []))[1].append(run.name)
    for loaded, names in found.values():
        yield Assumed(loaded.recipe.name, tuple(names), loaded.assumptions)
