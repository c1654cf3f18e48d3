"""Settings of torch for an execution, by their names."""

from __future__ import annotations

import os

import torch

from archspec.train.execution import Execution


def apply(execution: Execution) -> None:
    """Set what torch holds globally: the precision of matrix products, and determinism."""
    tf32 = execution.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = not execution.deterministic
    if execution.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(execution.deterministic)
