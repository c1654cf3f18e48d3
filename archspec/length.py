"""Lengths of a training run: steps, samples and epochs, exactly, and how those of one run relate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]+)?|[0-9]+/[1-9][0-9]*) (step|epoch|sample)s?")


@dataclass(frozen=True, slots=True)
class Length:
    """A number of steps, epochs or samples: `64000 steps`, `1/2 epochs`. A step is one update by one global batch."""

    value: Fraction
    unit: Literal["step", "epoch", "sample"]

    def __str__(self) -> str:
        return f"{self.value} {self.unit}{'' if self.value == 1 else 's'}"


def length(given: object) -> Length:
    """A length from its text. Errors: ValueError, worded to follow `must be`"""
    if isinstance(given, Length):
        return given
    found = WRITTEN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError("a length such as `30 epochs`, `64000 steps` or `32768 samples`")
    value = Fraction(found[1])
    if value <= 0 or value > 10**12:
        raise ValueError("a length of more than none and at most 10^12")
    return Length(value, found[2])  # type: ignore[arg-type]


TEXT = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?|[0-9]+/[1-9][0-9]*) (step|epoch|sample)s?$"}
Duration = Annotated[Length, PlainValidator(length), PlainSerializer(str), WithJsonSchema(TEXT)]
"""A field that holds a length."""

Last = Literal["wrap", "keep", "drop"]


@dataclass(frozen=True, slots=True)
class Calendar:
    """How steps, samples and epochs of one run relate."""

    epoch: int
    """Presentations in an epoch."""
    batch: int
    """Presentations in a step."""
    last: Last
    """What happens where the batch does not divide the epoch."""

    @property
    def steps_per_epoch(self) -> Fraction:
        whole = Fraction(self.epoch, self.batch)
        if self.last == "wrap":
            return whole
        return Fraction(-(-self.epoch // self.batch) if self.last == "keep" else self.epoch // self.batch)

    def steps(self, length: Length) -> Fraction:
        """A length in steps. With `keep` and `drop`, samples are counted by full batches."""
        if length.unit == "step":
            return length.value
        return length.value * self.steps_per_epoch if length.unit == "epoch" else length.value / self.batch

    def whole_steps(self, length: Length) -> int:
        """The first number of steps that is at least a length."""
        steps = self.steps(length)
        return -(-steps.numerator // steps.denominator)

    def epochs(self, step: int) -> Fraction:
        """How many epochs have passed after so many steps."""
        return step / self.steps_per_epoch

    def due(self, step: int, every: Length) -> bool:
        """Whether a multiple of a length is reached by the step that ends as number `step`, counted from 1."""
        steps = self.steps(every)
        return step // steps > (step - 1) // steps

    def presented(self, step: int) -> list[tuple[int, range]]:
        """What step `step`, counted from 0, presents: of each epoch it touches, a range of places in its order."""
        if self.last != "wrap":
            per_epoch = int(self.steps_per_epoch)
            epoch, start = step // per_epoch, step % per_epoch * self.batch
            return [(epoch, range(start, min(start + self.batch, self.epoch)))]
        found, at, end = [], step * self.batch, (step + 1) * self.batch
        while at < end:
            epoch, start = divmod(at, self.epoch)
            stop = min(self.epoch, start + end - at)
            found.append((epoch, range(start, stop)))
            at += stop - start
        return found
