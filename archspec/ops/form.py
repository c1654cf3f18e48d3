"""Which form of a function runs: a swift one, or the plain one that model.py is written with."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_plain = ContextVar("plain", default=False)


@contextmanager
def plain_forms() -> Iterator[None]:
    """While it lasts, plain forms run, whose bits are those of model.py; but where torch.compile looks into them."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def wishes_plain() -> bool:
    """Whether `plain_forms` lasts."""
    return _plain.get()


def runs_plain(x: torch.Tensor, compiled: str) -> bool:
    """Whether the plain form is due: it is wished, or torch looks into the function, or x is no common tensor.

    torch.compile looks into it, unless x is on the device that is said.
    """
    if is_exporting() or torch.jit.is_tracing():  # type: ignore
        return True
    if torch.compiler.is_compiling():
        return x.device.type != compiled or torch._C._are_functorch_transforms_active()
    transformed = torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0
    return _plain.get() or transformed or type(x) is not torch.Tensor or x.device.type not in ("cpu", "cuda")


def is_exporting() -> bool:
    """torch.compiler.is_exporting, which older torches take for true wherever torch.compile looks at it."""
    return bool(getattr(torch.compiler, "_is_exporting_flag", False)) or (
        not torch.compiler.is_compiling() and torch.compiler.is_exporting()
    )
