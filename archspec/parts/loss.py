"""Losses: sums over a batch, with the weight that divides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.part import Loss

if TYPE_CHECKING:
    from torch import Tensor


def full(output: Tensor) -> Tensor:
    """Scores in at least single precision: a sum over a batch is no matter of half precision."""
    return output.float() if output.element_size() < 4 else output


class CrossEntropy(Loss, op="cross_entropy"):
    """Softmax and the negative log-likelihood of the class: multinomial logistic regression."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread over all classes (Szegedy et al. 2016, section 7)."""

    def total(self, output: Tensor, target: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.cross_entropy(full(output), target, reduction="sum", label_smoothing=self.label_smoothing)


class BinaryCrossEntropy(Loss, op="binary_cross_entropy"):
    """A logistic regression for each class by itself, summed over the classes (Wightman et al. 2021)."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread over all classes."""

    def total(self, output: Tensor, target: Tensor) -> Tensor:
        from torch.nn import functional as F

        output = full(output)
        shares = target if target.is_floating_point() else F.one_hot(target, output.shape[1])
        shares = shares.to(output.dtype) * (1.0 - self.label_smoothing) + self.label_smoothing / output.shape[1]
        return F.binary_cross_entropy_with_logits(output, shares, reduction="sum")
