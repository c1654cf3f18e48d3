"""Tiny networks, made in the tests that use them."""

import json

import pytest
import torch

import archspec


@pytest.fixture
def network():
    """A function that gives the module and the graph of layers; the last is the output, unless told."""

    def made(layers, inputs=None, outputs=None, blocks=(), state=None):
        spec = {
            "archspec": 1,
            "name": "tiny",
            "inputs": inputs or {"image": [2, 5, 4]},
            "layers": layers,
            "outputs": outputs or {"y": list(layers)[-1]},
        }
        graph = archspec.compile(archspec.load(text=json.dumps(spec)), blocks=blocks)
        module = archspec.build(graph, dtype=torch.float64)
        with torch.no_grad():
            for key, value in (state or {}).items():
                module.get_parameter(key).copy_(torch.as_tensor(value, dtype=torch.float64))
        return module, graph

    return made


@pytest.fixture
def images():
    """A function that gives random images of a shape."""

    def made(*shape, seed=1):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return made


@pytest.fixture
def with_auxiliary(network):
    """A network with batch norm, dropout and an auxiliary head of weight 0.3."""
    return network(
        {
            "conv1": {"op": "conv2d", "out_channels": 6, "kernel_size": 3, "padding": 1},
            "bn1": "batch_norm2d",
            "relu1": "relu",
            "conv2": {"op": "conv2d", "out_channels": 4, "kernel_size": 3},
            "relu2": "relu",
            "pool": "global_avg_pool2d",
            "drop": {"op": "dropout", "p": 0.5},
            "fc": {"op": "linear", "out_features": 5},
            "aux": {
                "from": "relu1",
                "layers": {
                    "pool": "global_avg_pool2d",
                    "fc1": {"op": "linear", "out_features": 7},
                    "relu": "relu",
                    "fc2": {"op": "linear", "out_features": 5},
                },
            },
        },
        outputs={"logits": "fc", "aux": {"from": "aux", "training_only": True, "loss_weight": 0.3}},
    )
