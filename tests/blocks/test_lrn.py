"""The swift form of local response normalisation against the plain one, torch's, and exact gradients."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from archspec import ops
from archspec.ops import lrn_swift
from archspec.ops.lrn import local_response_norm as plain
from archspec.ops.lrn_swift import local_response_norm as swift
from tests.lrn import LAYOUTS, SETTINGS, value_and_gradient


@pytest.fixture(params=[1, 300, 2**18])
def _parts(request, monkeypatch):
    """One image at a time, a few, and all at once."""
    monkeypatch.setattr(lrn_swift, "AT_ONCE", request.param)


def maps(layout="contiguous", dtype=torch.float64, seed=0, shape=(5, 8, 3, 4)):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3
    return values.to(dtype).to(memory_format=LAYOUTS[layout])


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("slopes", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_the_plain_form(settings, layout, slopes):
    x, slope = maps(layout), maps(slopes, seed=1)
    expected = value_and_gradient(plain, x, settings, slope)
    for found, other in zip(value_and_gradient(swift, x, settings, slope), expected, strict=True):
        assert torch.allclose(found, other, rtol=1e-12, atol=1e-13)
        assert found.stride() == x.stride()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_torchs(layout):
    x, slope = maps(layout), maps(seed=1)
    y, gradient = value_and_gradient(swift, x, (5, 1e-4, 0.75, 2.0), slope)
    torchs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    for found, other in zip((y, gradient), value_and_gradient(torchs, x, (), slope), strict=True):
        assert torch.allclose(found, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_single_precision_is_exact_to_its_last_digits(layout):
    settings = (5, 1e-4, 0.75, 2.0)
    x, slope = maps(layout, shape=(2, 96, 13, 13)) * 20, maps(seed=1, shape=(2, 96, 13, 13))
    exact = value_and_gradient(plain, x, settings, slope)
    found = value_and_gradient(swift, x.float(), settings, slope.float())
    assert ((found[0] - exact[0]) / exact[0]).abs().max() < 1e-6
    assert (found[1] - exact[1]).abs().max() < 1e-6 * exact[1].abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_in_float32(dtype):
    settings = (5, 1e-4, 0.75, 2.0)
    x, slope = maps(dtype=dtype) * 60, maps(dtype=dtype, seed=1)  # squares of which overflow float16
    exact = value_and_gradient(plain, x.float(), settings, slope.float())
    for found, other in zip(value_and_gradient(swift, x, settings, slope), exact, strict=True):
        assert found.dtype == dtype and torch.equal(found, other.to(dtype))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_of_gradients(settings, layout):
    x = maps(layout, shape=(2, 8, 2, 1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: swift(x, *settings), x)
    assert torch.autograd.gradgradcheck(lambda x: swift(x, *settings), x)


def test_without_a_compiler_for_the_kernels(monkeypatch):
    """Then, too, something is computed, and a warning says why it is slow."""
    x = maps()

    def broken(*arguments):
        raise RuntimeError("Failed to find C compiler\nPlease specify one")

    monkeypatch.setattr(lrn_swift, "_has_kernels", lambda *arguments: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setitem(sys.modules, "archspec.ops.lrn_triton", SimpleNamespace(forward=broken, backward=broken))
    monkeypatch.setattr(ops, "lrn_triton", sys.modules["archspec.ops.lrn_triton"], raising=False)
    lrn_swift._kernels_run.cache_clear()
    slope = maps(seed=1)
    with pytest.warns(UserWarning, match="without Triton, slower: Failed to find C compiler$"):
        found = value_and_gradient(swift, x, (5, 0.3, 0.75, 1.0), slope)
    for one, other in zip(found, value_and_gradient(plain, x, (5, 0.3, 0.75, 1.0), slope), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-13)
    lrn_swift._kernels_run.cache_clear()


def test_maps_with_gaps_and_no_images():
    x = maps(shape=(5, 8, 6, 4))[:, :, ::2]
    assert not x.is_contiguous() and torch.allclose(swift(x, 5, 0.3, 0.75, 1.0), plain(x, 5, 0.3, 0.75, 1.0))
    none = maps()[:0].requires_grad_()
    swift(none, 5, 0.3, 0.75, 1.0).sum().backward()
    assert none.grad.shape == (0, 8, 3, 4)


def test_backward_keeps_the_input_alone():
    x = maps().requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        swift(x, 5, 0.3, 0.75, 1.0)
    assert [tensor.data_ptr() for tensor in kept] == [x.data_ptr()]


def test_what_looks_into_functions_sees_the_plain_form():
    x, settings = maps(), (5, 0.3, 0.75, 1.0)
    expected = plain(x, *settings)

    class Norm(nn.Module):
        def forward(self, x):
            return swift(x, *settings)

    exported = torch.export.export(Norm(), (x,))
    assert "autograd" not in str(exported.graph) and torch.equal(exported.module()(x), expected)
    assert torch.equal(torch.jit.trace(Norm(), (x,), check_trace=False)(x), expected)
    assert torch.equal(torch.vmap(lambda one: swift(one[None], *settings)[0])(x), expected)
    slope = maps(seed=1)
    tangent = torch.func.jvp(lambda x: swift(x, *settings), (x,), (slope,))[1]
    assert torch.allclose(tangent, torch.func.jvp(lambda x: plain(x, *settings), (x,), (slope,))[1])
    _, gradient = value_and_gradient(plain, x, settings, torch.ones_like(x))
    assert torch.allclose(torch.func.grad(lambda x: swift(x, *settings).sum())(x), gradient)
    compiled = torch.compile(Norm(), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), expected, rtol=1e-12)
