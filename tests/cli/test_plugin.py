"""archspec plugin new: a package that works as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec.cli.app import cli
from archspec.errors import ArchspecError


def run(*arguments: str):
    return CliRunner().invoke(cli, ["plugin", "new", *arguments])


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A package just written, and installed into a folder of its own beside it."""
    folder = tmp_path_factory.mktemp("plugin")
    assert run("tall-gate", "--out", str(folder)).exit_code == 0
    package = folder / "archspec-tall-gate"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*install, str(folder / "site"), str(package)], check=True, capture_output=True)
    return package


def in_site(package: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command with the package installed."""
    environment = {**os.environ, "PYTHONPATH": str(package.parent / "site")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=package, env=environment, capture_output=True, text=True
    )


def test_its_tests_pass_as_written(package):
    done = in_site(package, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_a_wrong_block_fails_them(package):
    file = package / "archspec_tall_gate" / "tall_gate.py"
    right = file.read_text()
    try:
        file.write_text(right.replace("torch.sigmoid(slope * x)", "torch.tanh(slope * x)"))
        done = in_site(package, "pytest", "-q", "-p", "no:cacheprovider", "-k", "test_its_numbers")
        assert done.returncode == 1 and "test_its_numbers" in done.stdout
    finally:
        file.write_text(right)


def test_what_it_brings_is_found(package):
    listed = in_site(package, "archspec", "plugins")
    assert listed.stdout.startswith("archspec-tall-gate 0.1.0: healthy\n  ops: tall_gate\n  specs: tall-gate-net\n")
    validated = in_site(package, "archspec", "validate", "tall-gate-net")
    assert validated.stdout == "tall-gate-net: tall-gate-net, 7 layers, 5,466 params, 1,622,336 MACs\n"
    assert "a learned slope" in in_site(package, "archspec", "blocks", "tall_gate").stdout


def test_it_is_formatted_and_says_nothing_of_the_starter(package):
    for file in package.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert "starter" not in file.read_text(encoding="utf-8").lower(), file
            assert "starter" not in str(file.relative_to(package)), file
    fmt = in_site(package, "archspec", "fmt", "--check", "archspec_tall_gate/specs/tall-gate-net.yaml")
    assert fmt.returncode == 0, fmt.stdout
    assert in_site(package, "ruff", "check", "--isolated", ".").returncode == 0


@pytest.mark.parametrize("name", ["gate", "archspec-gate", "Gate", "archspec_gate"])
def test_a_name_may_have_the_prefix(tmp_path, name):
    assert run(name, "--out", str(tmp_path)).exit_code == 0
    assert (tmp_path / "archspec-gate" / "archspec_gate" / "gate.py").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conv2d", "its block would be called 'conv2d', which is a built-in op"),
        ("max-pool2d", "its block would be called 'max_pool2d', which is a built-in op"),
        ("lambda", "its block would be called 'lambda', which is a word of Python or YAML"),
        ("torch", "its block would be called 'torch', which means something else in its own code"),
        ("weight", "which means something else in its own code"),
        ("slope", "which means something else in its own code"),
        ("list", "its block would be called 'list', which is a word of Python or YAML"),
        ("my gate", "cannot name a plugin"),
        ("../gate", "cannot name a plugin"),
        ("1gate", "cannot name a plugin"),
        ("", "cannot name a plugin"),
        ("starter", "cannot name a plugin"),
    ],
)
def test_wrong_names(tmp_path, name, message):
    done = run(name, "--out", str(tmp_path))
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "archspec-gate").mkdir()
    done = run("gate", "--out", str(tmp_path))
    assert isinstance(done.exception, ArchspecError) and "exists already" in str(done.exception)
    assert not list((tmp_path / "archspec-gate").iterdir())
