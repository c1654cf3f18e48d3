"""Norms of gradients, against autograd on forwards written by hand."""

import pytest
import torch
from torch.nn import functional as F

from archspec_insight import InsightError, gradient_flow

LABELS = [0, 4, 2, 2]


def by_hand(module, x, aux_weight, main_weight=1.0):
    """What `with_auxiliary` computes in evaluation, and the gradients by every value and parameter."""
    state = {key: value.detach().clone() for key, value in module.state_dict().items()}
    parameters = {key: state[key].requires_grad_() for key, _ in module.named_parameters()}
    p, values = {**state, **parameters}, {}
    values["conv1"] = F.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1)
    scale = p["bn1.weight"] / (p["bn1.running_var"] + 1e-5).sqrt()
    shifted = values["conv1"] - p["bn1.running_mean"][:, None, None]
    values["bn1"] = shifted * scale[:, None, None] + p["bn1.bias"][:, None, None]
    trunk = values["bn1"].clamp(min=0)
    values["conv2"] = F.conv2d(trunk, p["conv2.weight"], p["conv2.bias"])
    values["fc"] = values["conv2"].clamp(min=0).mean(dim=(2, 3)) @ p["fc.weight"].T + p["fc.bias"]
    values["aux.fc1"] = trunk.mean(dim=(2, 3)) @ p["aux.fc1.weight"].T + p["aux.fc1.bias"]
    values["aux.fc2"] = values["aux.fc1"].clamp(min=0) @ p["aux.fc2.weight"].T + p["aux.fc2.bias"]
    for value in values.values():
        value.retain_grad()
    losses = [-values[name].log_softmax(1)[range(len(x)), LABELS].mean() for name in ("fc", "aux.fc2")]
    (main_weight * losses[0] + aux_weight * losses[1]).backward()
    return values, parameters, losses


def of_weights(parameters, layer):
    gradients = [value.grad.flatten() for key, value in parameters.items() if key.rpartition(".")[0] == layer]
    return torch.cat(gradients).norm().item()


def test_norms_are_autograds(with_auxiliary, images):
    module, graph = with_auxiliary
    module.eval()
    x = images(4, 2, 5, 4)
    found = gradient_flow(module, graph, x, LABELS)
    assert [layer.name for layer in found.layers] == ["aux.fc2", "aux.fc1", "fc", "conv2", "bn1", "conv1"]
    both, weights, losses = by_hand(module, x, 0.3)
    for layer in found.layers:
        assert layer.value == pytest.approx(both[layer.name].grad.norm().item(), rel=1e-12)
        assert layer.weights == pytest.approx(of_weights(weights, layer.name), rel=1e-12)
    assert [loss.loss for loss in found.losses] == pytest.approx([loss.item() for loss in losses], rel=1e-12)
    assert [(loss.name, loss.weight, loss.training_only) for loss in found.losses] == [
        ("logits", 1.0, False),
        ("aux", 0.3, True),
    ]
    main, weights, _ = by_hand(module, x, 0.0)
    for layer in found.layers:
        assert layer.auxiliary == layer.name.startswith("aux.")
        if layer.auxiliary:
            assert layer.value_main is layer.weights_main is None
        else:
            assert layer.value_main == pytest.approx(main[layer.name].grad.norm().item(), rel=1e-12)
            assert layer.weights_main == pytest.approx(of_weights(weights, layer.name), rel=1e-12)


def test_auxiliary_heads_add_their_weighted_gradient(with_auxiliary, images):
    module, graph = with_auxiliary
    module.eval()
    x = images(4, 2, 5, 4)
    found = {layer.name: layer for layer in gradient_flow(module, graph, x, LABELS).layers}
    main, _, _ = by_hand(module, x, 0.0, 1.0)
    aux, _, _ = by_hand(module, x, 1.0, 0.0)
    for name in "bn1", "conv1":
        expected = (main[name].grad + 0.3 * aux[name].grad).norm().item()
        assert found[name].value == pytest.approx(expected, rel=1e-12)
        assert found[name].value != pytest.approx(found[name].value_main, rel=1e-3)
    for name in "fc", "conv2":
        assert found[name].value == found[name].value_main


def test_in_training_it_is_the_modules_own_backward(with_auxiliary, images):
    """Batch statistics and one draw of dropout, from the seed."""
    module, graph = with_auxiliary
    x = images(4, 2, 5, 4)
    found = gradient_flow(module, graph, x, LABELS, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        logits, aux = module(x)
    target = torch.tensor(LABELS)
    (F.cross_entropy(logits, target) + 0.3 * F.cross_entropy(aux, target)).backward()
    gradients = {key: value for key, value in module.named_parameters()}
    for layer in found.layers:
        assert layer.weights == pytest.approx(of_weights(gradients, layer.name), rel=1e-12)


def test_a_network_without_auxiliary_heads(network, images):
    module, graph = network({"fc": {"op": "linear", "out_features": 3}}, inputs={"x": [2]})
    x = images(5, 2)
    found = gradient_flow(module, graph, x, [0, 1, 2, 0, 1])
    expected = (module(x).softmax(1) - F.one_hot(torch.tensor([0, 1, 2, 0, 1]), 3)) / 5
    (layer,) = found.layers
    assert layer.value == layer.value_main == pytest.approx(expected.norm().item(), rel=1e-12)
    weights = torch.cat([(expected.T @ x).flatten(), expected.sum(0)]).norm().item()
    assert layer.weights == layer.weights_main == pytest.approx(weights, rel=1e-12)
    assert not found.has_auxiliary


def test_loss_weights_of_main_outputs_count(network, images):
    layers = {"fc": {"op": "linear", "out_features": 3}}
    x = images(5, 2)
    once, twice = (
        gradient_flow(*network(layers, {"x": [2]}, {"y": {"from": "fc", "loss_weight": weight}}), x).layers[0]
        for weight in (1.0, 2.0)
    )
    assert twice.value == pytest.approx(2 * once.value, rel=1e-12)


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_probabilities_for_outputs(network, images, op):
    linear = {"fc": {"op": "linear", "out_features": 3}}
    x = images(5, 2)
    logits = gradient_flow(*network(linear, {"x": [2]}), x, [0, 1, 2, 0, 1])
    after = gradient_flow(*network({**linear, "p": op}, {"x": [2]}), x, [0, 1, 2, 0, 1])
    assert after.losses[0].loss == pytest.approx(logits.losses[0].loss, rel=1e-12)
    assert after.layers[0].value == pytest.approx(logits.layers[0].value, rel=1e-9)


def test_every_place_of_a_map_has_the_label_of_its_image(network, images):
    module, graph = network({"conv": {"op": "conv2d", "out_channels": 3, "kernel_size": 1}})
    x = images(2, 2, 5, 4)
    (layer,) = gradient_flow(module, graph, x, [2, 0]).layers
    one_hot = F.one_hot(torch.tensor([2, 0]), 3)[:, :, None, None]
    expected = (module(x).softmax(1) - one_hot) / (2 * 5 * 4)
    assert layer.value == pytest.approx(expected.norm().item(), rel=1e-12)


def test_shared_parameters_are_told_once(network, images):
    layers = {
        "conv": {"op": "conv2d", "out_channels": 2, "kernel_size": 1},
        "again": {"shares": "conv"},
        "pool": "global_avg_pool2d",
    }
    module, graph = network(layers)
    x = images(3, 2, 5, 4)
    again, conv = gradient_flow(module, graph, x, [0, 1, 0]).layers
    assert (again.name, again.weights, again.weights_main) == ("again", None, None)
    assert again.value > 0
    F.cross_entropy(module(x), torch.tensor([0, 1, 0])).backward()
    assert conv.weights == pytest.approx(of_weights(dict(module.named_parameters()), "conv"), rel=1e-12)


def test_frozen_parameters_and_no_grad_do_not_matter(with_auxiliary, images):
    module, graph = with_auxiliary
    x = images(4, 2, 5, 4)
    expected = gradient_flow(module, graph, x)
    module.requires_grad_(False)
    with torch.no_grad():
        assert gradient_flow(module, graph, x) == expected


def test_random_labels_are_the_same_for_all_outputs(with_auxiliary, images):
    module, graph = with_auxiliary
    x = images(4, 2, 5, 4)
    labels = torch.randint(5, (4,), generator=torch.Generator().manual_seed(3))
    assert gradient_flow(module, graph, x, seed=3) == gradient_flow(module, graph, x, labels, seed=3)


def test_globs_choose_layers(with_auxiliary, images):
    found = gradient_flow(*with_auxiliary, images(4, 2, 5, 4), layers=["aux", "conv*"]).layers
    assert [layer.name for layer in found] == ["aux.fc2", "aux.fc1", "conv2", "conv1"]
    with pytest.raises(InsightError, match="layers: `relu1` matches no layer with parameters"):
        gradient_flow(*with_auxiliary, images(4, 2, 5, 4), layers=["relu1"])


def test_mistakes(network, images):
    module, graph = network({"fc": {"op": "linear", "out_features": 1}}, inputs={"x": [2]})
    with pytest.raises(InsightError, match="`fc` has one feature: the cross-entropy of one class is always 0"):
        gradient_flow(module, graph, images(2, 2))
    module, graph = network({"relu": "relu"}, inputs={"x": [2]})
    with pytest.raises(InsightError, match="tiny has no layer with parameters"):
        gradient_flow(module, graph, images(2, 2))
    module, graph = network({"fc": {"op": "linear", "out_features": 3}}, inputs={"x": [2]})
    for labels, message in [
        ([0], "labels must be 2 whole numbers, one for each image, found 1"),
        ([0, 3], "labels must be from 0 to 2, found 3"),
        ([0, -1], "labels must be from 0 to 2, found -1"),
        ([0.0, 1.0], "labels must be 2 whole numbers"),
    ]:
        with pytest.raises(InsightError, match=message):
            gradient_flow(module, graph, images(2, 2), labels)


def test_what_is_not_finite(network):
    state = {"fc.weight": [[float("nan"), 0.0]] * 2}
    module, graph = network({"fc": {"op": "linear", "out_features": 2}}, inputs={"x": [2]}, state=state)
    with pytest.raises(InsightError, match="the loss at the output `y` is NaN"):
        gradient_flow(module, graph, torch.ones(2, 2))


def test_a_gradient_that_is_not_finite(network):
    """Large weights meet zeros on the way forward, and each other on the way back."""
    linear = {"op": "linear", "out_features": 2, "bias": False}
    state = {
        "a.weight": [[0.0, 0.0], [0.0, 0.0]],
        "b.weight": [[1e150, 0], [0, 1e150]],
        "c.weight": [[1e150, 0], [0, 1e150]],
    }
    module, graph = network({"a": linear, "b": linear, "c": linear}, inputs={"x": [2]}, state=state)
    with pytest.raises(InsightError, match="the gradient at `a` is NaN or infinite"):
        gradient_flow(module, graph, torch.ones(2, 2))
