"""A pause of Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Inside, cycles are not collected.

    Reading, compiling and lowering a spec make many objects and drop few, so each collection would walk all of them
    for nothing: a third to a half of the time of compiling a large spec.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
