"""An image as a sequence of patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Saves, Size2d, Weight, compact
from archspec.errors import ShapeError
from archspec.initializers import fan_in_uniform
from archspec.tensor import CHW, Window
from archspec_vit.divisors import nearest_divisor
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class PatchEmbedding(Primitive, op="patch_embedding"):
    """Cuts a feature map into patches and maps each linearly to a token, row by row.

    Shape:  CxHxW -> (H / ph) * (W / pw) tokens x out_features
    Cost:   MACs = C * H * W * out_features per image
    Errors: ShapeError if the patches do not tile the feature map
    Source: ViT, section 3.1, equation 1
    """

    patch_size: Size2d
    """Height and width of a patch."""
    out_features: Count
    """Features of a token: D in the paper."""
    bias: bool = True
    """Whether a bias is added to every feature."""

    def infer(self, x: CHW) -> Tokens:
        height, width = self.patch_size
        for axis, size, patch in ("height", x.height, height), ("width", x.width, width):
            if size % patch:
                message = f"patches of {height}x{width} do not tile {x.height}x{x.width}"
                raise ShapeError(f"{message}: {patch} does not divide the {axis}, {size}", _fitting(size, patch))
        return Tokens(x.height // height * (x.width // width), self.out_features)

    def parameters(self, x: CHW) -> dict[str, Weight]:
        shape = (self.out_features, x.channels, *self.patch_size)
        init = fan_in_uniform(shape[1] * shape[2] * shape[3])
        weights = {"weight": Weight(shape, init)}
        return weights | {"bias": Weight((self.out_features,), init)} if self.bias else weights

    def macs(self, x: CHW) -> int:
        return x.size * self.out_features

    def window(self, x: CHW) -> Window:
        return Window(self.patch_size, self.patch_size)

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch
        from torch import nn

        patch = compact(self.patch_size)
        bias = {} if self.bias else {"bias": False}
        patches = fx.module(nn.Conv2d, x, fx.shapes[0].channels, self.out_features, patch, stride=patch, **bias)
        return fx.function(torch.transpose, fx.function(torch.flatten, patches, 2), 1, 2)


def _fitting(size: int, patch: int) -> str:
    """What would tile an axis: an image of the nearest sizes, or a patch that divides this one."""
    below = size // patch * patch
    sizes = f"{below} or {below + patch}" if below else f"{patch}"
    return f"an image of {sizes} along this axis, or a patch of {nearest_divisor(size, patch)}"
