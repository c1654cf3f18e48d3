"""Orders of an epoch."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from archspec.parts.order import Repeated, Sequential, Shuffle

ORDERS = [Shuffle(), Sequential(), Repeated(times=3)]


def test_golden_orders():
    def first(order, *key):
        numbers, repeats = order.epoch(*key)
        return numbers.tolist(), repeats.tolist()

    assert first(Shuffle(), 0, 0, 12) == ([2, 11, 3, 5, 0, 8, 6, 9, 4, 10, 1, 7], [0] * 12)
    assert first(Shuffle(), 0, 1, 12) == ([11, 0, 10, 5, 4, 8, 6, 9, 2, 1, 7, 3], [0] * 12)
    assert first(Shuffle(), 1, 0, 12) == ([4, 6, 1, 2, 3, 7, 0, 10, 5, 8, 9, 11], [0] * 12)
    numbers, _ = Shuffle().epoch(7, 3, 50_000)
    assert hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()[:16] == "4ba9319eaaf20882"


@pytest.mark.parametrize("order", [Shuffle(), Sequential()])
@pytest.mark.parametrize("count", [1, 2, 50, 1000])
def test_every_image_comes_once(order, count):
    numbers, repeats = order.epoch(3, 5, count)
    assert sorted(numbers.tolist()) == list(range(count))
    assert repeats.tolist() == [0] * count


@pytest.mark.parametrize("order", ORDERS)
def test_an_epoch_is_a_function_of_its_seed_and_number(order):
    for key in [(0, 0, 40), (2, 9, 40)]:
        for first, again in zip(order.epoch(*key), order.epoch(*key), strict=True):
            np.testing.assert_array_equal(first, again)


def test_shuffles_differ_and_places_are_equally_likely():
    found = [Shuffle().epoch(seed, epoch, 8)[0].tolist() for seed in range(40) for epoch in range(40)]
    assert len({tuple(order) for order in found}) > 1500
    for place in range(8):
        counts = Counter(order[place] for order in found)
        assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 24.4  # one in 1000, of 7 degrees


def test_sequential_is_the_order_of_the_dataset():
    assert Sequential().epoch(4, 2, 5)[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("count", "times"), [(12, 3), (13, 3), (2, 4), (7, 1)])
def test_repeated_images_come_in_rows_and_are_counted(count, times):
    shuffled = Shuffle().epoch(1, 2, count)[0].tolist()
    numbers, repeats = Repeated(times=times).epoch(1, 2, count)
    expected = [(number, repeat) for number in shuffled for repeat in range(times)][:count]
    assert list(zip(numbers.tolist(), repeats.tolist(), strict=True)) == expected
