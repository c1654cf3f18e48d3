"""Optimizers against the oracle, formulas written out, and torch."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from archspec.ops.sgd import VelocitySGD
from archspec.parts.optimizer import SGD, Adam, AdamW, RMSprop

ORACLE = json.loads((Path(__file__).parents[1] / "papers" / "data" / "optimizer_oracle.json").read_text())
START = np.random.default_rng(4).normal(size=(3, 4))
PULL = np.random.default_rng(5).normal(size=(3, 4))


def trained(part, rates, decay, start=START, pull=PULL):
    """Weights after each step on (w - pull)^2 / 2, at a rate for each step."""
    weight = torch.nn.Parameter(torch.from_numpy(np.array(start, dtype=np.float64)))
    optimizer = part.build([{"params": [weight], "lr": rates[0], "weight_decay": decay}])
    found = []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = weight.detach() - torch.tensor(pull, dtype=torch.float64)
        optimizer.step()
        found.append(weight.detach().clone().numpy())
    return found


@pytest.mark.parametrize(("in_velocity", "form"), [(True, "alexnet_form"), (True, "caffe"), (False, "torch_sgd")])
def test_both_forms_of_sgd_agree_with_the_oracle_across_a_drop(in_velocity, form):
    part = SGD(lr=0.01, momentum=0.9, weight_decay=0.0005, lr_in_velocity=in_velocity)
    rates = [0.01] * 15 + [0.001] * 15
    found = trained(part, rates, 0.0005, start=[ORACLE["w0"]], pull=[0.3])
    assert [found[step - 1].item() for step in ORACLE["steps"]] == pytest.approx(ORACLE[form], rel=1e-13)


def test_the_papers_velocity_is_torchs_times_the_rate():
    """Krizhevsky et al. 2012, section 5, as printed; a buffer of torch times old rate by new rate is the same."""
    rates = [0.1] * 5 + [0.01] * 5 + [0.05] * 5
    found = trained(SGD(lr=0.1, momentum=0.9, lr_in_velocity=True), rates, 0.02)
    w, v = START.copy(), np.zeros_like(START)
    for rate, one in zip(rates, found, strict=True):
        v = 0.9 * v - 0.02 * rate * w - rate * (w - PULL)
        w = w + v
        np.testing.assert_allclose(one, w, rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_at_a_constant_rate_both_forms_are_torchs(nesterov, decay):
    rates = [0.05] * 30
    ours = trained(SGD(lr=0.05, momentum=0.9, lr_in_velocity=True, nesterov=nesterov), rates, decay)
    torchs = trained(SGD(lr=0.05, momentum=0.9, lr_in_velocity=False, nesterov=nesterov), rates, decay)
    np.testing.assert_allclose(ours, torchs, rtol=1e-12)
    other = trained(SGD(lr=0.05, momentum=0.9, lr_in_velocity=True, nesterov=not nesterov), rates, decay)
    assert abs(other[-1] - ours[-1]).max() > 1e-3


def test_nesterov_looks_ahead_at_a_rate_that_drops():
    """The form of Sutskever et al. 2013, in the variable that has looked ahead: v is taken once more by momentum."""
    rates = [0.05] * 5 + [0.005] * 5
    found = trained(SGD(lr=0.05, momentum=0.9, lr_in_velocity=True, nesterov=True), rates, 0.0)
    w, v = START.copy(), np.zeros_like(START)  # w has not looked ahead
    for number, rate in enumerate(rates):
        v = 0.9 * v - rate * ((w + 0.9 * v) - PULL)
        w = w + v
        np.testing.assert_allclose(found[number], w + 0.9 * v, rtol=1e-11)


def test_groups_have_rates_and_decays_of_their_own():
    """Caffe's multipliers: twice the rate and no decay on biases."""
    weight, bias = (torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    groups = [
        {"params": [weight], "lr": 0.1, "weight_decay": 0.5},
        {"params": [bias], "lr": 0.2, "weight_decay": 0.0},
    ]
    optimizer = SGD(lr=0.1, momentum=0.9, lr_in_velocity=True).build(groups)
    weight.grad, bias.grad = torch.full((2,), 3.0).double(), torch.full((2,), 3.0).double()
    optimizer.step()
    assert weight.tolist() == pytest.approx([1 - 0.1 * 3.5] * 2) and bias.tolist() == pytest.approx([1 - 0.2 * 3] * 2)
    assert weight.grad.tolist() == [3.0, 3.0]


def test_a_parameter_without_a_gradient_stays():
    one, two = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = VelocitySGD([one, two], lr=0.1, momentum=0.9, weight_decay=0.1)
    one.grad = torch.ones(2)
    optimizer.step()
    assert two.tolist() == [1, 1] and "velocity" not in optimizer.state[two]
    one.grad = None
    optimizer.step()


def test_a_velocity_is_laid_out_as_its_weights_and_taken_up_again():
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last))
    optimizer = VelocitySGD([weight], lr=0.1, momentum=0.9)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert optimizer.state[weight]["velocity"].is_contiguous(memory_format=torch.channels_last)
    other = torch.nn.Parameter(weight.detach().clone())
    resumed = VelocitySGD([other], lr=0.1, momentum=0.9)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, p in ((optimizer, weight), (resumed, other)):
        p.grad = torch.ones_like(p)
        one.step()
    assert torch.equal(weight, other)


def test_a_closure_is_called_with_gradients():
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = VelocitySGD([weight], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert weight.item() == pytest.approx(2.0 - 0.1 * 4.0)


def adam(rate, decay, beside):
    """Kingma and Ba 2015, algorithm 1, with the decay in the gradient or beside it."""
    w, m, v = START.copy(), 0.0, 0.0
    for t in range(1, 11):
        g = w - PULL + (0 if beside else decay * w)
        m, v = 0.8 * m + 0.2 * g, 0.99 * v + 0.01 * g**2
        w = w - rate * (decay * w if beside else 0) - rate * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-6)
    return w


def rmsprop(rate, decay):
    """The gradient by the root of its mean square, then momentum."""
    w, square, v = START.copy(), 0.0, 0.0
    for _ in range(10):
        g = w - PULL + decay * w
        square = 0.9 * square + 0.1 * g**2
        v = 0.5 * v + g / (np.sqrt(square) + 1e-6)
        w = w - rate * v
    return w


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (AdamW(lr=0.1, betas=[0.8, 0.99], eps=1e-6), adam(0.1, 0.3, beside=True)),
        (Adam(lr=0.1, betas=[0.8, 0.99], eps=1e-6), adam(0.1, 0.3, beside=False)),
        (RMSprop(lr=0.1, alpha=0.9, momentum=0.5, eps=1e-6), rmsprop(0.1, 0.3)),
    ],
)
def test_adaptive_optimizers(part, expected):
    np.testing.assert_allclose(trained(part, [0.1] * 10, 0.3)[-1], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {"momentum": 0.9},  # the form has no default
        {"lr_in_velocity": True},
        {"momentum": 1.0, "lr_in_velocity": True},
        {"momentum": -0.1, "lr_in_velocity": True},
        {"momentum": 0.0, "lr_in_velocity": False, "nesterov": True},
        {"momentum": math.nan, "lr_in_velocity": True},
    ],
)
def test_what_is_no_sgd(fields):
    with pytest.raises(ValidationError):
        SGD.model_validate({"lr": 0.1} | fields)
