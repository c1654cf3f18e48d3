"""Schedules against closed forms."""

import math
from fractions import Fraction

import pytest
from pydantic import ValidationError

from archspec.length import Calendar
from archspec.parts.schedule import Constant, Cosine, Linear, MultiStep, Plateau, Poly, Step

CIFAR = Calendar(50_000, 128, "wrap")
ODD = Calendar(3125, 6, "wrap")  # six epochs are 3125 steps, and one is no number that floats hold


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("fields", "t", "drops"),
    [
        ({"every": "100000 steps"}, 99_999, 0),
        ({"every": "100000 steps"}, 100_000, 1),
        ({"every": "100000 steps"}, 450_000, 4),
        ({"every": "81.92 epochs"}, 31_999, 0),
        ({"every": "81.92 epochs"}, 32_000, 1),
        ({"every": "82 epochs"}, 32_031, 0),
        ({"every": "82 epochs"}, 32_032, 1),
        ({"every": "1/2 epochs"}, 195, 0),
        ({"every": "1/2 epochs"}, 196, 1),
        ({"every": "128 samples"}, 7, 7),
    ],
)
def test_step(fields, t, drops):
    step = Step.model_validate(fields | {"factor": 0.96})
    for time in (t, float(t), Fraction(t)):
        assert step.factor_at(time, 10**6, CIFAR) == near(0.96**drops)


@pytest.mark.parametrize("kind", [float, Fraction])
def test_drops_come_at_whole_multiples_of_epochs_that_are_no_floats(kind):
    step = Step.model_validate({"every": "1 epoch", "factor": 0.5})
    at = MultiStep.model_validate({"at": [f"{k} epochs" for k in range(1, 200)], "factor": 0.5})
    for calendar in (ODD, Calendar(7, 10, "wrap"), Calendar(1_281_167, 96, "wrap")):
        for epochs in range(calendar.batch, 180, calendar.batch):
            t = kind(epochs * calendar.steps_per_epoch)
            for schedule in (step, at):
                assert schedule.factor_at(t, 10**6, calendar) == 0.5**epochs
                assert schedule.factor_at(t - 1, 10**6, calendar) > 0.5**epochs


@pytest.mark.parametrize(
    ("last", "t", "drops"),
    [
        ("wrap", 32_031, 0),  # 82 epochs are 32,031.25 steps
        ("wrap", 32_032, 1),
        ("keep", 32_061, 0),
        ("keep", 32_062, 1),
        ("drop", 31_979, 0),
        ("drop", 31_980, 1),
        ("wrap", 48_047, 1),  # 123 epochs are 48,046.875 steps
        ("wrap", 48_046, 1),
        ("wrap", 0, 0),
    ],
)
def test_multi_step_by_epochs(last, t, drops):
    found = MultiStep.model_validate({"at": ["82 epochs", "123.5 epochs"], "factor": 0.1})
    assert found.factor_at(t, 64_000, Calendar(50_000, 128, last)) == near(0.1**drops)


def test_multi_step_takes_its_places_in_any_order_and_unit():
    found = MultiStep.model_validate({"at": ["48000 steps", "81.92 epochs"], "factor": 0.1})
    factors = [found.factor_at(t, 64_000, CIFAR) for t in (31_999, 32_000, 47_999, 48_000)]
    assert factors == near([1, 0.1, 0.1, 0.01])


def test_poly_is_caffes():
    poly = Poly(power=0.5)
    for t in (0, 1, 600_000, 2_399_999, 2_400_000):
        assert poly.factor_at(t, 2_400_000, CIFAR) == near(math.sqrt(1 - t / 2_400_000))
    assert poly.factor_at(3_000_000, 2_400_000, CIFAR) == 0


def test_cosine_at_known_angles():
    found = [Cosine(to=0.1).factor_at(t, 600, CIFAR) for t in (0, 200, 300, 400, 600, 700)]
    assert found == near([1, 0.1 + 0.9 * 0.75, 0.55, 0.1 + 0.9 * 0.25, 0.1, 0.1])


def test_linear_runs_from_one_factor_to_the_other():
    linear = Linear.model_validate({"from": 0.01, "to": 1.0})
    found = [linear.factor_at(Fraction(t), Fraction(25, 2), CIFAR) for t in (0, 5, 10, 20)]
    assert found == near([0.01, 0.01 + 0.99 * 0.4, 0.01 + 0.99 * 0.8, 1])


def test_constant_and_plateau_do_not_move_by_themselves():
    assert Constant(factor=0.3).factor_at(17, 100, CIFAR) == 0.3 and Constant().factor_at(0, 100, CIFAR) == 1
    plateau = Plateau(metric="test.top1_error", factor=0.1, patience=3, drops=2)
    assert {plateau.factor_at(t, 100, CIFAR) for t in range(100)} == {1.0}


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (Step, {"every": "0 steps", "factor": 0.1}),
        (Step, {"every": "1 step", "factor": -0.1}),
        (MultiStep, {"at": [], "factor": 0.1}),
        (Poly, {"power": 0}),
        (Cosine, {}),
        (Linear, {"start": 0.1}),
        (Plateau, {"metric": "a.b", "factor": 1.0, "patience": 1, "drops": 1}),
        (Plateau, {"metric": "a.b", "factor": 0.1, "patience": 0, "drops": 1}),
    ],
)
def test_what_is_no_schedule(part, fields):
    with pytest.raises(ValidationError):
        part.model_validate(fields)
