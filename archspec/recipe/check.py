"""What a recipe must be as a whole, beyond each of its parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from archspec.errors import Problem, did_you_mean
from archspec.part import Transform
from archspec.parts.schedule import Plateau
from archspec.recipe.document import Recipe
from archspec.recipe.tree import at_path
from archspec.spec.reader import Mapping, shown

PROTOCOL = re.compile(r"[A-Za-z0-9_-]+")
"""Form of a protocol's name."""


def check(recipe: Recipe, broken: set[str], root: Mapping, problems: list[Problem]) -> None:
    """Add a problem for everything that does not fit together, leaving out the sections that are broken."""
    report = _Reporter(root, problems)
    for needed, look in CHECKS:
        if not broken & set(needed):
            look(recipe, report)


def _check_batch_norm(recipe: Recipe, report: _Reporter) -> None:
    if recipe.batch_norm and (recipe.batch_norm.at_test == "exact") != (recipe.batch_norm.over is not None):
        message = "`over` says how many images exact statistics are of: it goes with `at_test: exact`"
        report("bad-field", message, ("batch_norm",))


class _Reporter:
    def __init__(self, root: Mapping, problems: list[Problem]) -> None:
        self.root, self.problems = root, problems

    def __call__(self, slug: str, message: str, path: tuple[str | int, ...], hint: str = "", key: bool = False) -> None:
        self.problems.append(Problem(slug, message, at_path(self.root, path, key), hint=hint))


def _check_batch(recipe: Recipe, report: _Reporter) -> None:
    group, size = recipe.batch.group, recipe.batch.size
    if group is not None and group > size:
        message = f"`group` is {group}, more than the whole batch of {size}"
        report("bad-field", message, ("batch", "group"), "leave it out for the whole batch")


def _check_schedule(recipe: Recipe, report: _Reporter) -> None:
    last = len(recipe.schedule) - 1
    for number, phase in enumerate(recipe.schedule):
        ends = [name for name in ("lasts", "until") if getattr(phase, name) is not None]
        if number < last and len(ends) != 1:
            found = "both" if ends else "neither"
            message = f"a phase that another follows says `lasts` or `until`, found {found}"
            report("bad-schedule", message, ("schedule", number))
        if number == last and ends:
            message = f"the last phase goes on to the end of the run: it has no `{ends[0]}`"
            report("bad-schedule", message, ("schedule", number, ends[0]), "add a phase after it")
        if phase.until is not None and (phase.until.below is None) == (phase.until.above is None):
            report("bad-schedule", "`until` says either `below` or `above`", ("schedule", number, "until"))


def _names(recipe: Recipe, regular: bool) -> list[str]:
    """The metrics that a recipe measures while it trains."""
    own = [metric.op for metric in recipe.metrics]
    protocols = [name for name, protocol in recipe.evaluate.items() if protocol.every is not None or not regular]
    return [f"{name}.{metric}" for name in protocols for metric in own]


def _check_protocols(recipe: Recipe, report: _Reporter) -> None:
    for name in recipe.evaluate:
        if name == "train":
            message = "`train` cannot name a protocol: it stands for what is measured in training"
            report("duplicate-name", message, ("evaluate", name), key=True)
        elif not PROTOCOL.fullmatch(name):
            message = f"{shown(name)} cannot name a protocol"
            report("bad-name", message, ("evaluate", name), "letters, digits, `_`, `-`", key=True)


def _check_metrics(recipe: Recipe, report: _Reporter) -> None:
    train = [f"train.{name}" for name in ("loss", *(metric.op for metric in recipe.metrics))]

    def tested(name: str, path: tuple[str | int, ...], of: str) -> None:
        names = _names(recipe, regular=True)
        if name not in names:
            unsaid = name in _names(recipe, regular=False)
            hint = "give its protocol an `every`" if unsaid else did_you_mean(name, names, "measured")
            message = f"{of} needs a metric of a test that is repeated during training, found {name}"
            report("unknown-metric", message, path, hint)

    for number, phase in enumerate(recipe.schedule):
        if isinstance(phase, Plateau):
            tested(phase.metric, ("schedule", number, "metric"), "a plateau")
        if phase.until is not None and phase.until.metric not in train:
            message = f"the end of a phase needs a metric of training, found {phase.until.metric}"
            path = ("schedule", number, "until", "metric")
            report("unknown-metric", message, path, did_you_mean(phase.until.metric, train, "measured"))
    if recipe.select is not None:
        tested(recipe.select.metric, ("select", "metric"), "`select`")


def _check_reported(recipe: Recipe, report: _Reporter) -> None:
    metrics = [metric.op for metric in recipe.metrics]
    for number, row in enumerate(recipe.reported):
        if row.protocol not in recipe.evaluate:
            message = f"`protocol` must be one of `evaluate`, found {row.protocol}"
            hint = did_you_mean(row.protocol, recipe.evaluate, "protocols")
            report("unknown-protocol", message, ("reported", number, "protocol"), hint)
        for name, value in (row.model_extra or {}).items():
            path = ("reported", number, name)
            if name not in metrics:
                hint = did_you_mean(name, [*metrics, *type(row).model_fields], "metrics")
                message = f"`{name}` is none of the recipe's metrics"
                report("unknown-metric", message, path, hint, key=True)
            elif isinstance(value, bool) or not isinstance(value, int | float):
                message = f"`{name}` must be a number in per cent, found {shown(value)}"
                report("bad-field", message, path, "other words go into `note`")


def _check_images(recipe: Recipe, report: _Reporter) -> None:
    """Work that depends on the place of a pixel comes after whatever warps the image."""
    lists = [(name, getattr(recipe, name)) for name in ("prepare", "augment", "normalize")]
    _check_warps([((name, k), t) for name, found in lists for k, t in enumerate(found)], report)
    for name, protocol in recipe.evaluate.items():
        if protocol.prepare is not None:
            own = [(("evaluate", name, "prepare", k), t) for k, t in enumerate(protocol.prepare)]
            _check_warps(own, report)
        for k, transform in enumerate(recipe.prepare if protocol.prepare is None else protocol.prepare):
            has_answer = type(transform).zero is not Transform.zero  # a mean has one for images of any size
            if protocol.warps and transform.placed and not has_answer:
                path = ("prepare", k) if protocol.prepare is None else ("evaluate", name, "prepare", k)
                message = f"`{transform.op}` depends on the place of pixels, which views of `{protocol.op}` do not keep"
                report("bad-order", message, path, f"give `{name}` a `prepare` of its own without it")


def _check_warps(transforms: Sequence[tuple[tuple[str | int, ...], Transform]], report: _Reporter) -> None:
    waiting = ""
    for path, transform in transforms:
        if waiting and transform.warps:
            message = (
                f"`{transform.op}` moves pixels, so it cannot come after `{waiting}`, which depends on their place"
            )
            report("bad-order", message, path, f"put `{transform.op}` before it")
        if transform.placed:
            waiting = transform.op


CHECKS: list[tuple[tuple[str, ...], Callable[[Recipe, _Reporter], None]]] = [
    (("batch",), _check_batch),
    (("batch_norm",), _check_batch_norm),
    (("schedule",), _check_schedule),
    (("evaluate",), _check_protocols),
    (("schedule", "metrics", "evaluate", "select"), _check_metrics),
    (("metrics", "evaluate", "reported"), _check_reported),
    (("prepare", "augment", "normalize", "evaluate"), _check_images),
]
"""What is looked at, and the sections that this needs."""
