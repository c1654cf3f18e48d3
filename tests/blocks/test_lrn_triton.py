"""The kernels for GPUs by Triton's interpreter, on the CPU: where Triton is installed. On a GPU: tests/test_cuda.py."""

import contextlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def errors():
    """For each setting and layout, how far value and gradient are off, as a share of the largest."""
    import torch

    from archspec.ops import lrn_triton
    from archspec.ops.lrn import local_response_norm as plain
    from tests.lrn import LAYOUTS, SETTINGS, value_and_gradient

    torch.cuda.device = lambda device: contextlib.nullcontext()
    torch.manual_seed(0)
    found = {}
    for settings in SETTINGS:
        if settings[2] not in (0.5, 0.75, 1.0):  # other powers need a library of CUDA
            continue
        for layout in LAYOUTS.values():
            x, slope = ((torch.randn(3, 40, 3, 5) * 3).to(memory_format=layout) for _ in range(2))
            exact = value_and_gradient(plain, x.double(), settings, slope.double())
            given = lrn_triton.forward(x, *settings), lrn_triton.backward(slope, x, *settings)
            assert all(one.stride() == x.stride() for one in given)
            pairs = zip(given, exact, strict=True)
            found[f"{settings} {layout}"] = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    print(json.dumps(found))


def test_they_compute_what_the_plain_form_does():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # seen when the kernels are made, so in a process of its own
    command = [sys.executable, "-m", "tests.blocks.test_lrn_triton"]
    said = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert len(found) == 14
    assert {name: error for name, error in found.items() if not error < 1e-6} == {}


if __name__ == "__main__":
    errors()
