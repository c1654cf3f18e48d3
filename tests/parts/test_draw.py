"""Random numbers as functions of a key."""

import hashlib
import math
import struct
from collections import Counter

import pytest

from archspec.draw import Draw, digest, seed_of
from tests.parts.pictures import draws, spread


def test_numbers_are_those_of_blake2():
    """Pinned by another way to write it: 8 numbers of 64 bits in the hash of the key and of a running number."""
    expected = []
    for block in range(3):
        data = hashlib.blake2b(f"7\x1fcrop\x1f{block}".encode(), digest_size=64).digest()
        expected += [struct.unpack_from("<Q", data, 8 * k)[0] for k in range(8)]
    draw = Draw(7, "crop")
    found = [draw.uniform() for _ in range(24)]
    assert found == [number // 2**11 / 2**53 for number in expected]
    draw = Draw(7, "crop")
    assert [draw.integer(-3, 6) for _ in range(24)] == [-3 + number * 10 // 2**64 for number in expected]


def test_golden_numbers():
    draw = Draw(0, 1, 2, "flip", 0)
    assert [draw.uniform() for _ in range(3)] == [0.15056588733879717, 0.586898577061303, 0.2825873258085051]
    assert [draw.integer(0, 32) for _ in range(8)] == [5, 26, 3, 24, 8, 28, 19, 27]
    assert [draw.normal() for _ in range(2)] == pytest.approx([-0.21448078968009576, -0.5151266602391501], rel=1e-12)
    assert draw.order(6) == [0, 5, 3, 1, 4, 2]
    assert seed_of(0, "dropout", 5) == 6462497930109120756


def test_a_key_gives_the_same_numbers_again_and_another_key_others():
    def row(*key):
        draw = Draw(*key)
        return [draw.uniform() for _ in range(20)]

    assert row(1, 2, "flip") == row(1, 2, "flip")
    keys = [(1, 2, "flip"), (2, 1, "flip"), (12, "flip"), (1, 2, "flip", 0), (1, 2, "crop"), (1, 23, "flip")]
    assert len({number for key in keys for number in row(*key)}) == 20 * len(keys)
    assert len({digest(seed, step) for seed in range(30) for step in range(30)}) == 900


def test_uniform_is_uniform():
    assert spread([draw.uniform() for draw in draws(2000)], lambda v: v) < 1.95
    draw = Draw("one row")
    row = [draw.uniform(-2.0, 3.0) for _ in range(2000)]
    assert spread(row, lambda v: (v + 2) / 5) < 1.95
    assert all(-2.0 <= value < 3.0 for value in row)


def test_neighbours_of_a_row_are_independent():
    draw = Draw("neighbours")
    row = [draw.uniform(-0.5, 0.5) for _ in range(2000)]
    for apart in (1, 2, 7, 8):
        total = sum(a * b for a, b in zip(row, row[apart:], strict=False))
        assert abs(total) < 3.3 * math.sqrt(2000) / 12  # one in 1000


def test_whole_numbers_are_equally_likely_and_both_ends_are_drawn():
    draw = Draw("whole")
    found = Counter(draw.integer(3, 13) for _ in range(11_000))
    assert sorted(found) == list(range(3, 14))
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in found.values())
    assert chi_squared < 29.6  # one in 1000, of 10 degrees
    assert [Draw("one").integer(5, 5) for _ in range(3)] == [5, 5, 5]


def test_normal_is_gaussian():
    draw = Draw("bell")
    found = [draw.normal() for _ in range(2000)]
    assert spread(found, lambda v: (1 + math.erf(v / math.sqrt(2))) / 2) < 1.95
    assert spread([one.normal() for one in draws(2000)], lambda v: (1 + math.erf(v / math.sqrt(2))) / 2) < 1.95


def test_orders_are_equally_likely():
    found = Counter(tuple(draw.order(3)) for draw in draws(3000))
    assert len(found) == 6
    assert sum((count - 500) ** 2 / 500 for count in found.values()) < 20.5  # one in 1000, of 5 degrees
    assert sorted(Draw("long").order(100)) == list(range(100))
    assert Draw("none").order(0) == [] and Draw("one").order(1) == [0]


def test_seeds_are_of_63_bits():
    seeds = [seed_of("seed", k) for k in range(200)]
    assert all(0 <= seed < 2**63 for seed in seeds) and max(seeds) > 2**61
    assert len(set(seeds)) == 200
