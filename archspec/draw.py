"""Random numbers that are functions of a key, not of a state.

What is drawn for one image, step or epoch depends on its key alone: not on what was drawn before, on the number of
workers and processes, or on where a run was interrupted. So no state of any generator is ever saved.
"""

from __future__ import annotations

import hashlib
import math
import struct

PER_HASH = 8
"""Numbers in one hash of 64 bytes."""
NUMBERS = struct.Struct("<8Q")


def digest(*key: object) -> bytes:
    """64 bytes for a key."""
    return hashlib.blake2b("\x1f".join(map(str, key)).encode()).digest()


def seed_of(*key: object) -> int:
    """A seed of 63 bits for a generator of torch."""
    return int.from_bytes(digest(*key)[:8], "little") >> 1


class Draw:
    """A row of random numbers for one key; each call takes the next."""

    __slots__ = ("key", "numbers", "taken")

    def __init__(self, *key: object) -> None:
        self.key = key
        self.numbers: list[int] = []
        self.taken = 0

    def _next(self) -> int:
        if self.taken == len(self.numbers):
            self.numbers += NUMBERS.unpack(digest(*self.key, self.taken // PER_HASH))
        self.taken += 1
        return self.numbers[self.taken - 1]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """From low up to, and without, high."""
        return low + (high - low) * ((self._next() >> 11) * 2.0**-53)

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self._next() * (high - low + 1) // 2**64

    def normal(self) -> float:
        """From the Gaussian of mean 0 and deviation 1, by Box and Muller's method."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def order(self, count: int) -> list[int]:
        """The numbers 0 to count - 1, shuffled."""
        found = list(range(count))
        for i in range(count - 1, 0, -1):
            j = self.integer(0, i)
            found[i], found[j] = found[j], found[i]
        return found
