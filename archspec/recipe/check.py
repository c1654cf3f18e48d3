"""What a recipe must be as a whole, beyond each of its parts."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.errors import Problem, did_you_mean
from archspec.part import Transform
from archspec.parts.schedule import Plateau
from archspec.recipe.document import Recipe
from archspec.recipe.tree import at_path
from archspec.spec.reader import Mapping

WARPS = {"resize", "rotate", "area_crop", "trivial_augment"}
"""Built-in transforms after which a pixel's place says nothing of where it was."""


def check(recipe: Recipe, root: Mapping, problems: list[Problem]) -> None:
    """Add a problem for everything that does not fit together."""
    report = _Reporter(root, problems)
    _check_batch(recipe, report)
    _check_schedule(recipe, report)
    _check_metrics(recipe, report)
    _check_images(recipe, report)
    if recipe.batch_norm and (recipe.batch_norm.at_test == "exact") != (recipe.batch_norm.over is not None):
        message = "`over` says how many images exact statistics are of: it goes with `at_test: exact`"
        report("bad-field", message, ("batch_norm",))


class _Reporter:
    def __init__(self, root: Mapping, problems: list[Problem]) -> None:
        self.root, self.problems = root, problems

    def __call__(self, slug: str, message: str, path: tuple[str | int, ...], hint: str = "") -> None:
        self.problems.append(Problem(slug, message, at_path(self.root, path), hint=hint))


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


def _check_metrics(recipe: Recipe, report: _Reporter) -> None:
    train = [f"train.{name}" for name in ("loss", *(metric.op for metric in recipe.metrics))]
    if "train" in recipe.evaluate:
        message = "`train` cannot name a protocol: it stands for what is measured in training"
        report("duplicate-name", message, ("evaluate", "train"))

    def known(name: str, names: list[str], path: tuple[str | int, ...], of: str) -> None:
        if name not in names:
            unsaid = name in _names(recipe, regular=False)
            hint = "give its protocol an `every`" if unsaid else did_you_mean(name, names, "measured")
            message = f"{of} needs a metric that is measured during training, found {name}"
            report("unknown-metric", message, path, hint)

    for number, phase in enumerate(recipe.schedule):
        if isinstance(phase, Plateau):
            known(phase.metric, _names(recipe, regular=True), ("schedule", number, "metric"), "a plateau")
        if phase.until is not None:
            known(phase.until.metric, train, ("schedule", number, "until", "metric"), "the end of a phase")
    if recipe.select is not None:
        known(recipe.select.metric, _names(recipe, regular=True), ("select", "metric"), "`select`")
    for number, row in enumerate(recipe.reported):
        if row.protocol not in recipe.evaluate:
            message = f"`protocol` must be one of `evaluate`, found {row.protocol}"
            report(
                "unknown-protocol",
                message,
                ("reported", number, "protocol"),
                did_you_mean(row.protocol, recipe.evaluate),
            )
        extra = row.model_extra or {}
        for name, value in extra.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                message = f"`{name}` must be a number in per cent, found {value!r}"
                report("bad-field", message, ("reported", number, name), "other words go into `note`")


def _check_images(recipe: Recipe, report: _Reporter) -> None:
    """Work that depends on the place of a pixel comes after whatever warps the image."""
    lists = [("prepare",), ("augment",), ("normalize",)]
    train = [((*path, k), t) for path in lists for k, t in enumerate(getattr(recipe, path[0]))]
    _check_warps(train, report)
    for name, protocol in recipe.evaluate.items():
        if protocol.prepare is not None:
            own = [(("evaluate", name, "prepare", k), t) for k, t in enumerate(protocol.prepare)]
            _check_warps(own, report)


def _check_warps(transforms: Sequence[tuple[tuple[str | int, ...], Transform]], report: _Reporter) -> None:
    waiting = ""
    for path, transform in transforms:
        if waiting and transform.op in WARPS:
            message = (
                f"`{transform.op}` moves pixels, so it cannot come after `{waiting}`, which depends on their place"
            )
            report("bad-order", message, path, f"put `{transform.op}` before it")
        if transform.placed:
            waiting = transform.op
