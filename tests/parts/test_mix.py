"""Mixing the images of a group."""

import math

import numpy as np
import pytest
import torch

from archspec.draw import Draw
from archspec.parts.mix import Cutmix, Mixup, beta
from tests.parts.pictures import draws, spread

IMAGES = torch.from_numpy(np.random.default_rng(2).random((4, 3, 10, 14)))
TARGETS = torch.eye(4, dtype=torch.float64)
BEFORE = [3, 0, 1, 2]
"""The partner of each image is the one before it."""


def test_shares_are_of_a_beta_distribution():
    """Beta(1, 1) is uniform, and Beta(1/2, 1/2) is the law of the arc sine."""
    assert spread([beta(1.0, draw) for draw in draws(1000)], lambda v: v) < 1.95
    arc = [beta(0.5, draw) for draw in draws(1000)]
    assert spread(arc, lambda v: 2 / math.pi * math.asin(math.sqrt(v))) < 1.95
    small = [beta(0.2, draw) for draw in draws(1000)]
    assert np.var(small) == pytest.approx(1 / (4 * 1.4), rel=0.1)  # 1 / (4 (2 alpha + 1))


@pytest.mark.parametrize("step", range(5))
def test_mixup(step):
    pixels, targets = Mixup(alpha=0.2)(IMAGES, TARGETS, Draw("mix", step))
    share = targets[0, 0].item()
    assert share == pytest.approx(beta(0.2, Draw("mix", step)))
    for k, partner in enumerate(BEFORE):
        np.testing.assert_allclose(pixels[k], share * IMAGES[k] + (1 - share) * IMAGES[partner], atol=1e-14)
        np.testing.assert_allclose(targets[k], share * TARGETS[k] + (1 - share) * TARGETS[partner], atol=1e-14)


@pytest.mark.parametrize("step", range(12))
def test_cutmix(step):
    """What was cut is one rectangle, the same of every image; a target's share is its area."""
    pixels, targets = Cutmix(alpha=1.0)(IMAGES, TARGETS, Draw("mix", step))
    cut = (pixels != IMAGES).all(1).any(0)
    rows, columns = cut.any(1).sum().item(), cut.any(0).sum().item()
    assert cut.sum().item() == rows * columns
    for k, partner in enumerate(BEFORE):
        assert torch.equal(pixels[k], torch.where(cut, IMAGES[partner], IMAGES[k]))
        expected = TARGETS[k] + (TARGETS[partner] - TARGETS[k]) * rows * columns / 140
        np.testing.assert_allclose(targets[k], expected, atol=1e-14)


def test_cutmix_cuts_as_much_as_its_share_around_any_place():
    """Yun et al. 2019, section 3.1: sides are those of the image by the root of 1 - share, cut at the border."""
    image = torch.arange(2.0).reshape(2, 1, 1, 1).expand(2, 1, 100, 50).clone()
    sides, corners = [], set()
    for number, draw in enumerate(draws(300, "cut")):
        cut = Cutmix(alpha=1.0)(image, torch.eye(2), draw)[0][0, 0] == 1
        side = math.sqrt(1 - beta(1.0, Draw("cut", number)))
        rows, columns = cut.any(1).nonzero(), cut.any(0).nonzero()
        if not len(rows):
            continue
        borders = {rows.min().item(), columns.min().item(), rows.max().item() - 99, columns.max().item() - 49}
        if 0 not in borders:
            sides.append((len(rows) - 100 * side, len(columns) - 50 * side))
        corners.add((rows.min().item() > 0, columns.min().item() > 0))
    assert len(sides) > 50 and all(abs(apart) <= 1 for pair in sides for apart in pair)
    assert len(corners) == 4


@pytest.mark.parametrize("mix", [Mixup(alpha=0.4), Cutmix(alpha=1.0)])
def test_mixing_keeps_what_there_is(mix):
    for step in range(20):
        before = IMAGES.clone()
        pixels, targets = mix(IMAGES, TARGETS, Draw("mix", step))
        again, _ = mix(IMAGES, TARGETS, Draw("mix", step))
        assert torch.equal(IMAGES, before) and torch.equal(again, pixels)
        assert pixels.shape == IMAGES.shape and pixels.dtype == IMAGES.dtype
        torch.testing.assert_close(targets.sum(1), torch.ones(4, dtype=torch.float64))
        torch.testing.assert_close(targets.sum(0), torch.ones(4, dtype=torch.float64))
        assert targets.min() >= 0
        torch.testing.assert_close(pixels.sum(0), IMAGES.sum(0))


@pytest.mark.parametrize("mix", [Mixup(alpha=0.4), Cutmix(alpha=1.0)])
def test_an_image_alone_stays(mix):
    pixels, targets = mix(IMAGES[:1], TARGETS[:1], Draw("alone"))
    torch.testing.assert_close(pixels, IMAGES[:1])
    torch.testing.assert_close(targets, TARGETS[:1])
