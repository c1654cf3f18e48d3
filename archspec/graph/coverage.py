"""Which tensors of a network a checkpoint covers, by name, shape and kind of number; no values are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import prod

from archspec.graph.graph import Graph
from archspec.graph.paths import covers

MOST_SHOWN = 10
"""Names of each kind that a report shows one by one."""
NEAR = 0.6
"""Least similarity, from 0 to 1, of a name that is shown as the nearest."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a checkpoint holds under one name."""

    shape: tuple[int, ...]
    dtype: str
    """As torch calls it: float32, bfloat16, int64, ..."""


@dataclass(frozen=True)
class Coverage:
    """A checkpoint beside a network; names are those after renaming."""

    wanted: Mapping[str, Stored]
    """The network's tensors."""
    stored: Mapping[str, Stored]
    """The checkpoint's."""
    covered: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    different: tuple[str, ...]
    """In both, with another shape or another kind of number."""
    left_out: tuple[str, ...]
    """Missing, and allowed to be."""
    ignored: tuple[str, ...]
    """Unexpected, and allowed to be."""

    @property
    def complete(self) -> bool:
        """Whether nothing differs but what is allowed to."""
        return not (self.missing or self.unexpected or self.different)

    @property
    def converted(self) -> dict[tuple[str, str], int]:
        """How many covered tensors change from one type of number to another."""
        counts: dict[tuple[str, str], int] = {}
        for name in self.covered:
            change = self.stored[name].dtype, self.wanted[name].dtype
            if change[0] != change[1]:
                counts[change] = counts.get(change, 0) + 1
        return counts


def coverage(
    graph: Graph,
    stored: Mapping[str, Stored],
    allow_missing: Iterable[str] = (),
    allow_unexpected: Iterable[str] = (),
    dtype: str = "float32",
) -> Coverage:
    """Compare a checkpoint with a network whose parameters are of `dtype`.

    Globs name what may be missing or unexpected; one that matches a group or layer allows all inside it.
    What is in both and differs is allowed only where globs of both kinds leave it out.
    """
    wanted = tensors(graph, dtype)
    may_miss = {name for name in wanted if any(covers(pattern, name) for pattern in allow_missing)}
    may_ignore = {name for name in stored if any(covers(pattern, name) for pattern in allow_unexpected)}
    both = [name for name in wanted if name in stored]
    covered = {name for name in both if _fits(stored[name], wanted[name])}
    different = [name for name in both if name not in covered and not (name in may_miss and name in may_ignore)]
    settled = covered.union(different)
    absent = [name for name in wanted if name not in settled]
    extra = [name for name in stored if name not in settled]
    return Coverage(
        wanted,
        stored,
        tuple(name for name in both if name in covered),
        tuple(name for name in absent if name not in may_miss),
        tuple(name for name in extra if name not in may_ignore),
        tuple(different),
        tuple(name for name in absent if name in may_miss),
        tuple(name for name in extra if name in may_ignore),
    )


def tensors(graph: Graph, dtype: str) -> dict[str, Stored]:
    """A network's parameters and buffers, in the order of its state dict."""
    found: dict[str, Stored] = {}
    for node in graph:
        for name, weight in node.weights.items():
            found[node.key(name)] = Stored(weight.shape, dtype)
        for name, buffer in node.buffers.items():
            found[node.key(name)] = Stored(buffer.shape, dtype if _kind(buffer.dtype) == "float" else buffer.dtype)
    return found


def _fits(stored: Stored, wanted: Stored) -> bool:
    """A convolution's weight may come as the matrix of the linear layer that it slides, with a row per output."""
    rows = (wanted.shape[0], prod(wanted.shape[1:])) if len(wanted.shape) == 4 else wanted.shape
    return stored.shape in (wanted.shape, rows) and _kind(stored.dtype) == _kind(wanted.dtype)


def _kind(dtype: str) -> str:
    """What can be converted into each other: whole numbers, and numbers with a point."""
    if dtype.startswith(("float", "bfloat")):
        return "float"
    return "int" if dtype.startswith(("int", "uint")) else dtype


# The report.


def report(coverage: Coverage, checkpoint: str, network: str) -> list[str]:
    """What is covered and what is not, one line each; every name that is not with the nearest on the other side."""
    covered, wanted = len(coverage.covered), len(coverage.wanted)
    share = "all" if covered == wanted else f"{covered:,} of"
    lines = [f"{checkpoint} covers {share} {wanted:,} tensors of {network}"]
    lines += [f"  {count:,} converted from {old} to {new}" for (old, new), count in coverage.converted.items()]
    if left_out := coverage.left_out:
        lines.append(f"  {len(left_out):,} missing, as allowed, keep their first values: {_few(left_out)}")
    if ignored := coverage.ignored:
        lines.append(f"  {len(ignored):,} unexpected, as allowed, are not used: {_few(ignored)}")
    spare = {name: coverage.stored[name] for name in coverage.unexpected}
    open_ = {name: coverage.wanted[name] for name in coverage.missing}
    lines += _listed("missing", [f"{n} {_text(coverage.wanted[n])}{_nearest(n, open_[n], spare)}" for n in open_])
    lines += _listed("unexpected", [f"{n} {_text(coverage.stored[n])}{_nearest(n, spare[n], open_)}" for n in spare])
    lines += _listed("different", [_difference(coverage, name, spare) for name in coverage.different])
    return lines + ([f"  hint: {hint}"] if (hint := _hint(coverage)) else [])


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _listed(what: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    shown = [f"    {line}" for line in lines[:MOST_SHOWN]]
    more = [f"    and {len(lines) - MOST_SHOWN:,} more"] if len(lines) > MOST_SHOWN else []
    return [f"  {len(lines):,} {what}:", *shown, *more]


def _text(stored: Stored) -> str:
    return "x".join(map(str, stored.shape)) if stored.shape else "(one number)"


def _difference(coverage: Coverage, name: str, spare: Mapping[str, Stored]) -> str:
    stored, wanted = coverage.stored[name], coverage.wanted[name]
    if stored.shape == wanted.shape:
        return f"{name} is {stored.dtype}, expected {wanted.dtype}"
    return f"{name} is {_text(stored)}, expected {_text(wanted)}{_nearest(name, wanted, spare, same_shape=True)}"


def _nearest(name: str, what: Stored, others: Mapping[str, Stored], same_shape: bool = False) -> str:
    """The most similar name of equal shape; else, unless that is asked for, the most similar one with its shape."""
    alike = [other for other, stored in others.items() if stored.shape == what.shape]
    if best := _most_similar(name, alike, least=0.0 if len(alike) == 1 else 0.3):
        return f"; nearest: {best}"
    best = "" if same_shape else _most_similar(name, list(others), NEAR)
    return f"; nearest: {best}, but it is {_text(others[best])}" if best else ""


def _most_similar(name: str, others: list[str], least: float) -> str:
    """The most similar of some names, if it is at least so similar."""
    matcher = SequenceMatcher(None, b=name, autojunk=False)
    best, most = "", least
    for other in others:
        matcher.set_seq1(other)
        if matcher.real_quick_ratio() >= most and matcher.quick_ratio() >= most and matcher.ratio() >= most:
            best, most = other, matcher.ratio()
    return best


def _hint(coverage: Coverage) -> str:
    """The one way to mend it that is most likely meant."""
    missing, unexpected = coverage.missing, coverage.unexpected
    if coverage.complete:
        return ""
    if missing and unexpected and all(name.startswith("module.") for name in coverage.stored):
        return 'every name begins with `module.`: rename them with a file that says "module.**.*": "**.*"'
    if missing and not unexpected and all(name.endswith(".num_batches_tracked") for name in missing):
        return "old checkpoints have none, and evaluation needs none: --allow-missing '**.num_batches_tracked'"
    if missing and unexpected:
        return "--rename FILE for other names; --allow-missing and --allow-unexpected GLOB for what is meant to differ"
    if missing or unexpected:
        return f"if it is meant to be so, --allow-{'missing' if missing else 'unexpected'} GLOB"
    return "to leave a tensor out, name it in --allow-missing and in --allow-unexpected"
