"""The standalone source: only torch, the same keys, the same bits."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archspec
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import as_tuple, standalone_module
from archspec.ops.form import plain_forms

TANGLED = """
archspec: 1
name: tangled
inputs: {left: [3, 8, 8], right: [3, 8, 8]}
blocks:
  two:
    inputs: [a, b]
    layers:
      c1: {op: conv2d, from: a, out_channels: 4, kernel_size: 3, padding: {left: 2, right: 0, top: 1, bottom: 1}}
      c2: {op: conv2d, from: b, out_channels: 4, kernel_size: 3, padding: 1}
      s: {op: add, from: [c1, c2, c1]}
      aux: sigmoid
layers:
  first: {op: two, from: [left, right]}
  second: {op: two, from: [right, left]}
  self: {op: concat, from: [first.s, second.aux, first.c1]}
  g-1:
    layers:
      - {op: conv2d, out_channels: 4, kernel_size: 1}
      - relu
      - layers: {a: {op: conv2d, out_channels: 4, kernel_size: 1}, b: batch_norm2d}
  seq: {layers: {a: {op: conv2d, out_channels: 4, kernel_size: 1}, b: batch_norm2d}}
  drop: {op: dropout, p: 0.5}
  pool: global_avg_pool2d
  fc: {op: linear, out_features: 3}
  probe: {op: softmax, from: fc}
  t: {op: tanh, from: first.aux}
outputs: {y: fc, t: {from: t, training_only: true}, z: probe, u: second.aux}
"""

HOSTILE = r'''
archspec: 1
name: hostile
description: "\"\"\" + __import__('os').system('touch pwned') + \"\"\" \\"
paper: '"""; raise SystemExit'
inputs: {self_: [3, 8, 8]}
layers:
  F: {op: conv2d, out_channels: 4, kernel_size: 1}
  torch: {op: conv2d, out_channels: 4, kernel_size: 1}
  nn: {layers: {x: {op: conv2d, out_channels: 4, kernel_size: 1}, y: relu, b: batch_norm2d, 3: relu}}
  x: {op: conv2d, out_channels: 4, kernel_size: 1}
  keep: {op: add, from: [x, F, torch]}
outputs: {x: keep, super: x}
'''

NAMESAKES = """
archspec: 1
name: module
inputs: {v: [3, 8, 8]}
blocks: {module: {params: {n: int}, layers: {c: {op: conv2d, out_channels: =n, kernel_size: 1}, r: relu}}}
layers: {a: {op: module, n: 2}, b: {op: module, n: 3}, d: sigmoid}
outputs: {y: b, z: d}
"""

CARRIED = """
archspec: 1
name: scale
inputs: {drop_path: [3, 8, 8]}
blocks:
  layer-norm2d:
    params: {Scale: int, nn: float}
    layers:
      c: {op: conv2d, out_channels: =Scale, kernel_size: 1}
      n: {op: layer_norm2d, eps: 1e-6}
      d: {op: dropout, p: =nn}
layers:
  a: {op: layer-norm2d, Scale: 4, nn: 0.1}
  b: {op: layer-norm2d, Scale: 5, nn: 0.2}
  local_response_norm_within: {op: lrn_within, size: 3, alpha: 1, beta: 0.75, k: 1, divide_by_size: true}
  kept: {op: drop_path, p: 0.5}
  sum: {op: add, from: [kept, local_response_norm_within]}
  norm: {op: lrn_within, size: 5, alpha: 1, beta: 0.75, k: 1, divide_by_size: true}
  seq: {layers: [{op: scale, bias: true}, {op: scale, bias: false}]}
outputs: {y: seq}
"""
"""Names of the network that are also names of what its model.py carries."""

F = """
archspec: 1
name: f
inputs: {x: [3, 8, 8]}
layers: {c: {op: conv2d, out_channels: 4, kernel_size: 1}, r: relu}
outputs: {y: r}
"""

TEXTS = {"tangled": TANGLED, "hostile": HOSTILE, "namesakes": NAMESAKES, "carried": CARRIED, "f": F}

CASES = [
    ("alexnet", {}),
    ("alexnet", {"lrn_groups": 2}),
    ("googlenet", {}),
    ("googlenet", {"aux": False}),
    ("resnet18", {}),
    ("resnet50", {}),
    ("plain18", {}),
    ("resnet-cifar", {"depth": 56}),
    ("resnet-cifar", {"shortcut": "C"}),
    ("plain-cifar", {}),
]


def graph_of(name, settings):
    if name in TEXTS:
        return archspec.compile(archspec.load(text=TEXTS[name]))
    return archspec.compile(name, set=settings)


@pytest.mark.parametrize(("name", "settings"), [*CASES, *((name, {}) for name in TEXTS)])
def test_same_keys_and_bits(name, settings):
    graph = graph_of(name, settings)
    module = archspec.build(graph)
    alone = standalone_module(graph, standalone_source(graph))
    assert list(alone.state_dict()) == list(module.state_dict())
    alone.load_state_dict(module.state_dict())
    inputs = [torch.randn(2, *node.shape.dims) for node in graph.inputs]
    for training in (True, False):
        results = []
        for either in (module, alone):
            torch.manual_seed(1)
            with plain_forms():
                results.append(as_tuple(either.train(training)(*inputs)))
        assert len(results[0]) == len(graph.outputs if training else graph.main_outputs)
        for ours, theirs in zip(*results, strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("name", "settings"), [*CASES, *((name, {}) for name in TEXTS)])
def test_imports_only_torch(name, settings):
    tree = ast.parse(standalone_source(graph_of(name, settings)))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.split(".")[0])
    assert roots <= {"torch", "typing", "collections"}


def test_blocks_become_classes_with_their_params():
    source = standalone_source(archspec.compile("googlenet"))
    assert "def __init__(self, in_channels, n1x1, reduce3x3, n3x3, reduce5x5, n5x5, pool_proj):" in source
    assert source.count("class Inception") == 1
    assert "self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)" in source


def test_it_runs_without_archspec(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(standalone_source(archspec.compile("resnet-cifar")))
    code = (
        "import sys, torch; sys.modules['archspec'] = None; import model; "
        "print(tuple(model.ResnetCifar().eval()(torch.zeros(2, 3, 32, 32)).shape))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "(2, 10)\n"
