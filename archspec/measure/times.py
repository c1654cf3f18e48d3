"""Networks timed in turn, A B C A B C ..., so that what slows the machine slows all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from archspec.measure.machine import timed
from archspec.measure.memory import peak_memory
from archspec.measure.subject import Subject
from archspec.views.measured import Times

WARM_UP = 2
"""Runs of each that do not count; the first compiles."""
LEAST, MOST = 3, 200
"""Rounds where no number is said."""


def measured(subjects: Sequence[Subject], rounds: int | None, seconds: float) -> list[Times]:
    """The times of each; as many rounds as said, or as fit into so many seconds, at least three."""
    for one in subjects:
        for _ in range(WARM_UP):
            one()
    taken: list[list[float]] = [[] for _ in subjects]
    end = time.perf_counter() + seconds
    while len(taken[0]) < (rounds or LEAST) or (rounds is None and time.perf_counter() < end and len(taken[0]) < MOST):
        for k in _order(len(subjects), len(taken[0])):
            taken[k].append(timed(subjects[k], subjects[k].device))
    return [
        Times(one.name, one.variant, tuple(found), one.batch, one.flops, peak_memory(one), one.left_out, one.recomputed)
        for one, found in zip(subjects, taken, strict=True)
    ]


def _order(count: int, number: int) -> list[int]:
    """Who comes first changes from round to round."""
    return [(k + number) % count for k in range(count)]
