"""Groups of correlated units, against NumPy and a search of all pairs."""

from itertools import combinations
from math import pi

import numpy as np
import pytest
import torch

from archspec_insight import InsightError, correlation_groups
from archspec_insight.measures.correlation import LayerCorrelation, average_linkage, correlation

LINEAR = {"op": "linear", "out_features": 6}
ROWS = [[1, 0, 0], [0, 0, 0], [2, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]]
"""Units 0, 2 and 3 say the same, 1 is constant, 4 and 5 are alone."""


def test_units_that_say_the_same_are_one_group(network, images):
    module, graph = network({"fc": LINEAR}, {"x": [3]}, state={"fc.weight": ROWS})
    x = images(50, 3)
    found = correlation_groups(module, graph, x, layers=["fc"])
    (layer,) = found.layers
    (group,) = layer.groups
    assert (layer.name, layer.units, layer.constant, layer.samples) == ("fc", 6, (1,), 50)
    assert group.units == (0, 2, 3)
    assert group.mean == pytest.approx(1, rel=1e-12)
    assert layer.grouped == 3
    varying = module(x).detach().numpy()[:, [0, 2, 3, 4, 5]]
    strength = np.abs(np.corrcoef(varying.T))
    assert layer.mean == pytest.approx(strength[np.triu_indices(5, 1)].mean(), rel=1e-12)


def test_two_identical_channels_are_one_group(network, images):
    module, graph = network({"conv": {"op": "conv2d", "out_channels": 4, "kernel_size": 3}, "relu": "relu"})
    weight = images(4, 2, 3, 3, seed=3)
    weight[3] = weight[1]
    with torch.no_grad():
        module.get_parameter("conv.weight").copy_(weight)
        module.get_parameter("conv.bias").zero_()
    (layer,) = correlation_groups(module, graph, images(6, 2, 5, 4)).layers
    assert [group.units for group in layer.groups] == [(1, 3)]
    assert layer.samples == 6 * 3 * 2


def test_correlation_is_numpys(images):
    units = images(4, 5, 6)
    units[:, 3] += 2 * units[:, 0]
    expected = np.corrcoef(units.transpose(0, 1).flatten(1).numpy())
    found = correlation(units)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-14)
    assert torch.equal(found, found.T)


def test_large_means_do_no_harm(images):
    units = images(4, 3, 100)
    np.testing.assert_allclose(correlation((units + 1000).float()), correlation(units), atol=1e-5)


def greedy(strength, threshold):
    """Average linkage by its definition."""
    groups = [[number] for number in range(len(strength))]

    def between(pair):
        return np.mean([strength[i, j] for i in pair[0] for j in pair[1]])

    while len(groups) > 1:
        one, other = best = max(combinations(groups, 2), key=between)
        if between(best) < threshold:
            break
        groups = [group for group in groups if group not in best] + [one + other]
    return sorted(sorted(group) for group in groups if len(group) > 1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_linkage_is_that_of_its_definition(seed, threshold):
    generator = np.random.default_rng(seed)
    strength = generator.random((14, 14)) ** 0.5
    strength = (strength + strength.T) / 2
    np.fill_diagonal(strength, 1)
    found = average_linkage(torch.tensor(strength), threshold)
    assert sorted(found) == greedy(strength, threshold)
    for group in found:
        pairs = [strength[i, j] for i, j in combinations(group, 2)]
        assert np.mean(pairs) >= threshold


def test_a_chain_is_not_a_group():
    strength = torch.tensor([[1, 0.9, 0.1], [0.9, 1, 0.85], [0.1, 0.85, 1]])
    assert average_linkage(strength, 0.8) == [[0, 1]]


def test_groups_are_sorted_by_size_and_ties_end():
    strength = torch.eye(7)
    for group in [0, 6], [1, 2, 4]:
        for i, j in combinations(group, 2):
            strength[i, j] = strength[j, i] = 1
    assert average_linkage(strength, 0.5) == [[1, 2, 4], [0, 6]]
    assert average_linkage(torch.ones(5, 5), 0.5) == [[0, 1, 2, 3, 4]]
    assert average_linkage(torch.zeros(0, 0), 0.5) == []


def test_what_chance_gives():
    def chance(samples):
        return LayerCorrelation("x", 2, (), samples, None, ()).chance

    assert chance(3) == pytest.approx(2 / pi)
    assert chance(4) == pytest.approx(1 / 2)
    strength = np.abs(np.corrcoef(np.random.default_rng(0).standard_normal((400, 30))))
    assert strength[np.triu_indices(400, 1)].mean() == pytest.approx(chance(30), rel=0.02)


def test_a_group_of_layers_stands_for_its_last(network, images):
    group = {"layers": {"conv": {"op": "conv2d", "out_channels": 3, "kernel_size": 1}, "relu": "relu"}}
    module, graph = network({"stem": group, "more": group})
    x = images(3, 2, 5, 4)
    by_group = correlation_groups(module, graph, x, layers=["*"]).layers
    by_layer = correlation_groups(module, graph, x, layers=["more.relu", "**.relu"]).layers
    assert [layer.name for layer in by_group] == ["stem", "more"]
    assert [layer.name for layer in by_layer] == ["stem.relu", "more.relu"]
    assert [layer.mean for layer in by_group] == [layer.mean for layer in by_layer]


def test_without_globs_every_relu_of_the_mode(with_auxiliary, images):
    module, graph = with_auxiliary
    x = images(4, 2, 5, 4)
    assert [one.name for one in correlation_groups(module, graph, x).layers] == ["relu1", "relu2", "aux.relu"]
    assert [one.name for one in correlation_groups(module.eval(), graph, x).layers] == ["relu1", "relu2"]


def test_dead_units_alone_have_no_mean(network):
    module, graph = network({"relu": "relu"})
    (layer,) = correlation_groups(module, graph, -torch.ones(2, 2, 5, 4)).layers
    assert (layer.constant, layer.mean, layer.groups) == ((0, 1), None, ())


def test_a_batch_of_one(network, images):
    module, graph = network(
        {"conv": {"op": "conv2d", "out_channels": 2, "kernel_size": 1}, "pool": "global_avg_pool2d"}
    )
    (layer,) = correlation_groups(module, graph, images(1, 2, 5, 4), layers=["conv"]).layers
    assert layer.samples == 20
    with pytest.raises(InsightError) as caught:
        correlation_groups(module, graph, images(1, 2, 5, 4), layers=["pool"])
    assert caught.value.message == "`pool` gives 1 of the 3 samples or more that a correlation needs"
    assert caught.value.hint == "a larger batch: a vector gives one sample for each image"


def test_mistakes(with_auxiliary, network, images):
    x = images(4, 2, 5, 4)
    with pytest.raises(InsightError, match=r"layers: `conv3` matches no layer\n  hint: did you mean `conv[12]`?"):
        correlation_groups(*with_auxiliary, x, layers=["conv3"])
    with pytest.raises(InsightError, match="threshold must be between 0 and 1, found 1"):
        correlation_groups(*with_auxiliary, x, threshold=1)
    module, graph = network({"act": "tanh"})
    with pytest.raises(InsightError, match="tiny has no layer whose op is relu"):
        correlation_groups(module, graph, x)
    module, graph = network({"fc": LINEAR}, {"x": [3]}, state={"fc.weight": [[float("nan")] * 3] * 6})
    with pytest.raises(InsightError, match="the value of `fc` is NaN"):
        correlation_groups(module, graph, images(4, 3), layers=["fc"])
