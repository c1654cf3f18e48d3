"""Averages of the weights over a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archspec.part import Average


class ExponentialAverage(Average, op="ema"):
    """decay * average + (1 - decay) * weights; the first weights are taken whole."""

    decay: Annotated[float, Field(gt=0, lt=1)]
    """The share of the average that stays."""

    def share(self, count: int) -> float:
        return 1.0 if count == 0 else 1.0 - self.decay


class Mean(Average, op="mean"):
    """The mean of all weights that entered, each counting alike (Polyak and Juditsky 1992)."""

    def share(self, count: int) -> float:
        return 1.0 / (count + 1)
