"""Sums of what is measured, left on the device until they are read."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archspec.train.processes import Processes


class Tally:
    """For each name a sum and what divides it, over all processes."""

    def __init__(self, held: Mapping[str, tuple[float, float]] | None = None) -> None:
        self.held: dict[str, tuple[float, float]] = dict(held or {})
        """What all processes have counted, up to the last time it was read."""
        self.new: dict[str, tuple[Tensor, float]] = {}
        """What this process has counted since."""

    def add(self, name: str, total: Tensor, count: float) -> None:
        before, counted = self.new.get(name, (None, 0.0))
        total = total.detach().to(torch.float64)
        self.new[name] = (total if before is None else before + total, counted + count)

    def read(self, processes: Processes, names: list[str], device: torch.device) -> dict[str, tuple[float, float]]:
        """The sums of all processes so far; every process reads at the same time."""
        rows = torch.zeros(len(names), 2, dtype=torch.float64, device=device)
        for row, name in zip(rows, names, strict=True):
            if name in self.new:
                total, count = self.new[name]
                row[0], row[1] = total, count
        self.new = {}
        for name, (total, count) in zip(names, processes.sum(rows).tolist(), strict=True):
            if count:
                before, counted = self.held.get(name, (0.0, 0.0))
                self.held[name] = (before + total, counted + count)
        return self.held

    def means(self, processes: Processes, names: list[str], device: torch.device) -> dict[str, float]:
        """The means over what was counted since the last ones; then counting begins anew."""
        held = self.read(processes, names, device)
        self.held = {}
        return {name: total / count for name, (total, count) in held.items()}
