"""The learning rate of a step: phases of a schedule, their ends, and what a plateau has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from archspec.length import Calendar
from archspec.part import Schedule
from archspec.parts.schedule import Plateau


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a schedule is."""

    number: int = 0
    start: Fraction = Fraction(0)
    """In steps."""
    best: float | None = None
    """Of a plateau: the best value so far."""
    bad: int = 0
    """Of a plateau: evaluations since the best one, or since a drop."""
    drops: int = 0
    """Of a plateau."""


def at_step(schedule: list[Schedule], phase: Phase, step: int, calendar: Calendar) -> Phase:
    """The phase of a step, after those that have lasted long enough."""
    while (lasts := schedule[phase.number].lasts) is not None and step >= phase.start + calendar.steps(lasts):
        phase = Phase(phase.number + 1, phase.start + calendar.steps(lasts))
    return phase


def factor(schedule: list[Schedule], phase: Phase, step: int, calendar: Calendar, length: int) -> float:
    """The factor on the learning rate of a step, counted from 0, of a run of so many steps. A pure function."""
    now = schedule[phase.number]
    end = phase.start + calendar.steps(now.lasts) if now.lasts is not None else Fraction(length)
    origin = phase.start if now.clock == "phase" else Fraction(0)
    t = Fraction(step) - origin
    if now.hold is not None:
        every = calendar.steps(now.hold)
        t = t // every * every
    found = now.factor_at(t, end - origin, calendar)  # type: ignore[arg-type]
    return float(found) * (now.factor**phase.drops if isinstance(now, Plateau) else 1.0)


def seen(plateau: Plateau, phase: Phase, value: float, lowest: bool) -> Phase:
    """The phase after an evaluation: the best value so far, or one more without a better one, or a drop."""
    apart = 0.0 if phase.best is None else (phase.best - value if lowest else value - phase.best)
    if phase.best is None or apart > plateau.better_by:
        return replace(phase, best=value, bad=0)
    if phase.bad + 1 < plateau.patience:
        return replace(phase, bad=phase.bad + 1)
    return replace(phase, bad=0, drops=min(phase.drops + 1, plateau.drops))
