"""Numbers that divide another, for hints."""

from __future__ import annotations

REACH = 1000
"""How far to look: sizes go up to 2^31, and a hint is not worth a long search."""


def nearest_divisor(number: int, to: int) -> int:
    """The divisor of a number that is nearest to another one, the smaller of two; 1 if none is near."""
    near = (to + sign * distance for distance in range(REACH) for sign in (-1, 1))
    return next((candidate for candidate in near if candidate > 0 and not number % candidate), 1)
