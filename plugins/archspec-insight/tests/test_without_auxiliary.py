"""The pass `without-auxiliary`."""

import json

import torch
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec_insight import without_auxiliary


def test_it_leaves_out_what_only_training_has():
    whole = archspec.compile("googlenet")
    found = archspec.compile("googlenet", passes=["without-auxiliary"])
    assert found.name == "googlenet-without-auxiliary"
    assert [output.name for output in found.outputs] == ["logits"]
    assert found.params == 6_998_552 == whole.inference().params
    gone = set(whole.digraph) - set(found.digraph)
    assert gone and all(name.startswith(("aux1.", "aux2.")) for name in gone)


def test_values_keys_and_outputs_stay(with_auxiliary, images):
    _, graph = with_auxiliary
    whole, part = archspec.build(graph, seed=4).eval(), archspec.build(without_auxiliary(graph), seed=4)
    state = whole.state_dict()
    assert list(part.state_dict()) == [key for key in state if not key.startswith("aux.")]
    assert all(torch.equal(value, state[key]) for key, value in part.state_dict().items())
    x = images(2, 2, 5, 4).float()
    assert torch.equal(part.eval()(x), whole(x))
    assert part.train()(x).shape == (2, 5)


def test_a_network_without_them_is_as_it_was():
    graph = archspec.compile("alexnet")
    assert without_auxiliary(graph) is graph


def test_what_expand_prints_is_a_spec(tmp_path):
    done = CliRunner().invoke(cli, ["expand", "googlenet", "--pass", "without-auxiliary"])
    assert done.exit_code == 0, done.output
    graph = archspec.compile(archspec.load(text=done.stdout))
    assert (graph.name, graph.params) == ("googlenet-without-auxiliary", 6_998_552)
    done = CliRunner().invoke(cli, ["view", "gradient-flow", "googlenet", "--pass", "without-auxiliary", "--json",
                                    "-o", "batch=1", "-o", "layers=fc"])  # fmt: skip
    assert [loss["output"] for loss in json.loads(done.stdout)["losses"]] == ["logits"]
