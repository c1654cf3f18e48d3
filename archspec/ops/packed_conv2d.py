"""A convolution with what follows it as one operation: of oneDNN, with kernels laid out beforehand, or of cuDNN."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
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
MANY = 8
"""Images in a batch for which kernels are laid out; measured to be the same order from 2 to 32."""
AVAILABLE = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
)
"""Whether this torch has oneDNN, and its operations on laid-out kernels."""
ONEDNN = {"relu6": "hardtanh", "silu": "swish"}
"""Names that oneDNN has otherwise."""
CUDNN = torch.backends.cudnn.is_available() and torch.version.hip is None  # type: ignore[no-untyped-call]
CUDNN_TYPES = (torch.float32, torch.float16, torch.bfloat16)


class PackedConv2d(nn.Conv2d):
    """activation(conv(x) + other), for inference: `other` is optional, of the output's shape.

    Parameters are those of nn.Conv2d. On a CPU with oneDNN it is one operation that writes its output once, with a
    second copy of the kernels in the order that oneDNN computes in; on a CUDA GPU, with relu, it is one of cuDNN;
    otherwise, and where gradients or other types are asked for, the operations one after another.

    The copy is made when it is first needed, one for single images and one for batches, for which oneDNN's order can
    differ. It is made anew when the parameters have changed. Changes behind autograd's back, by `weight.data` or numpy,
    are not seen, and under torch.compile none but by loading a state dict: `forget` makes them known.

    Shape: N x in_channels x H x W -> N x out_channels x H' x W'
    """

    def __init__(self, *sizes: Any, at: tuple[int, int], activation: str = "none", **fields: Any) -> None:
        super().__init__(*sizes, **fields)
        self.at = at
        """Height and width of the inputs that kernels are laid out for; others are as right, and may be slower."""
        self.activation = activation
        self._one: Tensor | None = None
        self._many: Tensor | None = None
        self._version = 0
        self._of: weakref.ref[Tensor] | None = None
        """The weight that the laid-out kernels are of."""

    def forget(self) -> None:
        """Drop the laid-out kernels: they are made anew when they are needed next."""
        self._one = self._many = None

    def _ready(self, single: bool) -> None:
        """See that the kernels are laid out as the parameters are now."""
        weight = self.weight
        version = 0 if weight.is_inference() else weight._version
        if self._of is None or self._of() is not weight or self._version != version:
            self._one = self._many = None
            self._of, self._version = weakref.ref(weight), version
        if (self._one if single else self._many) is not None:
            return
        size = [1 if single else MANY, self.in_channels, *self.at]
        fixed = self.padding, self.stride, self.dilation, self.groups
        with torch.inference_mode(False), torch.no_grad():
            packed = torch.ops.mkldnn._reorder_convolution_weight(weight.detach(), *fixed, size)
        if single:
            self._one = packed
        else:
            self._many = packed

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if self._is_swift(x, other):
            packed = self._one if x.shape[0] == 1 else self._many
            assert packed is not None
            return self._swift(x, other, packed)
        if self._is_cudnns(x, other):
            fused: Any = _traced_cudnn if torch.compiler.is_compiling() else _cudnn
            y: Tensor = fused(x, self.weight, other, self.bias, self.stride, self.padding, self.dilation, self.groups)
            return y
        y = super().forward(x)
        return self._activated(y if other is None else torch.add(y, other))

    def _swift(self, x: Tensor, other: Tensor | None, packed: Tensor) -> Tensor:
        fixed: Any = self.padding, self.stride, self.dilation, self.groups
        if other is None:
            name, scalars = ONEDNN.get(self.activation, self.activation), list(ACTIVATIONS[self.activation][1])
            alone: Tensor = torch.ops.mkldnn._convolution_pointwise(x, packed, self.bias, *fixed, name, scalars, "")
            return alone
        plus: Any = _traced_plus if torch.compiler.is_compiling() else _plus
        y: Tensor = plus(x, other, packed, self.bias, *fixed, self.activation == "relu")
        return y if self.activation in ("none", "relu") else self._activated(y)

    def _activated(self, y: Tensor) -> Tensor:
        if self.activation == "relu":
            return F.relu(y, inplace=True)
        function = ACTIVATIONS[self.activation][0]
        found: Tensor = y if function is None else function(y)
        return found

    def _is_swift(self, x: Tensor, other: Tensor | None) -> bool:
        if x.device.type != "cpu" or x.dtype != torch.float32 or x.dim() != 4 or runs_plain(x, "cpu"):
            return False
        if torch.is_autocast_enabled("cpu") or self._needs_gradients(x, other):
            return False
        if self.weight.dtype != torch.float32 or self.weight.device.type != "cpu" or not AVAILABLE:
            return False
        if not torch.compiler.is_compiling() and self.weight.is_inference():  # nobody counts its changes
            return False
        if torch.compiler.is_compiling() and self.in_channels == 1:  # torch.compile is wrong about its layout
            return False
        ready = _ready_for_trace if torch.compiler.is_compiling() else PackedConv2d._ready
        if x.shape[0] == 1:
            ready(self, True)
        else:
            ready(self, False)  # in a branch of its own, since a traced comparison is no constant
        return True

    def _is_cudnns(self, x: Tensor, other: Tensor | None) -> bool:
        if self.activation != "relu" or x.device.type != "cuda" or x.dim() != 4 or runs_plain(x, "cuda"):
            return False
        if torch.is_autocast_enabled("cuda") or self._needs_gradients(x, other) or not x.numel():
            return False
        if x.dtype not in CUDNN_TYPES or self.weight.dtype != x.dtype or not CUDNN or self.groups != 1:
            return False
        if other is not None and other.dtype != x.dtype:
            return False
        places = x.shape[0] * x.shape[2] * x.shape[3]
        if places * max(self.in_channels, self.out_channels) >= 2**31:  # torch would divide the batch
            return False
        return torch.compiler.is_compiling() or torch.backends.cudnn.enabled

    def _needs_gradients(self, x: Tensor, other: Tensor | None) -> bool:
        asked = x.requires_grad or self.weight.requires_grad or (other is not None and other.requires_grad)
        return torch.is_grad_enabled() and asked

    def _apply(self, *arguments: Any, **named: Any) -> PackedConv2d:
        self.forget()
        return super()._apply(*arguments, **named)  # type: ignore[no-untyped-call,no-any-return]

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        super()._load_from_state_dict(*arguments, **named)
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_one": None, "_many": None, "_of": None}

    def extra_repr(self) -> str:
        said: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return said + ("" if self.activation == "none" else f", activation={self.activation}")


def _plus(
    x: Tensor,
    other: Tensor,
    packed: Tensor,
    bias: Tensor | None,
    padding: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    relu: bool,
) -> Tensor:
    """The convolution with an addition behind it, and a relu if need be: oneDNN takes no other along there."""
    activation = "relu" if relu else None
    y: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
        x, other, packed, bias, padding, stride, dilation, groups, "add", 1.0, activation, [], ""
    )
    return y.contiguous(memory_format=torch.channels_last)


_traced_plus = torch.library.custom_op("archspec::conv_plus", _plus, mutates_args=())
"""The same for torch.compile, which does not know the shape that torch's own operation gives."""
_traced_plus.register_fake(lambda x, other, *_: torch.empty_like(other, memory_format=torch.channels_last))


def _cudnn(
    x: Tensor,
    weight: Tensor,
    other: Tensor | None,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """relu(conv(x) + other)."""
    fixed: Any = bias, stride, padding, dilation, groups
    if other is None:
        return torch.cudnn_convolution_relu(x, weight, *fixed)
    return torch.cudnn_convolution_add_relu(x, weight, other, 1.0, *fixed)


_traced_cudnn = torch.library.custom_op(
    "archspec::conv_relu",
    lambda *given: _cudnn(*given).contiguous(memory_format=torch.channels_last),
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor? other, Tensor? bias, "
    "int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
)
"""The same for torch.compile, which does not know the shape that torch's own operation gives: in channels_last."""
_traced_cudnn.register_fake(
    lambda x, weight, other, bias, *fixed: torch.empty_like(
        F.conv2d(x, weight, bias, *fixed), memory_format=torch.channels_last
    )
)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _ready_for_trace(module: PackedConv2d, single: bool) -> None:
    """What torch.compile calls while it looks at the code."""
    module._ready(single)
