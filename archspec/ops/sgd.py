"""SGD in the form of Krizhevsky et al. 2012, section 5, and Caffe."""

from typing import Any

import torch


class VelocitySGD(torch.optim.Optimizer):
    """SGD whose velocity holds the learning rate.

    v = momentum * v - lr * (g + weight_decay * w); w = w + v. With `nesterov`, w = w + momentum * v - lr * (g + ...),
    which for a constant rate is torch's. A velocity that grew at a high rate keeps its size when the rate drops.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    def _update(self, weights: list[torch.Tensor], group: dict[str, Any]) -> None:
        lr, decay = group["lr"], group["weight_decay"]
        gradients: Any = [p.grad for p in weights]
        velocities = []
        for p in weights:
            if "velocity" not in self.state[p]:
                self.state[p]["velocity"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            velocities.append(self.state[p]["velocity"])
        if decay:
            gradients = torch._foreach_add(gradients, weights, alpha=decay)
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, gradients, alpha=-lr)
        if group["nesterov"]:
            torch._foreach_add_(weights, velocities, alpha=group["momentum"])
            torch._foreach_add_(weights, gradients, alpha=-lr)
        else:
            torch._foreach_add_(weights, velocities)
