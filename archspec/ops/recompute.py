"""Part of a network whose values are computed again in the backward pass instead of kept for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def recompute(function: Any, norms: tuple[str, ...], *values: torch.Tensor) -> Any:
    """function(*values), a method of a module, of which the backward pass needs but the values.

    `norms` are the paths of its batch norms: their running statistics move once. Dropout draws the same twice.
    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost
    """
    if not torch.is_grad_enabled() or torch.jit.is_tracing():  # type: ignore
        return function(*values)
    if torch.compiler.is_compiling():  # it keeps apart by itself what is computed and what is changed
        return checkpoint(function, *values, use_reentrant=False)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_at_rest(function.__self__, norms)

    return checkpoint(function, *values, use_reentrant=False, context_fn=contexts)


@contextmanager
def _statistics_at_rest(module: torch.nn.Module, norms: tuple[str, ...]) -> Iterator[None]:
    """While it lasts, copies of running statistics move in the place of the true ones."""
    buffers = [module.get_submodule(path)._buffers for path in norms]
    true = [dict(one) for one in buffers]
    for one in buffers:
        one.update({name: value.clone() for name, value in one.items() if value is not None})
    try:
        yield
    finally:
        for one, before in zip(buffers, true, strict=True):
            one.update(before)
