"""Shapes of what flows between blocks, and the arithmetic of sliding windows.

The batch axis is implied everywhere: a shape is that of one image.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import prod
from typing import ClassVar, Self

from archspec.errors import ShapeError
from archspec.plugins import Registry, subclass_of


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of value: its axes by name, in the order torch has them after the batch axis.

    A kind is a frozen dataclass with slots whose fields are its axes.
    """

    name: ClassVar[str] = ""
    """Its name in specs: `inputs: {x: {NAME: [sizes]}}`."""
    kind: ClassVar[str] = "a value"
    """What people call it, with its axes."""
    channel_axis: ClassVar[int] = 0
    """Which axis holds the channels or features of one place; -1 is the last."""

    @property
    def axes(self) -> dict[str, int]:
        return {axis.name: getattr(self, axis.name) for axis in fields(self)}

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(self.axes.values())

    @property
    def size(self) -> int:
        """Elements in one image's value."""
        return prod(self.dims)

    @property
    def width_of_place(self) -> int:
        """Channels or features of one place."""
        return self.dims[self.channel_axis]

    @property
    def channel_dim(self) -> int:
        """The dimension of channels or features in torch, the batch being dimension 0."""
        return self.channel_axis % len(self.dims) + 1

    @property
    def places(self) -> dict[str, int]:
        """The other axes: where things are."""
        return {name: size for i, (name, size) in enumerate(self.axes.items(), 1) if i != self.channel_dim}

    def widened(self, width: int) -> Self:
        """The same places with another number of channels or features."""
        return replace(self, **{list(self.axes)[self.channel_axis]: width})

    def __str__(self) -> str:
        return "x".join(map(str, self.dims))


@dataclass(frozen=True, slots=True)
class CHW(Shape):
    """A feature map."""

    name: ClassVar[str] = "feature_map"
    kind: ClassVar[str] = "a feature map (channels x height x width)"
    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Features(Shape):
    """Any kind whose last axis is features: a vector, or a kind of a plugin with places before it."""

    kind: ClassVar[str] = "a vector (features)"
    channel_axis: ClassVar[int] = -1


@dataclass(frozen=True, slots=True)
class Vector(Features):
    """A vector of features."""

    name: ClassVar[str] = "vector"
    kind: ClassVar[str] = "a vector (features)"
    features: int


BY_AXES: dict[int, type[Shape]] = {1: Vector, 3: CHW}
"""The shape kinds that a list of sizes declares, by number of axes."""


SHAPES: Registry[type[Shape]] = Registry(
    "shape", {kind.name: f"{__name__}:{kind.__name__}" for kind in (CHW, Vector)}, subclass_of(Shape, "name")
)
"""name -> shape kind: built-in, or of plugins."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Padding by side, in pixels; negative where pixels are cut off."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    @property
    def symmetric(self) -> bool:
        return self.left == self.right and self.top == self.bottom

    @property
    def is_zero(self) -> bool:
        return not (self.left or self.right or self.top or self.bottom)

    def around(self, x: CHW) -> CHW:
        """A feature map with this padding."""
        return CHW(x.channels, x.height + self.top + self.bottom, x.width + self.left + self.right)


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over a feature map: (height, width) pairs and padding by side."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Sides = Sides()
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False
    spread: tuple[int, int] = (1, 1)
    """Factor by which the input is first spread out: the stride of a transposed convolution, an upsampling's scale."""

    @property
    def extent(self) -> tuple[int, int]:
        """Pixels from a window's first to its last tap, dilation included."""
        return (self.dilation[0] * (self.kernel[0] - 1) + 1, self.dilation[1] * (self.kernel[1] - 1) + 1)

    def padded(self, x: CHW) -> CHW:
        """The feature map that the window slides over: the input, spread out and padded."""
        height, width = (x.height - 1) * self.spread[0] + 1, (x.width - 1) * self.spread[1] + 1
        return self.padding.around(CHW(x.channels, height, width))

    def slide(self, x: CHW) -> tuple[int, int]:
        """Height and width of the output.

        Errors: ShapeError if the window is larger than the padded input
        """
        padded = self.padded(x)
        if self.extent[0] > padded.height or self.extent[1] > padded.width:
            dilated = f" (dilated to {by(self.extent)})" if self.dilation != (1, 1) else ""
            size = (padded.height, padded.width)
            raise ShapeError(
                f"kernel {by(self.kernel)}{dilated} is larger than the input, {x.height}x{x.width}"
                + (f" padded to {by(size)}" if size != (x.height, x.width) else ""),
                "a smaller kernel_size or stride before this layer, more padding, or a larger image",
            )
        far = (self.padding.bottom, self.padding.right)
        return (
            steps(padded.height, self.extent[0], self.stride[0], far[0], self.ceil_mode),
            steps(padded.width, self.extent[1], self.stride[1], far[1], self.ceil_mode),
        )


def steps(padded: int, extent: int, stride: int, far: int, ceil_mode: bool) -> int:
    """Places a window takes along one axis, whose padding at the end is `far`; torch's rule for `ceil_mode`.

    Rounding up, a last window that would start in the far padding is left out.
    """
    room = padded - extent
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= padded - far else count


def same_padding(size: int, extent: int, stride: int) -> tuple[int, int]:
    """Padding before and after, so that the output has ceil(size / stride) places.

    Where it is odd, the extra pixel comes after.
    Source: the SAME rule of TensorFlow, as in the figures of the GoogLeNet paper
    """
    total = max(0, (-(-size // stride) - 1) * stride + extent - size)
    return total // 2, total - total // 2


def by(pair: tuple[int, int]) -> str:
    """A (height, width) pair as people write it."""
    return f"{pair[0]}x{pair[1]}"
