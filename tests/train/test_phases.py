"""Learning rates over a run."""

from fractions import Fraction

import pytest

from archspec.length import Calendar
from archspec.parts.schedule import Plateau
from archspec.recipe.files import load_recipe
from archspec.train.phases import Phase, at_step, factor, seen

CIFAR = Calendar(50_000, 128, "wrap")


def rates(schedule, steps, calendar, length, phase=None):
    found = []
    for step in steps:
        now = at_step(schedule, phase or Phase(), step, calendar)
        found.append(factor(schedule, now, step, calendar, length))
    return found


def test_papers_drops_come_at_their_steps():
    schedule = load_recipe("resnet-2015-cifar").recipe.schedule
    assert rates(schedule, [0, 31_999, 32_000, 47_999, 48_000, 63_999], CIFAR, 64_000) == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_warm_up_until_a_condition_counts_on_the_clock_of_the_run():
    schedule = load_recipe("resnet-2015-cifar-110").recipe.schedule
    assert rates(schedule, [0, 399], CIFAR, 64_000) == pytest.approx([0.1, 0.1])
    after = Phase(1, Fraction(400))
    assert rates(schedule, [400, 31_999, 32_000], CIFAR, 64_000, after) == pytest.approx([1, 1, 0.1])


def test_googlenet_drops_four_per_cent_every_eight_epochs():
    schedule = load_recipe("googlenet-2014").recipe.schedule
    calendar = Calendar(1_281_167, 32, "wrap")
    eight = 8 * 1_281_167 / 32
    found = rates(schedule, [int(eight), int(eight) + 1, int(10 * eight) + 1], calendar, 10**7)
    assert found == pytest.approx([1, 0.96, 0.96**10])


def test_modern_recipe_warms_up_by_epochs_and_ends_near_none():
    schedule = load_recipe("modern").recipe.schedule
    calendar = Calendar(1_281_167, 1024, "keep")
    epoch = int(calendar.steps_per_epoch)
    assert epoch == 1252
    found = rates(schedule, [0, epoch - 1, epoch, 5 * epoch - 1, 5 * epoch, 599 * epoch], calendar, 600 * epoch)
    assert found[0] == found[1] == 0.01
    assert found[2] == pytest.approx(0.01 + 0.99 / 5) and found[3] == pytest.approx(0.01 + 0.99 * 4 / 5)
    assert found[4] == 1.0 and 0 < found[5] < 1e-5


def test_phases_that_last_follow_each_other():
    text = """[
      {op: constant, factor: 0.5, lasts: 3 steps},
      {op: linear, from: 1, to: 0, lasts: 4 steps, clock: phase},
      {op: step, every: 2 steps, factor: 0.1, clock: phase},
    ]"""
    schedule = load_recipe("quick", {"schedule": text}).recipe.schedule
    found = rates(schedule, range(12), CIFAR, 12)
    assert found == pytest.approx([0.5] * 3 + [1, 0.75, 0.5, 0.25] + [1, 1, 0.1, 0.1, 0.01])


def test_plateau_drops_after_patience_and_no_more_than_its_drops():
    plateau = Plateau(metric="a.b", factor=0.1, patience=2, drops=2, better_by=0.01)
    phase, drops = Phase(), []
    for value in (0.9, 0.8, 0.795, 0.8, 0.5, 0.6, 0.495, 0.7, 0.7, 0.7, 0.7):
        phase = seen(plateau, phase, value, lowest=True)
        drops.append(phase.drops)
    assert drops == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert phase.best == 0.5
    assert rates([plateau], [5], CIFAR, 10, phase) == pytest.approx([0.01])


def test_plateau_of_what_should_be_high():
    plateau = Plateau(metric="a.b", factor=0.1, patience=1, drops=1)
    phase = seen(plateau, seen(plateau, Phase(), 0.5, lowest=False), 0.6, lowest=False)
    assert (phase.best, phase.drops) == (0.6, 0)
    assert seen(plateau, phase, 0.6, lowest=False).drops == 1
