"""Optimizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from archspec.part import Optimizer

if TYPE_CHECKING:
    import torch

Share = Annotated[float, Field(ge=0, lt=1)]


class SGD(Optimizer, op="sgd"):
    """Stochastic gradient descent with momentum, in the papers' form or in torch's.

    With `lr_in_velocity`: v = momentum * v - lr * (g + weight_decay * w), then w = w + v, as in Krizhevsky et al. 2012,
    section 5, and Caffe. Without: v = momentum * v + g + weight_decay * w, then w = w - lr * v, as torch. While the
    learning rate stays both are the same; where it drops, the papers' velocity keeps its size.
    """

    momentum: Share
    """Share of the velocity that stays."""
    lr_in_velocity: bool
    """Whether the velocity holds the learning rate, as in the papers and Caffe; torch's does not."""
    nesterov: bool = False
    """Whether the step looks ahead along the velocity."""

    @model_validator(mode="after")
    def _ahead(self) -> SGD:
        if self.nesterov and self.momentum == 0:
            raise ValueError("given a `momentum` of more than 0 where it looks ahead: `nesterov`")
        return self

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        if self.lr_in_velocity:
            from archspec.ops.sgd import VelocitySGD

            return VelocitySGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)

        import torch

        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)


class AdamW(Optimizer, op="adamw"):
    """Adam with the decay beside the gradient, not in it (Loshchilov and Hutter 2019); torch's."""

    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    """Shares of the means of gradient and squared gradient that stay."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Added to the root of the squared gradient."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(groups, lr=self.lr, betas=(self.betas[0], self.betas[1]), eps=self.eps)


class Adam(Optimizer, op="adam"):
    """Adam with the decay in the gradient (Kingma and Ba 2015); torch's."""

    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    """Shares of the means of gradient and squared gradient that stay."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Added to the root of the squared gradient."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(groups, lr=self.lr, betas=(self.betas[0], self.betas[1]), eps=self.eps)


class RMSprop(Optimizer, op="rmsprop"):
    """The gradient by the root of the mean of its square (Tieleman and Hinton 2012); torch's."""

    alpha: Share
    """Share of the mean of the squared gradient that stays."""
    momentum: Share
    """Share of the velocity that stays."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Added to the root."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RMSprop(groups, lr=self.lr, alpha=self.alpha, momentum=self.momentum, eps=self.eps)
