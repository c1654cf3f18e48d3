"""Local response normalisation across channels, several times as fast as torch's (see tests/benchmarks/lrn.py)."""

import warnings
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from archspec.ops.form import runs_plain
from archspec.ops.lrn import local_response_norm as plain

AT_ONCE = 2**18
"""Numbers that are worked on at once on a CPU: what it writes is still near when it is read again."""
HALF = (torch.float16, torch.bfloat16)
TRITON = find_spec("triton") is not None
WIDEST_WINDOW, MOST_CHANNELS = 17, 512
"""That `lrn_triton` takes: its programs grow with both."""
Settings = tuple[int, float, float, float, int]
"""`size`, `alpha`, `beta`, `k` and `groups`."""


def local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int = 1) -> Tensor:
    """x / (k + alpha * sum of squares)^beta, the sum over `size` channels around each, within its group.

    Shape: N x C x H x W, unchanged. Sums are taken in float32 at least. The backward keeps the input alone.
    On CUDA GPUs where Triton is, it is one kernel, and another for the backward. Exported, or compiled for a device
    that has no form of its own, it is `archspec.ops.lrn`.
    """
    if runs_plain(x, "cuda" if _has_kernels(x, size, groups) else "cpu") or not x.numel():
        return plain(x, size, alpha, beta, k, groups)
    found: Tensor = _norm(x, size, alpha, beta, k, groups)
    return found


local_response_norm.plain = plain  # type: ignore[attr-defined]


@torch.library.custom_op("archspec::lrn", mutates_args=())
def _norm(x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int) -> Tensor:
    """An operation of its own, for torch.compile too: what it fuses of the plain form takes twice as long."""
    if _has_kernels(x, size, groups) and (torch.cuda.is_current_stream_capturing() or _kernels_run(x.device)):
        from archspec.ops import lrn_triton

        return _as(x, lrn_triton.forward(_dense(x, x), size, alpha, beta, k, groups))
    wide = _laid_out(x, x)
    y = torch.empty_like(wide)
    for part, out, squares in _parts((size, alpha, beta, k, groups), wide, y):
        torch.mul(part, _power(squares.sums(), beta), out=out)
    return _as(x, y)


@torch.library.custom_op("archspec::lrn_gradient", mutates_args=())
def _gradient(gradient: Tensor, x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int) -> Tensor:
    """g / s^beta - 2 * alpha * beta * x * (sum of g * x / s^(beta + 1)), where s is what x is divided by."""
    if _has_kernels(x, size, groups) and (torch.cuda.is_current_stream_capturing() or _kernels_run(x.device)):
        from archspec.ops import lrn_triton

        slope = _dense(gradient, x).to(x.dtype)
        return _as(x, lrn_triton.backward(slope, _dense(x, x), size, alpha, beta, k, groups))
    wide = _laid_out(x, x)
    found = torch.empty_like(wide)
    products: _Window | None = None
    for part, slope, out, squares in _parts((size, alpha, beta, k, groups), wide, _laid_out(gradient, x), found):
        products = products or _Window(part, size, 0.0, mirrored=True)
        products.count = len(part)
        sums = squares.sums()
        kept = _power(sums, beta).mul_(slope)
        torch.mul(kept, part, out=products.inside).div_(sums)
        torch.addcmul(kept, part, products.sums(), value=-2.0 * alpha * beta, out=out)
    return _as(x, found)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    tensors = [one for one in inputs if isinstance(one, Tensor)]
    ctx.save_for_backward(*tensors)
    ctx.settings = inputs[len(tensors) :]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    (x,) = ctx.saved_tensors
    return _gradient(gradient, x, *ctx.settings), *[None] * len(ctx.settings)


def _backward_of_gradient(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """By the plain form, which has gradients of every order."""
    with torch.enable_grad():
        gradient, x = (one if one.requires_grad else one.detach().requires_grad_() for one in ctx.saved_tensors)
        (found,) = torch.autograd.grad(plain(x, *ctx.settings), x, gradient, create_graph=True)
        both = torch.autograd.grad(found, (gradient, x), upstream, create_graph=True)
    return *both, *[None] * len(ctx.settings)


_norm.register_fake(lambda x, *settings: torch.empty_like(x))
_norm.register_autograd(_backward, setup_context=_keep)
_gradient.register_fake(lambda gradient, x, *settings: torch.empty_like(x))
_gradient.register_autograd(_backward_of_gradient, setup_context=_keep)


def _as(like: Tensor, found: Tensor) -> Tensor:
    """What was found, in the type and the layout of another tensor."""
    if found.dtype == like.dtype and found.stride() == like.stride():
        return found
    return torch.empty_like(like).copy_(found)


def _has_kernels(x: Tensor, size: int, groups: int) -> bool:
    """Whether `lrn_triton` takes it."""
    if not TRITON or x.device.type != "cuda" or not (x.dtype == torch.float32 or x.dtype in HALF):
        return False
    return size <= WIDEST_WINDOW and x.shape[1] <= MOST_CHANNELS * groups and x.numel() < 2**31


@cache
def _kernels_run(device: torch.device) -> bool:
    """Whether Triton can compile them here: it needs a GPU that is not too old, and a C compiler."""
    try:
        from archspec.ops import lrn_triton

        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.ones(1, 2, 2, 2, device=device).to(memory_format=layout)
            lrn_triton.backward(lrn_triton.forward(x, 1, 1.0, 0.75, 1.0, 1), x, 1, 1.0, 0.75, 1.0, 1)
    except (torch.OutOfMemoryError, torch.AcceleratorError):  # not Triton's fault
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        warnings.warn(f"local response normalisation runs without Triton, slower: {reason}", stacklevel=2)
        return False
    return True


def _dense(tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor without gaps, its channels last or not as another one's."""
    last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    return tensor.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _laid_out(tensor: Tensor, like: Tensor) -> Tensor:
    """The same in float32 at least."""
    return _dense(tensor.float() if tensor.dtype in HALF else tensor, like)


def _parts(settings: Settings, *tensors: Tensor) -> Iterator[Any]:
    """Views of tensors, part by part, N x channels of a group x places, and what the first one's squares sum to."""
    size, alpha, _, k, groups = settings
    views = [_view(tensor, groups) for tensor in tensors]
    first = views[0]
    count = len(first) if first.is_cuda else max(1, AT_ONCE // first[0].numel())
    squares = _Window(first[:count], size, k / size)
    base = first.new_full((), k / size)
    for start in range(0, len(first), count):
        parts = [view[start : start + count] for view in views]
        squares.count = len(parts[0])
        torch.addcmul(base, parts[0], parts[0], value=alpha, out=squares.inside)
        yield *parts, squares


def _view(tensor: Tensor, groups: int) -> Tensor:
    images, channels, height, width = tensor.shape
    if tensor.is_contiguous():
        return tensor.view(images * groups, channels // groups, height * width)
    return tensor.permute(0, 2, 3, 1).view(-1, channels // groups, 1)


class _Window:
    """Sums over the channels around each, in memory that serves one part after another."""

    def __init__(self, like: Tensor, size: int, outside: float, mirrored: bool = False) -> None:
        """For parts up to the shape of `like`; beyond the first and the last channel are channels of one value.

        A window of even size has one channel more before its own than behind it; `mirrored`, the other way round.
        """
        self.before = (size - 1) // 2 if mirrored else size // 2
        self.size, self.count, self.channels = size, len(like), like.shape[1]
        shape = (self.count, self.channels + size - 1, like.shape[2])
        self.padded = like.new_full(shape, outside)
        self.pairs, self.totals = torch.empty_like(self.padded), torch.empty_like(self.padded)

    @property
    def inside(self) -> Tensor:
        """What is summed."""
        return self.padded[: self.count].narrow(1, self.before, self.channels)

    def sums(self) -> Tensor:
        """The sums, from pairs of neighbours; all of it is one row of numbers, so that steps are as long as can be."""
        if self.size == 1:
            return self.inside
        step, reach = self.padded.shape[2], (self.size - 1) * self.padded.shape[2]
        row = self.padded[: self.count].view(-1)
        length = len(row) - reach
        pairs = torch.add(row[:-step], row[step:], out=self.pairs.view(-1)[: len(row) - step])
        found = self.totals.view(-1)[:length]
        terms = [pairs[k * step :][:length] for k in range(0, self.size - 1, 2)]
        if self.size % 2:
            terms.append(row[reach:])
        if len(terms) == 1:
            found.copy_(terms[0])
        else:
            torch.add(terms[0], terms[1], out=found)
        for term in terms[2:]:
            found.add_(term)
        return self.totals[: self.count].narrow(1, 0, self.channels)


def _power(sums: Tensor, beta: float) -> Tensor:
    """sums^-beta; roots are faster than powers."""
    if beta == 0.75:
        root = sums.rsqrt()
        return root.mul_(root.sqrt())
    return sums.rsqrt() if beta == 0.5 else sums.pow(-beta)
