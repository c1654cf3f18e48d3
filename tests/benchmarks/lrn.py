"""Local response normalisation beside torch's: forward and backward, in eager mode and compiled, and what is held."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from archspec.ops.lrn_swift import local_response_norm

SHAPES = [(32, 96, 55, 55), (32, 64, 56, 56)]
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def ours(x: Tensor) -> Tensor:
    return local_response_norm(x, 5, 1e-4, 0.75, 2.0)


def lrn(pairwise: Callable[..., None]) -> None:
    """A ratio of times, so less than 1 is faster: a fifth and a half are the goals."""
    torchs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    for shape in SHAPES:
        for name, layout in LAYOUTS.items():
            x = torch.randn(shape).to(memory_format=layout).requires_grad_()
            slope = torch.randn(shape).to(memory_format=layout)
            what = f"{'x'.join(map(str, shape))} {name}"

            def both(norm: Callable[[Tensor], Tensor], x: Tensor = x, slope: Tensor = slope) -> Callable[[], None]:
                def run() -> None:
                    x.grad = None
                    norm(x).backward(slope)

                return run

            pairwise(f"LRN / torch's, {what}", both(ours), both(torchs), rounds=7)
            torch._dynamo.reset()
            compiled = [torch.compile(norm, dynamic=False) for norm in (ours, torchs)]
            pairwise(f"  compiled / compiled, {what}", both(compiled[0]), both(compiled[1]), rounds=7)
        held = [saved(norm, x) for norm in (ours, torchs)]
        print(f"held for the backward beside the input, {what}: {held[0] / 2**20:.0f} of {held[1] / 2**20:.0f} MiB")


def saved(norm: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Bytes that wait for the backward pass, the input left out."""
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        norm(x)
    held.pop(x.untyped_storage().data_ptr(), None)
    return sum(held.values())
