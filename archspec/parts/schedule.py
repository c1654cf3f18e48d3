"""Schedules: pure functions of time that multiply the learning rate."""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from archspec.length import Calendar, Duration
from archspec.part import Schedule

Factor = Annotated[float, Field(ge=0)]


class Constant(Schedule, op="constant"):
    """factor"""

    factor: Factor = 1.0
    """The factor."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return self.factor


class Step(Schedule, op="step"):
    """factor ^ floor(t / every)"""

    every: Duration
    """How long a factor stays."""
    factor: Factor
    """What each step multiplies by."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return float(self.factor ** (Fraction(t) // calendar.steps(self.every)))


class MultiStep(Schedule, op="multi_step"):
    """factor ^ (how many of `at` have passed)"""

    at: Annotated[list[Duration], Field(min_length=1)]
    """When the factor is multiplied again."""
    factor: Factor
    """What each multiplies by."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return float(self.factor ** bisect_right(sorted(map(calendar.steps, self.at)), t))


class Poly(Schedule, op="poly"):
    """(1 - t / total) ^ power

    Source: Caffe's `poly`
    """

    power: Annotated[float, Field(gt=0)]
    """The power."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return float((1.0 - min(t / total, 1.0)) ** self.power)


class Cosine(Schedule, op="cosine"):
    """to + (1 - to) * (1 + cos(pi * t / total)) / 2

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts
    """

    to: Factor
    """The factor at the end."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return self.to + (1.0 - self.to) * (1.0 + math.cos(math.pi * min(t / total, 1.0))) / 2.0


class Linear(Schedule, op="linear"):
    """from + (to - from) * t / total"""

    start: Factor = Field(alias="from")
    """The factor at the start."""
    to: Factor
    """The factor at the end."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return self.start + (self.to - self.start) * min(t / total, 1.0)


class Plateau(Schedule, op="plateau"):
    """factor ^ (drops so far); one more whenever a metric has not been better for `patience` evaluations.

    Source: Krizhevsky et al. 2012, section 5; He et al. 2015, section 3.4
    """

    metric: str
    """Which: PROTOCOL.NAME."""
    factor: Annotated[float, Field(gt=0, lt=1)]
    """What each drop multiplies by."""
    patience: Annotated[int, Field(ge=1)]
    """So many evaluations in a row without a better one make a drop."""
    drops: Annotated[int, Field(ge=1)]
    """There are no more drops than this."""
    better_by: Annotated[float, Field(ge=0)] = 0.0
    """By how much a value must be better than the best so far to count as better."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return 1.0  # the drops so far are kept by the run
