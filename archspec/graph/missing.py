"""What to say of an op that is not there: who has it."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.errors import did_you_mean
from archspec.plugins import known_home, known_near
from archspec.registry import BLOCKS
from archspec.spec.shelves import library_of


def missing_op(op: str, own: Iterable[str] = ()) -> str:
    """A hint: the library or plugin that has a block of this name, or a name that is near."""
    if library := library_of(op):
        return f"block `{op}` is in a library: add use: [{library}]"
    names = [*own, *(name for name in BLOCKS if name not in BLOCKS.builtin), *BLOCKS.builtin]
    return (
        known_home("op", op)
        or known_home("block", op)
        or did_you_mean(op, names)
        or known_near("op", op)
        or "`archspec blocks` lists all ops; `--blocks FILE.py`, or `blocks=` in Python, brings your own"
    )
