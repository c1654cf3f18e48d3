"""Networks to draw: randomly wired ones with groups in groups, densely connected ones, and long ones."""

import json
import random
from typing import Any

import archspec
from archspec.graph.graph import Graph

Data = dict[str, Any]


def random_graph(seed: int) -> Graph:
    """A network of up to 60 layers that read any earlier ones, in groups up to three deep, with auxiliary outputs."""
    chance = random.Random(seed)
    layers: Data = {}
    names = _fill(chance, layers, ["image"], chance.choice([4, 8, 16, 30]), chance.choice([0, 1, 3]))
    unread = [name for name in names if name not in _read(layers)]
    layers["last"] = {"op": "add", "from": [*unread, "image"]}
    outputs: Data = {"main": "last"}
    for number in range(chance.choice([0, 0, 1, 2])):
        layers[f"aux{number}"] = {"from": chance.choice(names), "layers": {"relu": "relu", "pool": "global_avg_pool2d"}}
        outputs[f"aux{number}"] = {"from": f"aux{number}", "training_only": True}
    data = {
        "archspec": 1,
        "name": f"random{seed}",
        "inputs": {"image": [2, 4, 4]},
        "layers": layers,
        "outputs": outputs,
    }
    return archspec.compile(archspec.load(text=json.dumps(data)))


def _fill(chance: random.Random, layers: Data, known: list[str], count: int, deep: int) -> list[str]:
    """Add layers that read known ones; the names of those that may be read from beside them."""
    own: list[str] = []
    for _ in range(count):
        name = f"{chance.choice('abcdefgh') * chance.choice([1, 1, 3, 12])}{chance.getrandbits(24)}"
        recent = [*known[-3:], *own[-6:]]
        if deep and chance.random() < 0.25:
            inner: Data = {}
            inside = _fill(chance, inner, recent, chance.randint(2, 6), deep - 1)
            unread = [layer for layer in inside if layer not in _read(inner)]
            if len(unread) > 1:
                inner["sum"] = {"op": "add", "from": unread}
            layers[name] = {"layers": inner}
        else:
            sources = chance.sample(recent, min(len(recent), chance.choice([1, 1, 1, 2, 2, 3])))
            layers[name] = {"op": "relu", "from": sources[0]} if len(sources) == 1 else {"op": "add", "from": sources}
        own.append(name)
    return own


def _read(layers: Data) -> set[str]:
    """Names that layers read, in groups too."""
    found: set[str] = set()
    for layer in layers.values():
        if isinstance(layer, dict):
            sources = layer.get("from", [])
            found |= {sources} if isinstance(sources, str) else set(sources)
            found |= _read(layer.get("layers", {}))
    return found


def dense_graph(count: int) -> Graph:
    """A densely connected block: every layer reads all earlier ones."""
    layers: Data = {}
    names = ["image"]
    for number in range(count):
        layers[f"cat{number}"] = {"op": "concat", "from": names[:]} if number else "identity"
        layers[f"conv{number}"] = {"op": "conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}
        names.append(f"conv{number}")
    layers["cat"] = {"op": "concat", "from": names}
    return _compiled("dense", layers)


def chain_graph(count: int) -> Graph:
    """A plain chain."""
    return _compiled("chain", {f"relu{number}": "relu" for number in range(count)})


def _compiled(name: str, layers: Data) -> Graph:
    data = {
        "archspec": 1,
        "name": name,
        "inputs": {"image": [4, 8, 8]},
        "layers": layers,
        "outputs": {"main": list(layers)[-1]},
    }
    return archspec.compile(archspec.load(text=json.dumps(data)))
