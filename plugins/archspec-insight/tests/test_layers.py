"""Globs mean here what they mean in archspec."""

import pytest

import archspec
from archspec_insight.layers import covered, named

GRAPH = archspec.compile("googlenet")


@pytest.mark.parametrize(
    "glob", ["fc", "aux*", "inception3a", "inception*.conv3x3", "**.conv", "*.conv", "inception4a.**.conv", "c*1.c*v"]
)
def test_covered_is_what_freeze_freezes(glob):
    keys = {key for key, value in archspec.build(GRAPH, freeze=glob).named_parameters() if not value.requires_grad}
    chosen = covered([node for node in GRAPH.layers if node.weights], [glob], "layer")
    assert {node.key(name) for node in chosen for name in node.weights} == keys


@pytest.mark.parametrize("path", ["inception3a", "inception3a.conv1x1", "aux1", "fc", "inception4d.concat"])
def test_a_name_is_what_outputs_give(path):
    (output,) = archspec.compile("googlenet", outputs=[path]).outputs
    assert {name: node.name for name, node in named(GRAPH, [path]).items()} == {path: output.node}


def test_names_are_in_execution_order_each_once_and_short():
    found = named(GRAPH, ["fc", "inception3a.concat", "inception3*", "conv1"])
    assert list(found) == ["conv1", "inception3a", "inception3b", "fc"]
    assert [node.name for node in found.values()] == ["conv1.relu", "inception3a.concat", "inception3b.concat", "fc"]
