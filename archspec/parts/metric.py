"""Metrics: what is measured of a network's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.part import Metric

if TYPE_CHECKING:
    from torch import Tensor


def wrong(output: Tensor, target: Tensor, top: int) -> tuple[Tensor, float]:
    """How many targets are not among the `top` largest answers, and how many there are.

    Among equal answers those of lower classes come first. Where a target is shares of classes, the largest counts.
    Shape: output N x classes; target N, or N x classes of shares
    """
    import torch

    label = target.argmax(1) if target.is_floating_point() else target
    mine = output.gather(1, label[:, None])
    classes = torch.arange(output.shape[1], device=output.device)
    before = (output > mine) | ((output == mine) & (classes < label[:, None]))
    missed = (before.sum(1) >= top) | torch.isnan(output).any(1)  # an answer that is no number is wrong
    return missed.sum(), float(len(label))


class Top1Error(Metric, op="top1_error"):
    """Share of images whose class is not the most likely answer."""

    better: ClassVar = "lowest"

    def count(self, output: Tensor, target: Tensor) -> tuple[Tensor, float]:
        return wrong(output, target, 1)


class Top5Error(Metric, op="top5_error"):
    """Share of images whose class is not among the five most likely answers."""

    better: ClassVar = "lowest"

    def count(self, output: Tensor, target: Tensor) -> tuple[Tensor, float]:
        return wrong(output, target, 5)
