"""`archspec build`, as a user runs it."""

import json
import os
import pickle
import stat

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import archspec
from archspec.cli.app import cli

FILES = {"spec.yaml", "model.py", "model.safetensors", "graph.svg", "manifest.json"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        return CliRunner().invoke(cli, list(arguments))

    return invoke


def test_what_is_written_is_the_module(run, tmp_path):
    done = run("build", "resnet-cifar", "--seed", "7")
    assert done.exit_code == 0, done.output
    assert "269,722 parameters, as the spec says" in done.output
    folder = tmp_path / "build" / "resnet-cifar"
    assert set(os.listdir(folder)) == FILES
    weights = load_file(folder / "model.safetensors")
    module = archspec.build("resnet-cifar", seed=7)
    assert all(torch.equal(weights[key], value) for key, value in module.state_dict().items())
    assert archspec.compile(folder / "spec.yaml").state_shapes() == archspec.compile("resnet-cifar").state_shapes()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["params"], manifest["macs"], manifest["seed"]) == (269722, 40551040, 7)


def test_the_same_input_gives_the_same_bytes(run, tmp_path):
    for out in ("a", "b"):
        assert run("build", "resnet-cifar", "--out", out).exit_code == 0
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_variant_has_its_own_folder(run, tmp_path):
    assert run("build", "resnet-cifar", "-s", "depth=32", "-s", "shortcut=B").exit_code == 0
    assert (tmp_path / "build" / "resnet-cifar-depth=32-shortcut=B" / "model.py").exists()


def test_files_can_be_read_by_others(run, tmp_path):
    old = os.umask(0o022)
    try:
        run("build", "resnet-cifar")
    finally:
        os.umask(old)
    mode = stat.S_IMODE((tmp_path / "build" / "resnet-cifar" / "model.safetensors").stat().st_mode)
    assert mode == 0o644


def test_random_state_is_left_alone(run):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert run("build", "resnet-cifar").exit_code == 0
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "resnet-cifar", "--device", "gpu"], "device `gpu` cannot be used"),
        (["build", "resnet-cifar", "--device", "meta"], "holds no values"),
        (["build", "resnet-cifar", "--set", "depth=21"], "depth must be 6n + 2"),
        (["build", "resnet-cifar", "--set", "dept=20"], "did you mean `depth`?"),
        (["build", "no-such-net"], "no spec of this name in the zoo"),
        (["build", "alexnet", "--set", "classes=2000000000"], "no room"),
    ],
)
def test_what_goes_wrong_is_told(run, arguments, said, tmp_path):
    done = run(*arguments)
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert not (tmp_path / "build").exists()


def test_an_unwritable_folder_is_told(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("build", "resnet-cifar", "--out", "file/inside")
    assert done.exit_code == 1
    assert "not a directory" in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [["biuld", "alexnet"], ["build"], ["build", "alexnet", "--set", "depth"], ["build", "alexnet", "--seed", "x"]],
)
def test_a_wrong_command_line_exits_with_2(run, arguments):
    assert run(*arguments).exit_code == 2


def test_a_network_without_parameters_builds(run, tmp_path):
    text = "archspec: 1\nname: small\ninputs: {v: [4]}\nlayers: {r: relu}\noutputs: {y: r}\n"
    (tmp_path / "small.yaml").write_text(text)
    done = run("build", "small.yaml")
    assert done.exit_code == 0, done.output
    assert "nothing to differentiate" in done.output


def test_variants_that_differ_in_odd_characters_do_not_share_a_folder(run, tmp_path):
    text = (
        "archspec: 1\nname: v\nparams: {s: a}\ninputs: {v: [4]}\n"
        "layers: {r: {op: linear, out_features: 2, bias: =s != 'a b'}}\noutputs: {y: r}\n"
    )
    (tmp_path / "v.yaml").write_text(text)
    for value in ("a b", "a/b", "a_b", "../../x"):
        assert run("build", "v.yaml", "--set", f"s={value}").exit_code == 0
    assert len(os.listdir(tmp_path / "build")) == 4
    assert set(os.listdir(tmp_path)) == {"build", "v.yaml"}


def test_a_param_set_twice_is_refused(run):
    done = run("build", "alexnet", "--set", "classes=2", "--set", "classes=3")
    assert done.exit_code == 2
    assert "given twice" in done.output


def test_outputs_can_be_pickled():
    module = archspec.build("googlenet")
    outputs = module(torch.randn(2, 3, 224, 224))
    again = pickle.loads(pickle.dumps(outputs))
    assert again._fields == ("logits", "aux1", "aux2")
    assert torch.equal(again.logits, outputs.logits)


def test_an_optimised_network_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(cli, ["build", "resnet-cifar", "--optimize", "inference"])
    assert said.exit_code == 0, said.output
    assert "fold-norms: folded 19 norms into the layers before them" in said.output
    assert "optimised outputs are at most" in said.output and "model.py gives the same bits" in said.output
    folder = tmp_path / "build" / "resnet-cifar-inference"
    assert json.loads((folder / "manifest.json").read_text())["optimize"] == "inference"
    assert "batch_norm2d" not in (folder / "spec.yaml").read_text()
    again = CliRunner().invoke(
        cli, ["build", str(folder / "spec.yaml"), "--weights", str(folder / "model.safetensors")]
    )
    assert again.exit_code == 0, again.output


def test_a_mode_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(cli, ["build", "lenet5", "--optimize", "trainig"])
    assert said.exit_code == 2 and "'inference', 'training'" in said.output
    assert not list(tmp_path.iterdir())


def test_what_is_tried_on_several_devices_is_optimised_too(tmp_path, monkeypatch):
    from archspec.ops.packed_conv2d import PackedConv2d

    monkeypatch.chdir(tmp_path)
    tried = []
    monkeypatch.setattr(
        "archspec.lowering.verify.verify", lambda trial, *_, trains: tried.append((trial, trains)) or ["tried"]
    )
    said = CliRunner().invoke(cli, ["build", "resnet-cifar", "--optimize", "inference", "--devices", "cpu,cpu"])
    assert said.exit_code == 0 and "tried" in said.output
    ((trial, trains),) = tried
    assert not trains and any(isinstance(module, PackedConv2d) for module in trial.modules())
    assert all(value.is_contiguous() for value in trial.state_dict().values())
