"""Cases of local response normalisation that its tests on CPUs, on GPUs and by Triton's interpreter share."""

import torch

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SETTINGS = [
    (5, 1e-4, 0.75, 2.0, 1),
    (5, 0.3, 0.75, 1.0, 2),
    (1, 0.5, 0.75, 1.0, 1),
    (3, 0.5, 0.5, 1.0, 4),
    (7, 0.2, 1.0, 1.5, 1),
    (9, 0.2, 0.6, 1.5, 2),  # wider than a group
    (2, 0.5, 0.75, 1.0, 1),  # of even sizes, which the block refuses, one channel more comes before
    (4, 0.3, 0.75, 1.5, 2),
]
"""`size`, `alpha`, `beta`, `k` and `groups`."""


def value_and_gradient(norm, x, settings, slope):
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = norm(x, *settings)
    (gradient,) = torch.autograd.grad(y, x, slope)
    return y.detach(), gradient
