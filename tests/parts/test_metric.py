"""Metrics: errors among the first answers."""

import pytest
import torch

from archspec.parts.metric import Top1Error, Top5Error

nan, inf = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("scores", "label", "top1", "top5"),
    [
        ([0.1, 0.9, 0.0, 0.2, 0.3, 0.4], 1, 0, 0),
        ([0.1, 0.9, 0.0, 0.2, 0.3, 0.4], 5, 1, 0),
        ([0.1, 0.9, 0.0, 0.2, 0.3, 0.4], 0, 1, 0),
        ([0.1, 0.9, 0.0, 0.2, 0.3, 0.4], 2, 1, 1),
        ([1, 1, 1, 1, 1, 1], 0, 0, 0),  # among equal ones, lower classes come first
        ([1, 1, 1, 1, 1, 1], 4, 1, 0),
        ([1, 1, 1, 1, 1, 1], 5, 1, 1),
        ([0, 2, 2, 0, 0, 0], 1, 0, 0),
        ([0, 2, 2, 0, 0, 0], 2, 1, 0),
        ([-inf, -inf, 0, -inf, -inf, -inf], 2, 0, 0),
        ([inf, 0, inf, 0, 0, 0], 0, 0, 0),
        ([nan, nan, nan, nan, nan, nan], 0, 1, 1),  # no number is no answer
        ([nan, 0, 9, 0, 0, 0], 2, 1, 1),
        ([9, 0, 0, 0, 0, nan], 0, 1, 1),
        ([0.2, 0.1, 0.3], 1, 1, 0),  # fewer classes than five
        ([0.2, nan, 0.3], 2, 1, 1),
        ([5.0], 0, 0, 0),
        ([nan], 0, 1, 1),
    ],
)
def test_errors(scores, label, top1, top5):
    output = torch.tensor([scores], dtype=torch.float32)
    shares = 0.6 * torch.nn.functional.one_hot(torch.tensor([label]), len(scores)).float()
    shares[:, 0] += 0.4
    for target in [torch.tensor([label]), shares]:
        for metric, expected in [(Top1Error(), top1), (Top5Error(), top5)]:
            wrong, count = metric.count(output, target)
            assert (wrong.item(), count) == (expected, 1.0)


def test_errors_are_counted_over_a_batch_as_by_sorting():
    output = torch.randn(200, 12, generator=torch.Generator().manual_seed(1))
    target = torch.arange(200) % 12
    order = output.argsort(1, descending=True).tolist()
    for metric, top in [(Top1Error(), 1), (Top5Error(), 5)]:
        wrong, count = metric.count(output, target)
        assert count == 200.0
        assert wrong.item() == sum(label not in row[:top] for row, label in zip(order, target.tolist(), strict=True))
        assert metric.better == "lowest"
