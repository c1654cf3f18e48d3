"""What each step presents, and in which groups: pure functions of the recipe, the seed and the step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from archspec.length import Calendar
from archspec.part import Order

Presentation = tuple[int, int, int]
"""Epoch, number of the image, and how often it was presented in this epoch before."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one forward pass sees."""

    step: int
    number: int
    """In its step, whoever takes it."""
    presentations: tuple[Presentation, ...]


class Stream:
    """The order of a whole run."""

    def __init__(self, order: Order, calendar: Calendar, seed: int) -> None:
        self.calendar = calendar
        self._epoch = lru_cache(2)(lambda epoch: order.epoch(seed, epoch, calendar.epoch))

    def __call__(self, step: int) -> list[Presentation]:
        """What a step presents, in order; steps count from 0."""
        found: list[Presentation] = []
        for epoch, places in self.calendar.presented(step):
            numbers, repeats = self._epoch(epoch)
            cut = slice(places.start, places.stop)
            found += zip([epoch] * len(places), numbers[cut].tolist(), repeats[cut].tolist(), strict=True)
        return found


def groups_of(presentations: list[Presentation], step: int, size: int | None, rank: int, world: int) -> list[Group]:
    """The groups of a step that one of `world` processes takes.

    Groups are as even as can be, and take turns at the presentations, so that repeats of an image are apart. Without a
    size the whole batch is one group, of which every process takes a part.
    """
    if size is None:
        return [Group(step, 0, tuple(presentations[rank::world]))]
    count = -(-len(presentations) // size)
    return [Group(step, number, tuple(presentations[number::count])) for number in range(rank, count, world)]


def run(stream: Stream, first: int, total: int, size: int | None, rank: int, world: int) -> Iterator[Group]:
    """All groups of one process from a step on."""
    for step in range(first, total):
        yield from groups_of(stream(step), step, size, rank, world)
