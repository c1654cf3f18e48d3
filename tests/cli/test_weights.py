"""`archspec weights check` and `archspec build --weights`, as a user runs them."""

import json
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import archspec
from archspec.cli.app import cli

SPEC = "resnet-cifar"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        return CliRunner().invoke(cli, list(arguments))

    return invoke


@pytest.fixture
def state(run):
    return archspec.build(SPEC, seed=5).state_dict()


def test_a_whole_file_is_covered(run, state):
    save_file(state, "a.safetensors")
    torch.save(state, "a.pth")
    for file in "a.safetensors", "a.pth":
        done = run("weights", "check", SPEC, file)
        assert done.exit_code == 0, done.output
        assert done.output == f"{file} covers all {len(state)} tensors of resnet-cifar\n"


def test_what_is_not_covered_fails_and_can_be_allowed(run, state):
    del state["fc.bias"]
    save_file(state | {"extra": torch.zeros(3)}, "a.safetensors")
    done = run("weights", "check", SPEC, "a.safetensors")
    assert done.exit_code == 1
    assert "1 missing:\n    fc.bias 10\n" in done.output
    assert "1 unexpected:\n    extra 3\n" in done.output
    allowed = ["--allow-missing", "fc", "--allow-unexpected", "extra"]
    assert run("weights", "check", SPEC, "a.safetensors", *allowed[:2]).exit_code == 1
    assert run("weights", "check", SPEC, "a.safetensors", *allowed).exit_code == 0


def test_renames_come_from_a_file(run, state, tmp_path):
    save_file({f"net.{name}": value for name, value in state.items()}, "a.safetensors")
    (tmp_path / "names.yaml").write_text('"net.**.*": "**.*"\n')
    assert run("weights", "check", SPEC, "a.safetensors").exit_code == 1
    assert run("weights", "check", SPEC, "a.safetensors", "--rename", "names.yaml").exit_code == 0


def test_the_header_of_safetensors_is_read_without_torch(run, state, tmp_path):
    save_file(state, "a.safetensors")
    arguments = ["archspec", "weights", "check", SPEC, "a.safetensors"]
    program = (
        f"import sys; sys.argv = {arguments!r}\nfrom archspec.cli.app import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x02", b"\x10\x00\x00\x00\x00\x00\x00\x00{"])
def test_a_bad_file_is_told_by_name(run, content, tmp_path):
    (tmp_path / "bad.pth").write_bytes(content)
    done = run("weights", "check", SPEC, "bad.pth")
    assert done.exit_code == 1
    assert str(done.exception).startswith("bad.pth: ")


def test_build_writes_the_weights_of_the_file(run, state, tmp_path):
    wide = {name: value.double() if value.is_floating_point() else value for name, value in state.items()}
    save_file({name: value for name, value in wide.items() if name != "fc.bias"}, "a.safetensors")
    done = run("build", SPEC, "--weights", "a.safetensors", "--allow-missing", "fc.bias", "--out", "out")
    assert done.exit_code == 0, done.output
    assert "converted from float64 to float32" in done.output
    written = load_file("out/model.safetensors")
    fresh = archspec.build(SPEC, seed=0).state_dict()
    for name, value in written.items():
        assert torch.equal(value, fresh[name] if name == "fc.bias" else state[name]), name
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["weights"]["missing"] == ["fc.bias"]
    assert len(manifest["weights"]["sha256"]) == 64


def test_build_refuses_weights_of_another_network(run, state, tmp_path):
    save_file(state, "a.safetensors")
    done = run("build", SPEC, "--set", "classes=3", "--weights", "a.safetensors")
    assert done.exit_code == 1
    assert "fc.weight is 10x64, expected 3x64" in str(done.exception)
    assert not (tmp_path / "build").exists()


def test_options_about_no_weights_are_a_wrong_command_line(run):
    done = run("build", SPEC, "--allow-missing", "fc")
    assert done.exit_code == 2
    assert "go with --weights" in done.output
