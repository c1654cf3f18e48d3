"""Hypothesis strategies: whole networks as the data of a spec, and mutations of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

import archspec
from archspec.spec.document import Spec

Data = dict[str, Any]

MAX_POOL = {"op": "max_pool2d", "kernel_size": 3, "stride": 1, "ceil_mode": False}
BLOCKS: Data = {
    "res": {
        "params": {"width": {"type": "int"}, "stride": 1},
        "layers": {
            "conv1": {"op": "conv2d", "out_channels": "=width", "kernel_size": 3, "stride": "=stride", "padding": 1},
            "bn1": "batch_norm2d",
            "relu1": "relu",
            "conv2": {"op": "conv2d", "out_channels": "=width", "kernel_size": 3, "padding": 1, "bias": False},
            "short": {
                "from": "input",
                "when": "=stride != 1 or input.channels != width",
                "else": "input",
                "layers": {"conv": {"op": "conv2d", "out_channels": "=width", "kernel_size": 1, "stride": "=stride"}},
            },
            "add": {"op": "add", "from": ["conv2", "short"]},
        },
    },
    "inc": {
        "params": {"a": {"type": "int"}, "b": 2},
        "let": {"c": "=a + b"},
        "layers": {
            "one": {"op": "conv2d", "out_channels": "=a", "kernel_size": 1},
            "three": {"op": "conv2d", "from": "input", "out_channels": "=b", "kernel_size": 3, "padding": 1},
            "five": {
                "from": "input",
                "layers": [
                    {"op": "conv2d", "out_channels": "=c", "kernel_size": 1},
                    "relu",
                    {"op": "conv2d", "out_channels": "=b", "kernel_size": 5, "padding": 2},
                ],
            },
            "pool": {
                "op": "max_pool2d",
                "from": "input",
                "kernel_size": 3,
                "stride": 1,
                "padding": 1,
                "ceil_mode": False,
            },
            "cat": {"op": "concat", "from": ["one", "three", "five", "pool"]},
        },
    },
    "nest": {
        "params": {"width": 3, "times": 2},
        "layers": {
            "first": {"op": "res", "width": "=width"},
            "rest": {"op": "res", "width": "=width", "repeat": "=times"},
            "again": {"shares": "rest"},
            "both": {"op": "add", "from": ["first", "again"]},
        },
    },
}
"""The blocks that random networks use."""

SMALL = st.integers(1, 4)


def convolution(draw: st.DrawFn) -> Data:
    kernel = draw(st.sampled_from([1, 2, 3, 5]))
    padding: Any = draw(
        st.sampled_from([kernel // 2, [kernel // 2, kernel - 1], {"left": kernel - 1, "top": 2}, "same"])
    )
    return {
        "op": "conv2d",
        "out_channels": draw(SMALL),
        "kernel_size": kernel,
        "stride": draw(st.sampled_from([1, 1, 1, 2])),
        "padding": padding,
        "dilation": draw(st.sampled_from([1, 1, 2])) if padding == "same" else 1,
        "bias": draw(st.booleans()),
    }


def pool(draw: st.DrawFn) -> Data:
    op = draw(st.sampled_from(["max_pool2d", "avg_pool2d"]))
    kernel = draw(st.integers(2, 3))
    fields = {"kernel_size": kernel, "stride": draw(st.integers(1, 2)), "padding": 1, "ceil_mode": draw(st.booleans())}
    return {"op": op, **fields} | ({"count_include_pad": True} if op == "avg_pool2d" else {})


def plain_layer(draw: st.DrawFn) -> Any:
    kind = draw(st.integers(0, 9))
    if kind < 4:
        return convolution(draw)
    if kind < 6:
        return pool(draw)
    if kind == 6:
        return {"op": "lrn", "size": 3, "alpha": 0.1, "beta": 0.75, "k": 1, "divide_by_size": True, "groups": 1}
    if kind == 7:
        return {"op": "dropout", "p": 0.5}
    return draw(st.sampled_from(["batch_norm2d", "relu", "tanh"]))


def block_use(draw: st.DrawFn) -> Data:
    op = draw(st.sampled_from(["res", "inc", "nest"]))
    used: Data = {"op": op}
    if op == "res":
        used |= {"width": draw(SMALL), "stride": draw(st.sampled_from([1, "=2 if first else 1"]))}
    elif op == "inc":
        used |= {"a": draw(SMALL)}
    else:
        used |= {"width": draw(SMALL), "times": draw(st.integers(1, 2))}
    flat = draw(st.booleans())
    count = draw(st.integers(1, 3))
    used["repeat"] = {"count": count, "flat": True, "start": draw(st.integers(0, 2))} if flat else count
    return used


@st.composite
def networks(draw: st.DrawFn, size: int = 24, channels: int = 3, most: int = 7) -> Data:
    """A valid network on a feature map, with one output per top-level layer's value beside the main one."""
    layers: Data = {}
    aside: list[str] = []
    for number in range(draw(st.integers(1, most))):
        name = f"n{number}"
        kind = draw(st.integers(0, 9))
        if kind < 5:
            layers[name] = plain_layer(draw)
        elif kind < 8:
            layers[name] = block_use(draw)
        elif kind == 8:
            layers[name] = {"layers": {"a": plain_layer(draw), "b": plain_layer(draw)}}
        else:
            layers[name] = {"op": "relu", "when": draw(st.sampled_from(["=flag", "=not flag"])), "else": _last(layers)}
        aside.append(name)
    layers["gap"] = "global_avg_pool2d"
    layers["fc"] = {"op": "linear", "out_features": "=classes"}
    outputs: Data = {"logits": "fc"}
    present = [name for name in aside if not (isinstance(layers[name], dict) and "when" in layers[name])]
    if present and draw(st.booleans()):
        head = draw(st.sampled_from(present))
        layers["aux_gap"] = {"op": "global_avg_pool2d", "from": head}
        layers["aux"] = {"op": "linear", "out_features": "=classes"}
        outputs["aux"] = {"from": "aux", "training_only": True, "loss_weight": 0.3}
    return {
        "archspec": 1,
        "name": "random",
        "params": {"classes": 3, "flag": draw(st.booleans())},
        "inputs": {"image": [channels, size, size]},
        "blocks": BLOCKS,
        "layers": layers,
        "outputs": outputs,
    }


def _last(layers: Data) -> str:
    return next(reversed(layers)) if layers else "image"


def loaded(data: Any) -> Spec:
    """The spec of some data, each value on a line of its own."""
    return archspec.load(text=json.dumps(data, indent=1))


# Mutations.

STRANGE: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**12, "", "relu", "nowhere", "conv2d", "image", "input", "n0", "*", "a.b"),
    *("=classes", "=1 // 0", "=[", "=n0.channels", "=index"),
    *([], [1], [3, 8, 8], {}, {"op": "relu"}, {"layers": {}}, {"shares": "n0"}, {"a": 1}),
]
NAMES = ["op", "from", "layers", "repeat", "when", "else", "place", "shares", "n0", "stride", "input", "x", "", "type"]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in the data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A network with a few mistakes, or changes that happen to be none."""
    data = copy.deepcopy(draw(networks(most=4)))
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(list(places(data))))
        holder = data
        for step in path:
            holder = holder[step]
        kind = draw(st.sampled_from(["set", "set", "delete", "rename", "swap"]))
        if kind == "delete":
            del holder[key]
        elif kind == "set" or not isinstance(holder, dict):
            holder[key] = draw(st.sampled_from(STRANGE))
        elif kind == "rename":
            holder[draw(st.sampled_from(NAMES))] = holder.pop(key)
        else:
            holder[key] = holder.pop(key)
        if not data:
            break
    return data
