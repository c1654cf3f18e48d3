"""`archspec export`, as a user runs it."""

import os

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import archspec
from archspec.cli.app import cli

SPEC = "resnet-cifar"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        return CliRunner().invoke(cli, list(arguments))

    return invoke


def test_onnx_with_weights_of_a_file(run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    module = archspec.build(SPEC, seed=6).eval()
    save_file(module.state_dict(), "a.safetensors")
    done = run("export", SPEC, "--format", "onnx", "--weights", "a.safetensors")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"a.safetensors covers all {len(module.state_dict())} tensors of resnet-cifar"
    assert lines[1] == "resnet-cifar: image Nx3x32x32 -> logits Nx10"
    assert lines[2].startswith("batches of 1 and 3 in onnxruntime: at most ")
    assert lines[3].startswith("wrote build/resnet-cifar/model.onnx (") and len(lines) == 4
    assert os.listdir(tmp_path / "build" / "resnet-cifar") == ["model.onnx"]
    session = onnxruntime.InferenceSession("build/resnet-cifar/model.onnx", providers=["CPUExecutionProvider"])
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            torch.from_numpy(session.run(["logits"], {"image": images.numpy()})[0]),
            module(images),
            rtol=1e-4,
            atol=1e-5,
        )


def test_an_exported_program_of_features_at_a_chosen_place(run, tmp_path):
    done = run("export", SPEC, "--format", "torch-export", "--outputs", "stage1,fc", "--seed", "2", "--out", "x/y.pt2")
    assert done.exit_code == 0, done.output
    assert "-> stage1 Nx16x32x32, fc Nx10\n" in done.output
    found = torch.export.load(tmp_path / "x" / "y.pt2").module()(torch.zeros(3, 3, 32, 32))
    expected = archspec.build(SPEC, seed=2).eval()(torch.zeros(3, 3, 32, 32))
    assert torch.equal(found["fc"], expected)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--format", "tflite"], 2, "'tflite' is not one of"),
        ([], 2, "Missing option '--format'"),
        (["--format", "onnx", "--outputs", "stage9"], 1, "there is no layer `stage9`"),
        (["--format", "onnx", "--pass", "none"], 1, "there is no pass `none`"),
        (["--format", "onnx", "--weights", "none.pth"], 1, "none.pth: no such file"),
        (["--format", "onnx", "--out", "file/model.onnx"], 1, "not a directory"),
    ],
)
def test_what_goes_wrong_is_told_and_nothing_written(run, tmp_path, arguments, status, said):
    (tmp_path / "file").write_text("")
    done = run("export", SPEC, *arguments)
    assert done.exit_code == status
    assert said in done.output + str(done.exception)
    assert os.listdir(tmp_path) == ["file"]
