"""Lengths, and how steps, samples and epochs of one run relate."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from archspec.length import Calendar, Duration, Length, length


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("64000 steps", 64_000, "step"),
        ("1 step", 1, "step"),
        ("1 epochs", 1, "epoch"),
        ("0.5 epochs", Fraction(1, 2), "epoch"),
        ("1/3 epochs", Fraction(1, 3), "epoch"),
        ("32768 samples", 32_768, "sample"),
        ("81.92 epochs", Fraction(2048, 25), "epoch"),
    ],
)
def test_a_length_is_exact(text, value, unit):
    assert length(text) == Length(Fraction(value), unit)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "30", 30, 30.0, None, "30 hours", "steps 30", "30steps", "1  step", " 30 steps", "30 steps\n"),
        *("-1 steps", "0 steps", "0/3 epochs", "1/0 epochs", ".5 epochs", "1.5/2 epochs", "1e3 steps", "٣ steps"),
        "10000000000000 steps",
    ],
)
def test_what_is_no_length(wrong):
    with pytest.raises(ValueError, match=r"^a length"):
        length(wrong)


def test_a_field_that_holds_a_length():
    class Model(BaseModel):
        every: Duration

    for text, written in [("1/2 epochs", "1/2 epochs"), ("0.50 epochs", "1/2 epochs"), ("1 steps", "1 step")]:
        model = Model.model_validate({"every": text})
        assert model.model_dump(mode="json") == {"every": written}
        assert Model.model_validate_json(model.model_dump_json()) == model
    with pytest.raises(ValidationError, match="a length"):
        Model.model_validate({"every": "often"})


EPOCHS = {
    "wrap": [("32000 steps", "81.92"), ("48000 steps", "122.88"), ("64000 steps", "163.84")],
    "keep": [("32062 steps", "82"), ("391 steps", "1")],
    "drop": [("31980 steps", "82"), ("390 steps", "1")],
}


@pytest.mark.parametrize(("last", "steps", "epochs"), [(last, *row) for last, rows in EPOCHS.items() for row in rows])
def test_steps_of_cifar_in_epochs(last, steps, epochs):
    calendar = Calendar(50_000, 128, last)
    assert calendar.epochs(int(length(steps).value)) == Fraction(epochs)
    assert calendar.steps(length(f"{epochs} epochs")) == length(steps).value


@pytest.mark.parametrize(
    ("epoch", "batch", "last", "text", "steps"),
    [
        (50_000, 128, "wrap", "82 epochs", 32_032),  # 32,031.25
        (50_000, 128, "wrap", "1/2 epochs", 196),  # 195.3125
        (50_000, 128, "keep", "1/2 epochs", 196),  # 195.5
        (50_000, 128, "drop", "1/2 epochs", 195),
        (50_000, 128, "keep", "128 samples", 1),
        (50_000, 128, "drop", "129 samples", 2),
        (1_281_167, 128, "wrap", "90 epochs", 900_821),
        (1_200_000, 128, "wrap", "90 epochs", 843_750),
        (1_281_167, 32, "wrap", "8 epochs", 320_292),
        (45_000, 128, "wrap", "10 steps", 10),
        (100, 20, "keep", "1 epoch", 5),
        (100, 20, "drop", "1 epoch", 5),
        (100, 20, "wrap", "1 epoch", 5),
        (10, 16, "wrap", "3 epochs", 2),  # a batch larger than an epoch
        (10, 16, "keep", "3 epochs", 3),
    ],
)
def test_the_first_step_that_is_at_least_a_length(epoch, batch, last, text, steps):
    assert Calendar(epoch, batch, last).whole_steps(length(text)) == steps


@pytest.mark.parametrize(
    ("last", "step", "expected"),
    [
        ("wrap", 389, [(0, range(49_792, 49_920))]),
        ("wrap", 390, [(0, range(49_920, 50_000)), (1, range(48))]),
        ("wrap", 391, [(1, range(48, 176))]),
        ("keep", 390, [(0, range(49_920, 50_000))]),
        ("keep", 391, [(1, range(128))]),
        ("drop", 389, [(0, range(49_792, 49_920))]),
        ("drop", 390, [(1, range(128))]),
        ("wrap", 64_000 - 1, [(163, range(41_872, 42_000))]),
    ],
)
def test_what_a_step_of_cifar_presents(last, step, expected):
    assert Calendar(50_000, 128, last).presented(step) == expected


@given(st.integers(1, 40), st.integers(1, 60), st.sampled_from(["wrap", "keep", "drop"]))
@settings(max_examples=60, deadline=None)
def test_steps_present_epoch_after_epoch(epoch, batch, last):
    if last == "drop" and batch > epoch:
        return
    calendar = Calendar(epoch, batch, last)
    found = [(e, place) for step in range(50) for e, places in calendar.presented(step) for place in places]
    shown = epoch // batch * batch if last == "drop" else epoch
    expected = [(e, place) for e in range(len(found) // shown + 1) for place in range(shown)]
    assert found == expected[: len(found)]
    if last == "wrap":
        assert len(found) == 50 * batch


@pytest.mark.parametrize("last", ["wrap", "keep", "drop"])
@pytest.mark.parametrize("text", ["1 epoch", "1/3 epochs", "7 steps", "2.5 steps", "300 samples"])
def test_multiples_of_a_length_are_due_once_each(last, text):
    calendar = Calendar(1000, 96, last)
    every = calendar.steps(length(text))
    due = [step for step in range(1, 200) if calendar.due(step, length(text))]
    expected = [-(-(every * k).numerator // (every * k).denominator) for k in range(1, 200)]
    assert due == [step for step in expected if step < 200]
