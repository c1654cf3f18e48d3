"""Averages of the weights."""

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.length import length
from archspec.parts.average import ExponentialAverage, Mean

WEIGHTS = np.random.default_rng(3).normal(size=50)


def averaged(average):
    """What the shares make of the weights, as they enter one by one."""
    found = 123.0
    for count, weight in enumerate(WEIGHTS):
        share = average.share(count)
        found = (1 - share) * found + share * weight
    return found


def test_a_mean_counts_all_weights_alike():
    assert averaged(Mean()) == pytest.approx(WEIGHTS.mean(), rel=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.9999])
def test_an_exponential_average_forgets(decay):
    ages = np.arange(50)[::-1]
    shares = np.where(ages == 49, 1.0, 1 - decay) * decay**ages
    assert shares.sum() == pytest.approx(1)
    assert averaged(ExponentialAverage(decay=decay)) == pytest.approx((shares * WEIGHTS).sum(), rel=1e-9)


def test_weights_enter_at_every_step_and_buffers_are_the_last_unless_told_otherwise():
    for average in (Mean(), ExponentialAverage(decay=0.9)):
        assert (average.every, average.buffers) == (length("1 step"), "copy")


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_what_is_no_decay(decay):
    with pytest.raises(ValidationError):
        ExponentialAverage(decay=decay)
