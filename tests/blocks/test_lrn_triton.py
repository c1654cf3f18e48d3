"""The kernels for GPUs by Triton's interpreter, on the CPU: where Triton is installed. On a GPU: tests/test_cuda.py."""

import contextlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
SETTINGS = [
    (5, 1e-4, 0.75, 2.0, 1),
    (5, 0.3, 0.75, 1.0, 2),
    (1, 0.5, 0.75, 1.0, 1),
    (3, 0.5, 0.5, 1.0, 4),
    (7, 0.2, 1.0, 1.5, 1),
    (9, 0.2, 0.75, 1.5, 2),
    (2, 0.5, 0.75, 1.0, 1),
    (4, 0.3, 0.75, 1.5, 2),
]
"""Of beta, those that need no library of CUDA."""


def errors():
    """For each setting and layout, how far value and gradient are off, as a share of the largest."""
    import torch

    from archspec.ops import lrn_triton
    from archspec.ops.lrn import local_response_norm as plain

    torch.cuda.device = lambda device: contextlib.nullcontext()
    torch.manual_seed(0)
    found = {}
    for settings in SETTINGS:
        for layout in (torch.contiguous_format, torch.channels_last):
            x, slope = ((torch.randn(3, 40, 3, 5) * 3).to(memory_format=layout) for _ in range(2))
            exact = x.double().requires_grad_()
            y = plain(exact, *settings)
            (gradient,) = torch.autograd.grad(y, exact, slope.double())
            given = lrn_triton.forward(x, *settings), lrn_triton.backward(slope, x, *settings)
            assert all(one.stride() == x.stride() for one in given)
            pairs = zip(given, (y.detach(), gradient), strict=True)
            found[f"{settings} {layout}"] = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    print(json.dumps(found))


def test_they_compute_what_the_plain_form_does():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # seen when the kernels are made, so in a process of its own
    said = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert len(found) == 2 * len(SETTINGS)
    assert {name: error for name, error in found.items() if not error < 1e-6} == {}


if __name__ == "__main__":
    errors()
