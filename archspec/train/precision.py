"""The precisions of a network's arithmetic."""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "tf32", "bf16", "fp16", "fp64"]
