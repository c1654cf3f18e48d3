"""Numbers of a transform as a tensor beside others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def constant(values: Sequence[float] | Sequence[Sequence[float]], like: Tensor) -> Tensor:
    """Numbers, or rows of them, with the type and on the device of a tensor, to which they are sent once.

    It is shared, so it must not be changed in place.
    """
    fixed = tuple(tuple(row) if isinstance(row, Sequence) else row for row in values)
    return _constant(fixed, like.dtype, like.device)


@lru_cache(256)
def _constant(values: tuple[Any, ...], dtype: Any, device: Any) -> Tensor:
    import torch

    return torch.tensor(values, dtype=dtype, device=device)
