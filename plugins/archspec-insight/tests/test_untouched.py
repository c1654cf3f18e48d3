"""A measurement leaves everything as it was, and gives the same every time."""

import pytest
import torch

import archspec
from archspec_insight import InsightError, correlation_groups, dead_relus, gradient_flow

MEASURES = [dead_relus, gradient_flow, correlation_groups]
WITH_DROPOUT = {
    "conv": {"op": "conv2d", "out_channels": 8, "kernel_size": 3},
    "bn": "batch_norm2d",
    "drop": {"op": "dropout", "p": 0.5},
    "relu": "relu",
    "pool": "global_avg_pool2d",
    "fc": {"op": "linear", "out_features": 4},
}


@pytest.mark.parametrize("measure", MEASURES)
def test_module_images_and_random_state_are_untouched(network, images, measure):
    module, graph = network(WITH_DROPOUT)
    x = images(4, 2, 5, 4)
    module(x).sum().backward()
    module.bn.eval()
    module.fc.requires_grad_(False)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    gradients = {key: value.grad.clone() for key, value in module.named_parameters() if value.grad is not None}
    before, random = x.clone(), torch.get_rng_state()
    measure(module, graph, x)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(x, before) and not x.requires_grad
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert all(torch.equal(module.get_parameter(key).grad, value) for key, value in gradients.items())
    assert module.training and module.conv.training and not module.bn.training
    assert module.conv.weight.requires_grad and not module.fc.weight.requires_grad


@pytest.mark.parametrize("measure", MEASURES)
def test_a_seed_decides_everything(network, images, measure):
    module, graph = network(WITH_DROPOUT)
    x = images(4, 2, 5, 4)
    first = measure(module, graph, x, seed=5)
    torch.rand(3)
    assert measure(module, graph, x, seed=5) == first
    assert measure(module, graph, x, seed=6) != first


def test_parts_keep_their_modes(network, images):
    """Batch norm that is kept in evaluation, as fine-tuning does, uses its moving averages."""
    module, graph = network({"bn": "batch_norm2d", "relu": "relu"})
    x = -1 - images(4, 2, 5, 4).abs()
    assert dead_relus(module, graph, x).dead == 0
    module.bn.eval()
    assert dead_relus(module, graph, x).dead == 2


def test_the_type_of_the_module_is_kept(network, images):
    module, graph = network(WITH_DROPOUT)
    single = archspec.build(graph)
    single.load_state_dict(module.state_dict())
    x = images(4, 2, 5, 4)
    double, single = gradient_flow(module, graph, x).layers[-1], gradient_flow(single, graph, x).layers[-1]
    assert single.value == pytest.approx(double.value, rel=1e-4)
    assert single.value != double.value


def test_several_inputs_by_name(network, images):
    layers = {"both": {"op": "concat", "from": ["left", "right"]}, "relu": "relu"}
    module, graph = network(layers, {"left": [1, 2, 2], "right": [2, 2, 2]})
    x = {"right": images(3, 2, 2, 2), "left": -torch.ones(3, 1, 2, 2)}
    assert dead_relus(module, graph, x).layers[0].dead == (0,)
    for given, message in [
        ({"left": x["left"]}, "no images for the input `right`, found left"),
        (x["left"], "no images for the input `right`, found left"),
        ({**x, "left": x["left"][:2]}, "inputs have different numbers of images: `left` 2, `right` 3"),
        ({**x, "left": x["right"]}, "`left` must be N x 1 x 2 x 2, found 3 x 2 x 2 x 2"),
        ({**x, "left": x["left"].int()}, "`left` must be of floating-point numbers, found torch.int32"),
        ({**x, "left": x["left"] / 0}, "`left` has pixels that are NaN or infinite"),
        ({name: tensor[:0] for name, tensor in x.items()}, "`left` must be N x 1 x 2 x 2, found 0 x 1"),
    ]:
        with pytest.raises(InsightError, match=message):
            dead_relus(module, graph, given)


def test_a_module_of_another_graph_is_refused(network, images):
    module, _ = network(WITH_DROPOUT)
    _, graph = network({**WITH_DROPOUT, "conv": {"op": "conv2d", "out_channels": 9, "kernel_size": 3}})
    with pytest.raises(InsightError, match=r"was not built from tiny: `conv.weight` is \(8, 2, 3, 3\), expected \(9,"):
        dead_relus(module, graph, images(2, 2, 5, 4))
    with pytest.raises(InsightError, match=r"it has no `conv\.weight`"):
        dead_relus(torch.nn.Sequential(module), graph, images(2, 2, 5, 4))
