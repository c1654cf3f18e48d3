"""How a parameter gets its first values: the right-hand sides of a spec's `init` rules.

An initializer is data; `fill` draws into a float32 tensor on the CPU from the generator it is given.
Fans are those of torch: the second axis of the weight times the kernel's area is the fan in,
the first axis times the kernel's area the fan out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from archspec.plugins import Registry, subclass_of

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Initializer(BaseModel):
    """Fills one parameter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "", **kwargs: object) -> None:
        cls.name = name

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        """Write the first values into a float32 tensor on the CPU; random ones come from the generator alone."""
        raise NotImplementedError

    def worked_out(self, shape: Sequence[int]) -> Initializer:
        """One that draws the same numbers into a weight of another shape as this does into one of this shape."""
        return self


class Constant(Initializer, name="constant"):
    """Every element the same; a spec writes it as a bare number."""

    value: float

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        tensor.fill_(self.value)


class Normal(Initializer, name="normal"):
    """Gaussian. Source: AlexNet, section 5: mean 0, std 0.01."""

    mean: float = 0.0
    std: NonNegativeFloat

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        tensor.normal_(self.mean, self.std, generator=generator)


class TruncNormal(Initializer, name="trunc_normal"):
    """Gaussian, drawn again outside low ... high (absolute values, not multiples of std)."""

    mean: float = 0.0
    std: NonNegativeFloat
    low: float = -2.0
    high: float = 2.0

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        from torch.nn import init

        init.trunc_normal_(tensor, self.mean, self.std, self.low, self.high, generator=generator)


class Uniform(Initializer, name="uniform"):
    """Uniform in low ... high."""

    low: float
    high: float

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        tensor.uniform_(self.low, self.high, generator=generator)


class KaimingNormal(Initializer, name="kaiming_normal"):
    """Gaussian of std sqrt(2 / fan). Source: He et al. 2015, "Delving deep into rectifiers", eq. 10 and 14."""

    mode: Literal["fan_in", "fan_out"]
    """Which fan; the ResNet paper does not say, its re-implementations use fan_out."""

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        from torch.nn import init

        init.kaiming_normal_(tensor, mode=self.mode, nonlinearity="relu", generator=generator)

    def worked_out(self, shape: Sequence[int]) -> Initializer:
        return Normal(std=math.sqrt(2.0) / math.sqrt(fan(shape, self.mode)))


class KaimingUniform(Initializer, name="kaiming_uniform"):
    """Uniform with std sqrt(2 / fan): bounds +- sqrt(6 / fan)."""

    mode: Literal["fan_in", "fan_out"]

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        from torch.nn import init

        init.kaiming_uniform_(tensor, mode=self.mode, nonlinearity="relu", generator=generator)

    def worked_out(self, shape: Sequence[int]) -> Initializer:
        bound = math.sqrt(3.0) * (math.sqrt(2.0) / math.sqrt(fan(shape, self.mode)))
        return Uniform(low=-bound, high=bound)


class XavierUniform(Initializer, name="xavier_uniform"):
    """Uniform with std sqrt(1 / fan): bounds +- sqrt(3 / fan).

    Source: Glorot and Bengio 2010, eq. 16, is `average`; Caffe's `xavier` is `fan_in`.
    """

    mode: Literal["average", "fan_in", "fan_out"]
    """Which fan: Glorot and torch average the two, Caffe takes the fan in."""

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        bound = math.sqrt(3.0 / fan(tensor.shape, self.mode))
        tensor.uniform_(-bound, bound, generator=generator)

    def worked_out(self, shape: Sequence[int]) -> Initializer:
        bound = math.sqrt(3.0 / fan(shape, self.mode))
        return Uniform(low=-bound, high=bound)


class XavierNormal(Initializer, name="xavier_normal"):
    """Gaussian of std sqrt(1 / fan)."""

    mode: Literal["average", "fan_in", "fan_out"]
    """Which fan: Glorot and torch average the two, Caffe takes the fan in."""

    def fill(self, tensor: Tensor, generator: Generator) -> None:
        tensor.normal_(0.0, math.sqrt(1.0 / fan(tensor.shape, self.mode)), generator=generator)

    def worked_out(self, shape: Sequence[int]) -> Initializer:
        return Normal(std=math.sqrt(1.0 / fan(shape, self.mode)))


def fan(shape: Sequence[int], mode: str) -> float:
    """Inputs, outputs, or their mean, per element of a weight's output or input."""
    area = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * area, shape[0] * area
    return {"fan_in": fan_in, "fan_out": fan_out, "average": (fan_in + fan_out) / 2}[mode]


def fan_in_uniform(fan_in: int) -> Uniform:
    """torch's default for the weight and bias of convolutions and linear layers: bounds +- 1 / sqrt(fan in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return Uniform(low=-bound, high=bound)


BUILT_IN = {
    kind.name: f"{__name__}:{kind.__name__}"
    for kind in (Constant, Normal, TruncNormal, Uniform, KaimingNormal, KaimingUniform, XavierUniform, XavierNormal)
}
"""name -> module:class."""

INITIALIZERS: Registry[type[Initializer]] = Registry("initializer", BUILT_IN, subclass_of(Initializer, "name"))
"""name -> class: built-in, or of plugins."""
