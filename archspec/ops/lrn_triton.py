"""Local response normalisation on CUDA GPUs: what is near the time in which its tensors are read and written once.

Where channels lie side by side, a program holds whole rows of channels, and windows are made of shifted rows. Where
places lie side by side, each thread goes through a chunk of channels of its place and keeps a window of them.
"""

# mypy: ignore-errors
# ruff: noqa: N803, RUF005

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra import libdevice


def forward(x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int) -> Tensor:
    """x / (k + alpha * sum of squares)^beta, as `archspec.ops.lrn`, for N x C x H x W on a CUDA GPU.

    `x` is dense, contiguous or channels_last, in float32 or a half type; sums are taken in float32.
    """
    y = torch.empty_like(x)
    _launch(_forward_of_rows, _forward_of_places, (x, y), size, alpha, beta, k, groups)
    return y


def backward(gradient: Tensor, x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int) -> Tensor:
    """What `lrn_swift` says; the gradient is laid out as `x` is."""
    found = torch.empty_like(x)
    _launch(_backward_of_rows, _backward_of_places, (gradient, x, found), size, alpha, beta, k, groups)
    return found


def _launch(rows, places, tensors, size, alpha, beta, k, groups):
    images, channels, height, width = tensors[0].shape
    own = channels // groups
    settings = float(alpha), float(beta), float(k)
    with torch.cuda.device(tensors[0].device):
        if tensors[-1].is_contiguous():
            total, chunk, block = images * groups * height * width, 32, 128
            grid = triton.cdiv(own, chunk) * triton.cdiv(total, block)
            named = {"BETA": float(beta), "SIZE": size, "CHUNK": chunk, "BLOCK": block}
            places[(grid,)](*tensors, total, height * width, own, *settings, **named)
        else:
            total, wide = images * height * width, triton.next_power_of_2(own)
            block = max(1, 512 // wide)
            warps = min(4, block)  # no more than rows: then no row is shared among warps
            named = {"BETA": float(beta), "SIZE": size, "WIDE": wide, "BLOCK": block, "num_warps": warps}
            rows[triton.cdiv(total, block), groups](*tensors, total, own, channels, *settings, **named)


@triton.jit
def _power(s, beta, BETA: tl.constexpr):
    """s^-beta; roots are faster than powers."""
    if BETA == 0.75:
        root = tl.rsqrt(s)
        return root * tl.sqrt(root)
    elif BETA == 0.5:
        return tl.rsqrt(s)
    elif BETA == 1.0:
        return 1.0 / s
    else:
        return libdevice.pow(s, -beta)


@triton.jit
def _window(values, SIZE: tl.constexpr, FIRST: tl.constexpr, SQUARED: tl.constexpr):
    """The sum of SIZE values, or of their squares, from one on."""
    total = values[FIRST] * values[FIRST] if SQUARED else values[FIRST]
    for i in tl.static_range(1, SIZE):
        total += values[FIRST + i] * values[FIRST + i] if SQUARED else values[FIRST + i]
    return total


@triton.jit
def _channel(tensor, at, c, inside, places, channels):
    """A channel of each place, 0 where there is none."""
    return tl.load(tensor + at + c * places, mask=inside & (c >= 0) & (c < channels), other=0.0).to(tl.float32)


@triton.jit
def _forward_of_places(
    x, y, total, places, channels, alpha, beta, k,
    BETA: tl.constexpr, SIZE: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    before: tl.constexpr = SIZE // 2
    chunks = tl.cdiv(channels, CHUNK)
    place = tl.program_id(0) // chunks * BLOCK + tl.arange(0, BLOCK)
    inside = place < total
    at = (place // places).to(tl.int64) * channels * places + place % places
    first = tl.program_id(0) % chunks * CHUNK  # chunks of one place beside each other: they read each other's edges
    xs = ()
    for j in tl.static_range(CHUNK + SIZE - 1):  # all that is read is asked for at once
        xs = xs + (_channel(x, at, first - before + j, inside, places, channels),)
    for j in tl.static_range(CHUNK):
        value = xs[j + before] * _power(k + alpha * _window(xs, SIZE, j, True), beta, BETA)
        out = first + j
        tl.store(y + at + out * places, value.to(y.dtype.element_ty), mask=inside & (out < channels))


@triton.jit
def _backward_of_places(
    gradient, x, found, total, places, channels, alpha, beta, k,
    BETA: tl.constexpr, SIZE: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    before: tl.constexpr = SIZE // 2
    after: tl.constexpr = SIZE - 1 - before
    chunks = tl.cdiv(channels, CHUNK)
    place = tl.program_id(0) // chunks * BLOCK + tl.arange(0, BLOCK)
    inside = place < total
    at = (place // places).to(tl.int64) * channels * places + place % places
    first = tl.program_id(0) % chunks * CHUNK  # chunks of one place beside each other: they read each other's edges
    xs, slopes, kept, terms = (), (), (), ()
    for j in tl.static_range(CHUNK + 2 * (SIZE - 1)):
        xs = xs + (_channel(x, at, first - (SIZE - 1) + j, inside, places, channels),)
        if j < CHUNK + SIZE - 1:
            slopes = slopes + (_channel(gradient, at, first - after + j, inside, places, channels),)
    for j in tl.static_range(CHUNK + SIZE - 1):  # of the channels whose windows hold one of the chunk
        s = k + alpha * _window(xs, SIZE, j, True)
        kept = kept + (slopes[j] * _power(s, beta, BETA),)
        c = first - after + j
        terms = terms + (tl.where((c >= 0) & (c < channels), kept[j] * xs[j + before] / s, 0.0),)
    for j in tl.static_range(CHUNK):
        value = kept[j + after] - 2.0 * alpha * beta * xs[j + SIZE - 1] * _window(terms, SIZE, j, False)
        out = first + j
        tl.store(found + at + out * places, value.to(found.dtype.element_ty), mask=inside & (out < channels))


@triton.jit
def _shifted(rows, by, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """The rows with each channel's value that of the channel `by` further, 0 where there is none."""
    c = tl.arange(0, WIDE)[None, :] + by
    there = (c >= 0) & (c < WIDE)
    return tl.where(there, tl.gather(rows, tl.broadcast_to(tl.where(there, c, 0), (BLOCK, WIDE)), 1), 0.0)


@triton.jit
def _windows(rows, BEFORE: tl.constexpr, AFTER: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """The sum of each channel's window."""
    total = rows
    for i in tl.static_range(BEFORE):
        total += _shifted(rows, -1 - i, BLOCK, WIDE)
    for i in tl.static_range(AFTER):
        total += _shifted(rows, 1 + i, BLOCK, WIDE)
    return total


@triton.jit
def _forward_of_rows(
    x, y, total, channels, stride, alpha, beta, k,
    BETA: tl.constexpr, SIZE: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    before: tl.constexpr = SIZE // 2
    place, c = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, WIDE)
    at = place.to(tl.int64)[:, None] * stride + tl.program_id(1) * channels + c[None, :]
    there = (place < total)[:, None] & (c < channels)[None, :]
    rows = tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    s = k + alpha * _windows(rows * rows, before, SIZE - 1 - before, BLOCK, WIDE)
    tl.store(y + at, (rows * _power(s, beta, BETA)).to(y.dtype.element_ty), mask=there)


@triton.jit
def _backward_of_rows(
    gradient, x, found, total, channels, stride, alpha, beta, k,
    BETA: tl.constexpr, SIZE: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    before: tl.constexpr = SIZE // 2
    after: tl.constexpr = SIZE - 1 - before
    place, c = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, WIDE)
    at = place.to(tl.int64)[:, None] * stride + tl.program_id(1) * channels + c[None, :]
    there = (place < total)[:, None] & (c < channels)[None, :]
    rows = tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    slopes = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
    s = k + alpha * _windows(rows * rows, before, after, BLOCK, WIDE)
    kept = slopes * _power(s, beta, BETA)
    terms = tl.where(there, kept * rows / s, 0.0)
    value = kept - 2.0 * alpha * beta * rows * _windows(terms, after, before, BLOCK, WIDE)
    tl.store(found + at, value.to(found.dtype.element_ty), mask=there)
