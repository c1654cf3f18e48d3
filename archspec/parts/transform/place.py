"""Where the pixels of a group of images were in the frame of a transform that waited."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def places(marks: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows N x H, columns N x W, and whether each pixel was inside the frame at all, N x H x W.

    Shape: marks N x 5, of `archspec.image.Mark`'s fields in order
    """
    import torch

    y, x = torch.arange(height, device=marks.device), torch.arange(width, device=marks.device)
    frame_height, frame_width, top, left, sign = marks.unbind(1)
    rows, columns = top[:, None] + y, left[:, None] + sign[:, None] * x
    rows_inside = (rows >= 0) & (rows < frame_height[:, None])
    columns_inside = (columns >= 0) & (columns < frame_width[:, None])
    return rows, columns, rows_inside[:, :, None] & columns_inside[:, None, :]
