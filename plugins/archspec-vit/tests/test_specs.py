"""The specs: what they promise, their stochastic depth, and what every command makes of them."""

import json
from importlib.resources import files

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli

FOLDER = files("archspec_vit") / "specs"
SPECS = sorted(path.name.removesuffix(".yaml") for path in FOLDER.iterdir() if path.name.endswith(".yaml"))

TINY = """
archspec: 1
name: tiny
extends: vit_b_16
params: {classes: 5}
inputs: {image: [3, 32, 32]}
let: {patch_size: 8, width: 16, depth: 3, num_heads: 2}
"""

ENCODER = """
archspec: 1
name: encoder
use: [blocks/vit.yaml]
params: {drop_path: 0.0}
inputs: {x: {tokens: [7, 8]}}
layers:
  body: {op: encoder_block, num_heads: 2, mlp_dim: 16, drop_path: =drop_path}
outputs: {y: body}
"""


def run(*arguments, code=0):
    """What a command prints."""
    done = CliRunner().invoke(cli, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def rates(**params):
    graph = archspec.compile("vit_b_16", set=params)
    return [node.block.p for node in graph.layers if node.op == "drop_path"]


def test_these_are_the_specs():
    assert SPECS == ["vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32", "vit_s_16"]


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_keeps_its_promises(name):
    assert f"{name}, " in run("validate", name)


def test_the_files_are_formatted():
    paths = [str(FOLDER / f"{name}.yaml") for name in SPECS]
    run("fmt", "--check", *paths, str(FOLDER / "blocks" / "vit.yaml"))


def test_stochastic_depth_rises_with_depth():
    """Linearly, from nothing in the first block; the same on both branches of one."""
    assert rates() == []
    found = rates(drop_path=0.22)
    assert found == pytest.approx([0.22 * index / 11 for index in range(1, 12) for _ in range(2)])


def test_one_block_alone_has_no_stochastic_depth():
    one = archspec.load(text=TINY.replace("depth: 3", "depth: 1"))
    assert not [node for node in archspec.compile(one, set={"drop_path": 0.5}).layers if node.op == "drop_path"]


def test_stochastic_depth_leaves_an_image_to_the_shortcut():
    """With probability 0.9 on each of the two branches, 0.81 of the images go through a block unchanged."""
    network = archspec.build(archspec.load(text=ENCODER), set={"drop_path": 0.9})
    x = torch.randn(400, 7, 8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unchanged = (network(x) == x).all(dim=2).all(dim=1)
    assert 0.75 < unchanged.float().mean() < 0.87
    assert not (network.eval()(x) == x).all(dim=2).any()


@pytest.mark.parametrize("rates", [{}, {"dropout": 0.1, "attention_dropout": 0.2, "drop_path": 0.3}])
def test_training_takes_the_memory_that_is_said(rates, tmp_path):
    """What backward keeps, each storage once."""
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY.replace("32, 32", "96, 64"))
    spec = archspec.load(file)
    network = archspec.build(spec, set=rates)
    own = {value.untyped_storage().data_ptr() for value in network.state_dict().values()}
    held = {}

    def pack(value):
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return value

    images = torch.randn(2, 3, 96, 64)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        output = network(images)
    settings = [text for name, rate in rates.items() for text in ("--set", f"{name}={rate}")]
    said = json.loads(run("summary", str(file), "--json", "--batch", "2", *settings))["memory"]["saved_activations"]
    assert sum(held.values()) == pytest.approx(said, rel=0.002)
    del output


def test_other_sizes_of_image():
    graph = archspec.compile("vit_b_16", inputs={"image": (3, 160, 320)})
    assert graph["encoder.pos_embedding"].weights[""].shape == (1, 201, 768)
    with pytest.raises(archspec.SpecError, match="16 does not divide the width, 321"):
        archspec.compile("vit_b_16", inputs={"image": (3, 160, 321)})


def test_summary_and_explain_name_every_layer():
    printed = run("summary", "vit_b_16")
    assert "encoder.layers.encoder_layer_11.self_attention" in printed
    assert "86,567,656 params, 17,563,828,224 MACs" in printed
    assert "3072 x 768" in run("explain", "vit_b_16", "encoder.layers.encoder_layer_0.mlp.0")


def test_diff_shows_the_patch():
    assert "patch_size 16 -> 32" in " ".join(run("diff", "vit_b_16", "vit_b_32", code=1).split())


def test_the_expanded_spec_is_the_same_network(tmp_path):
    file = tmp_path / "expanded.yaml"
    file.write_text(run("expand", "vit_b_16"))
    expanded, graph = archspec.compile(archspec.load(file)), archspec.compile("vit_b_16")
    assert expanded.state_shapes() == graph.state_shapes()
    assert (expanded.params, expanded.macs) == (graph.params, graph.macs)


def test_the_schema_knows_the_ops():
    text = json.dumps(json.loads(run("schema")))
    assert all(f'"const": "{op}"' in text for op in ("self_attention", "class_token", "patch_embedding"))


def test_build_and_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = "init:\n  - {match: heads.head, weight: {normal: {std: 1.0}}}\n"  # a head of zeros would hide every mistake
    (tmp_path / "tiny.yaml").write_text(TINY + seen)
    assert "model.py gives the same bits" in run("build", "./tiny.yaml", "--set", "drop_path=0.1")
    assert "in onnxruntime" in run("export", "./tiny.yaml", "--format", "onnx")


def test_tokens_as_input_can_be_exported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encoder.yaml").write_text(ENCODER)
    assert "y Nx7x8" in run("export", "./encoder.yaml", "--format", "onnx")
    assert "9x8" in run("summary", "./encoder.yaml", "--input", "x=9x8")
