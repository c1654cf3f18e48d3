"""What each step presents, and to which process."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.data.stream import Group, Stream, groups_of, run
from archspec.length import Calendar
from archspec.parts.order import Repeated, Sequential, Shuffle

LASTS = ["wrap", "keep", "drop"]


@pytest.mark.parametrize("last", LASTS)
def test_every_epoch_shows_every_image_once(last):
    stream = Stream(Shuffle(), Calendar(20, 6, last), seed=3)
    found = [one for step in range(40) for one in stream(step)]
    for epoch in range(10):
        here = [index for e, index, repeat in found if e == epoch and repeat == 0]
        expected = Shuffle().epoch(3, epoch, 20)[0].tolist()
        assert here == (expected[:18] if last == "drop" else expected)


@pytest.mark.parametrize(
    ("last", "steps"),
    [
        ("wrap", [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4), (1, 0)], [(1, 1), (1, 2), (1, 3)]]),
        ("keep", [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4)], [(1, 0), (1, 1), (1, 2)]]),
        ("drop", [[(0, 0), (0, 1), (0, 2)], [(1, 0), (1, 1), (1, 2)], [(2, 0), (2, 1), (2, 2)]]),
    ],
)
def test_where_the_batch_does_not_divide_the_epoch(last, steps):
    stream = Stream(Sequential(), Calendar(5, 3, last), seed=0)
    assert [[(epoch, index) for epoch, index, _ in stream(step)] for step in range(3)] == steps


def test_a_step_is_a_function_of_its_number():
    calendar = Calendar(50, 14, "wrap")
    forwards, backwards = (Stream(Shuffle(), calendar, seed=1) for _ in range(2))
    there = [forwards(step) for step in range(30)]
    assert [backwards(step) for step in reversed(range(30))][::-1] == there
    assert there != [Stream(Shuffle(), calendar, seed=2)(step) for step in range(30)]


def test_golden_steps():
    stream = Stream(Repeated(times=2), Calendar(10, 4, "wrap"), seed=5)
    assert [stream(step) for step in (0, 2)] == [
        [(0, 7, 0), (0, 7, 1), (0, 2, 0), (0, 2, 1)],
        [(0, 9, 0), (0, 9, 1), (1, 8, 0), (1, 8, 1)],
    ]


@given(st.integers(1, 40), st.none() | st.integers(1, 15), st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_groups_are_the_same_for_any_number_of_processes(count, size, world):
    presentations = [(0, number, 0) for number in range(count)]
    found = [group for rank in range(world) for group in groups_of(presentations, 7, size, rank, world)]
    assert Counter(one for group in found for one in group.presentations) == Counter(presentations)
    assert {group.step for group in found} == {7}
    if size is None:
        assert [group.number for group in found] == [0] * world
        lengths = [len(group.presentations) for group in found]
    else:
        alone = groups_of(presentations, 7, size, 0, 1)
        assert sorted(found, key=lambda group: group.number) == alone
        lengths = [len(group.presentations) for group in alone]
        assert max(lengths) <= size and len(alone) == -(-count // size)
    assert max(lengths) - min(lengths) <= 1


def test_repeats_of_an_image_are_in_different_groups():
    stream = Stream(Repeated(times=4), Calendar(64, 32, "keep"), seed=0)
    for group in groups_of(stream(0), 0, 8, 0, 1):
        indices = [index for _, index, _ in group.presentations]
        assert len(indices) == len(set(indices)) == 8


def test_a_run_goes_on_from_any_step():
    stream = Stream(Shuffle(), Calendar(20, 6, "keep"), seed=3)
    whole = list(run(stream, 0, 12, 4, 1, 2))
    assert whole[0] == Group(0, 1, tuple(stream(0)[1::2]))
    assert [group for group in whole if group.step >= 5] == list(run(stream, 5, 12, 4, 1, 2))
    assert [group.step for group in whole if group.step % 4 == 3] == []  # the last batch of an epoch is one group
