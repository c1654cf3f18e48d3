"""Loggers: where a run's records go besides its own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.errors import RunError
from archspec.part import Log, Logger


class TensorBoard(Logger, op="tensorboard"):
    """Scalars for TensorBoard, in the folder `tensorboard` of the run; needs the extra `tensorboard`."""

    def check(self) -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError:
            message = "TensorBoard is not installed"
            raise RunError(message, 'pip install "archspec-nn[tensorboard]"') from None

    def open(self, folder: Path, step: int) -> Log:
        from torch.utils.tensorboard import SummaryWriter

        return _Scalars(SummaryWriter(folder / "tensorboard", purge_step=step + 1 if step else None))


class _Scalars:
    """Writes the numbers of records as scalars."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def __call__(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, int | float):
                self.writer.add_scalar(name.replace(".", "/"), value, step)

    def close(self) -> None:
        self.writer.close()
