"""A convolution with what follows it as one operation, its kernels laid out beforehand as this CPU likes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from archspec.ops.form import runs_plain

ACTIVATIONS: dict[str, tuple[Any, tuple[float, ...]]] = {
    "none": (None, ()),
    "relu": (F.relu, ()),
    "relu6": (F.relu6, (0.0, 6.0)),
    "silu": (F.silu, ()),
    "hardswish": (F.hardswish, ()),
    "sigmoid": (torch.sigmoid, ()),
    "tanh": (torch.tanh, ()),
}
"""name -> the function, and the numbers that oneDNN wants with its own form."""
ONEDNN = {"relu6": "hardtanh", "silu": "swish"}
"""Names that oneDNN has otherwise."""


class PackedConv2d(nn.Conv2d):
    """activation(conv(x) + other), for inference: `other` is optional, of the output's shape.

    Parameters are those of nn.Conv2d. On a CPU with oneDNN it is one operation that writes its output once, with a
    second copy of the kernels in the order that oneDNN computes in; otherwise, and where gradients or other types are
    asked for, the operations one after another. The copy follows the parameters: it is made again when they have
    changed, but for changes by hand between calls of a compiled network, which `pack` makes known.

    Shape: N x in_channels x H x W -> N x out_channels x H' x W'
    """

    def __init__(self, *sizes: Any, activation: str = "none", **fields: Any) -> None:
        super().__init__(*sizes, **fields)
        self.activation = activation
        self._packed: torch.Tensor | None = None
        self._stamp = (0, 0)

    def pack(self, size: tuple[int, ...] | None = None) -> None:
        """Lay the kernels out, for inputs of this size; on a device or in a type that has no such layout, drop them."""
        weight = self.weight
        self._packed = None
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or not is_available():
            return
        with torch.no_grad():
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight.detach(), self.padding, self.stride, self.dilation, self.groups, list(size) if size else None
            )
        self._stamp = _stamp(weight)

    def forward(self, x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        if self._is_swift(x, other):
            name = ONEDNN.get(self.activation, self.activation)
            scalars = list(ACTIVATIONS[self.activation][1])
            fixed = self.padding, self.stride, self.dilation, self.groups
            if other is None:
                return torch.ops.mkldnn._convolution_pointwise(x, self._packed, self.bias, *fixed, name, scalars, "")
            unary = None if name == "none" else name
            return torch.ops.mkldnn._convolution_pointwise.binary(
                x, other, self._packed, self.bias, *fixed, "add", 1.0, unary, scalars, ""
            )
        y = super().forward(x)
        y = y if other is None else torch.add(y, other)
        if self.activation == "relu":
            return F.relu(y, inplace=True)
        function = ACTIVATIONS[self.activation][0]
        return y if function is None else function(y)

    def _is_swift(self, x: torch.Tensor, other: torch.Tensor | None) -> bool:
        if x.device.type != "cpu" or x.dtype != torch.float32 or x.dim() != 4 or runs_plain(x, "cpu"):
            return False
        if torch.is_autocast_enabled("cpu"):
            return False
        asked = x.requires_grad or self.weight.requires_grad or (other is not None and other.requires_grad)
        if torch.is_grad_enabled() and asked:
            return False
        if not torch.compiler.is_compiling() and (self._packed is None or self._stamp != _stamp(self.weight)):
            self.pack(tuple(x.shape))
        return self._packed is not None

    def _apply(self, *arguments: Any, **named: Any) -> PackedConv2d:
        super()._apply(*arguments, **named)  # type: ignore[no-untyped-call]
        if self._packed is not None:
            self.pack()
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.activation == "none" else f", activation={self.activation}")


def is_available() -> bool:
    """Whether this torch has oneDNN, and the operations on laid-out kernels."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def _stamp(weight: torch.Tensor) -> tuple[int, int]:
    """Changes whenever the numbers of a parameter may have."""
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version
