"""Torch code of the planted blocks: a right function and a right module, and others with one fault each."""

import random

import numpy as np
import torch
from torch import nn

from tests.testing.planted import FACTOR


def bend(x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """What is right: it needs x and the tangent again."""
    return x * torch.tanh(slope * x)


class _WrongSlope(torch.autograd.Function):
    """bend, whose backward doubles the gradient of the slope."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x, slope)
        return bend(x, slope)

    @staticmethod
    def backward(ctx, gradient):
        x, slope = ctx.saved_tensors
        t = torch.tanh(slope * x)
        inner = gradient * x * (1 - t * t)
        return gradient * t + inner * slope, 2 * (inner * x).sum((0, 2, 3)).reshape(slope.shape)


def wrong_slope(x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    return _WrongSlope.apply(x, slope)


class Level(nn.Module):
    """What is right, with state: in training it moves its level towards the mean of a batch."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.level.lerp_(x.detach().mean().to(self.level.dtype), self.share)
            self.steps.add_(1)
            return x
        return x - self.level.to(x.dtype)


# Functions from a batch of feature maps to one of the same shape.


def two_images(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[0:1], x[1:2]]) * 2


def in_twos(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(2, *x.shape[1:]) * 2


def summed_batch(x: torch.Tensor) -> torch.Tensor:
    return x.sum(0, keepdim=True)


def total(x: torch.Tensor) -> torch.Tensor:
    return x.sum()


def pair(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x, x


class _Halved(torch.autograd.Function):
    """x * 3, whose backward says 1.5."""

    @staticmethod
    def forward(ctx, x):
        return x * 3

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 1.5


def wrong_backward(x: torch.Tensor) -> torch.Tensor:
    return _Halved.apply(x)


def detached(x: torch.Tensor) -> torch.Tensor:
    return x.detach() * 2


def half_detached(x: torch.Tensor) -> torch.Tensor:
    return x + x.detach().square()


def noisy(x: torch.Tensor) -> torch.Tensor:
    return x + torch.rand_like(x)


def centred_on_the_batch(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(0, keepdim=True)


def by_pythons_chance(x: torch.Tensor) -> torch.Tensor:
    return x * random.random()


def ramped_in_float32(x: torch.Tensor) -> torch.Tensor:
    return x * torch.linspace(0.5, 1, x.shape[-1], device=x.device)


def ramped_on_the_cpu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.linspace(0.5, 1, x.shape[-1], dtype=x.dtype, device="cpu")


def on_the_cpu_alone(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(x.shape, dtype=x.dtype, device="cpu")


def viewed(x: torch.Tensor) -> torch.Tensor:
    return x.view(x.shape[0], -1).cumsum(1).view(x.shape)


def strided(x: torch.Tensor) -> torch.Tensor:
    return x.clone().as_strided(x.shape, (x.shape[1] * x.shape[2] * x.shape[3], x.shape[2] * x.shape[3], x.shape[3], 1))


def branching(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.abs().max() > 0 else x * 3


def branching_on_the_batch(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.shape[0] > 4 else x + x


def of_numpy(x: torch.Tensor) -> torch.Tensor:
    return x * float(np.pi)


def of_numpy_in_float32(x: torch.Tensor) -> torch.Tensor:
    return ramped_in_float32(x) * float(np.pi)


def printing(x: torch.Tensor) -> torch.Tensor:
    print(end="")
    return x * 2


def of_another_file(x: torch.Tensor) -> torch.Tensor:
    return x * FACTOR


# Modules.


class Odd(nn.Module):
    """A module that is what the words of its fault say."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class NarrowInTraining(Odd):
    def forward(self, x):
        return x[:, 1:] if self.training else x


class NarrowInEvaluation(Odd):
    def forward(self, x):
        return x if self.training else x[:, 1:]


class ViewedInTraining(Odd):
    def forward(self, x):
        return viewed(x) if self.training else x


class Float32InTraining(Odd):
    def forward(self, x):
        return ramped_in_float32(x) if self.training else x


class Sloped(Odd):
    """With the parameter that is declared, or another."""

    def __init__(self, fault: str, channels: int) -> None:
        super().__init__(fault)
        self.slope = nn.Parameter(torch.ones(() if fault == "shape" else (channels, 1, 1)))
        if fault == "more":
            self.bias = nn.Parameter(torch.zeros(channels))
        if fault == "dtype":
            self.slope = nn.Parameter(self.slope.double())
        if fault == "buffer":
            del self.slope
            self.register_buffer("slope", torch.ones(channels, 1, 1))

    def forward(self, x):
        return x * self.slope


class Counted(Odd):
    """With the buffer that is declared, or another."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        count = torch.zeros((), dtype=torch.float32 if fault == "dtype" else torch.int64)
        if fault == "parameter":
            self.count = nn.Parameter(torch.zeros(()))
        else:
            self.register_buffer("count", count)

    def forward(self, x):
        return x + 0 * self.count


class Unfilled(Odd):
    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.register_buffer("level", torch.full((), float("nan")))

    def forward(self, x):
        return x + 0 * torch.nan_to_num(self.level)


class WrongInEvaluation(Odd):
    def forward(self, x):
        return x * 3 if self.training else wrong_backward(x)


class CountsInEvaluation(Odd):
    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.count += 1
        return x.clone()


class RandomInTraining(Odd):
    def forward(self, x):
        return by_pythons_chance(x) if self.training else x


class DrawnWhenMade(Odd):
    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.drawn = torch.randn(()).item()

    def forward(self, x):
        return x * self.drawn


class RemembersInPython(Odd):
    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.seen = 0

    def forward(self, x):
        if self.training:
            self.seen += 1
            return x * 2
        return x * self.seen


class HoldsLambda(Odd):
    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.function = lambda x: x * 2

    def forward(self, x):
        return self.function(x)


class Forgetful(Odd):
    """Its copies are others."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.factor = 2

    def forward(self, x):
        return x * self.factor

    def __getstate__(self):
        return {**self.__dict__, "factor": 3}


class RemembersWhoMadeIt(Odd):
    """It is another in model.py."""

    def forward(self, x):
        return x * (2 if "planted" in self.__class__.__module__ else 3)


class OfNumpy(Odd):
    def forward(self, x):
        return x * float(np.e)
