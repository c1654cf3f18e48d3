"""Losses against their formulas."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from archspec.parts.loss import BinaryCrossEntropy, CrossEntropy

SCORES = np.random.default_rng(1).normal(0, 3, (6, 5))
LABELS = np.array([0, 4, 2, 2, 1, 3])
ONE_HOT = np.eye(5)[LABELS]
MIXED = 0.7 * ONE_HOT + 0.3 * np.roll(ONE_HOT, 1, 0)


def targets(shares):
    """As numbers of classes, where they are that, and as shares."""
    found = [torch.from_numpy(shares)]
    return [*found, torch.from_numpy(LABELS)] if shares is ONE_HOT else found


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shares", [ONE_HOT, MIXED], ids=["classes", "mixed"])
def test_cross_entropy_is_a_sum_of_negative_log_likelihoods(shares, smoothing):
    log_likelihoods = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
    smooth = (1 - smoothing) * shares + smoothing / 5
    for target in targets(shares):
        found = CrossEntropy(label_smoothing=smoothing).total(torch.from_numpy(SCORES), target)
        assert found.item() == pytest.approx(-(smooth * log_likelihoods).sum(), rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shares", [ONE_HOT, MIXED], ids=["classes", "mixed"])
def test_binary_cross_entropy_is_a_regression_for_each_class(shares, smoothing):
    likely = 1 / (1 + np.exp(-SCORES))
    smooth = (1 - smoothing) * shares + smoothing / 5
    for target in targets(shares):
        found = BinaryCrossEntropy(label_smoothing=smoothing).total(torch.from_numpy(SCORES), target)
        expected = -(smooth * np.log(likely) + (1 - smooth) * np.log(1 - likely)).sum()
        assert found.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_a_loss_of_parts_is_the_loss_of_the_whole(loss):
    scores, labels = torch.from_numpy(SCORES), torch.from_numpy(LABELS)
    assert loss.weight(labels) == 6.0 and loss.weight(torch.from_numpy(MIXED)) == 6.0
    parts = sum(loss.total(scores[cut], labels[cut]) for cut in (slice(0, 1), slice(1, 6)))
    assert parts.item() == pytest.approx(loss.total(scores, labels).item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_scores_of_half_precision_are_summed_in_full(loss, dtype):
    scores = torch.from_numpy(SCORES).to(dtype).repeat(500, 1)
    labels = torch.from_numpy(LABELS).repeat(500)
    found, exact = loss.total(scores, labels), loss.total(scores.double(), labels)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize(("loss", "expected"), [(CrossEntropy(), math.log(5)), (BinaryCrossEntropy(), 5 * math.log(2))])
def test_a_network_that_knows_nothing(loss, expected):
    assert loss.total(torch.zeros(1, 5), torch.tensor([3])).item() == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_what_is_no_smoothing(smoothing):
    for part in (CrossEntropy, BinaryCrossEntropy):
        with pytest.raises(ValidationError):
            part(label_smoothing=smoothing)
