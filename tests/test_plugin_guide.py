"""The guide for plugins, followed to the letter: its files written, its commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from importlib import import_module
from pathlib import Path

import pytest

from archspec.testing import CHECKS

PAGE = Path(__file__).parents[1] / "docs" / "plugins.md"
STEP = re.compile(r"^```\w+ guide(?:=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = PAGE.read_text(encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """A fresh virtual environment on top of this one, in which nothing is fetched."""
    where = folder / "venv"
    venv.create(where, with_pip=False)
    (site,) = (where / "lib").glob("python*/site-packages")
    base = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "base.pth").write_text(f"import site; site.addsitedir({base!r})\n")
    python = where / "bin" / "python"
    pip = f'"{sys.executable}" -m pip --python "{python}"'
    commands = {
        "pip": f'verb=$1; shift; exec {pip} "$verb" --no-deps --no-build-isolation --no-index -q "$@"',
        "archspec": f'exec "{python}" -m archspec "$@"',
        "pytest": f'exec "{python}" -m pytest -p no:cacheprovider "$@"',
    }
    for name, line in commands.items():
        file = where / "bin" / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)
    return {**os.environ, "PATH": f"{where / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def test_the_guide_works(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    printed = ""
    for file, content in STEP.findall(TEXT):
        if file:
            assert (tmp_path / file).is_file(), f"{file} is one that `plugin new` wrote"
            (tmp_path / file).write_text(content, encoding="utf-8")
            continue
        for line in content.splitlines():
            done = subprocess.run(line, shell=True, cwd=tmp_path, env=variables, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            printed += done.stdout
    assert printed.count(" passed") == 2
    assert "archspec-warp 0.1.0: healthy" in printed and "Keeps the slope at zero finite." in printed
    model = (tmp_path / "build" / "warp-net" / "model.py").read_text()
    assert "def warp(x, power, eps):" in model and "import archspec" not in model


def test_the_worked_block_and_its_test_are_short() -> None:
    files = dict(STEP.findall(TEXT))
    block = files["archspec-warp/archspec_warp/warp.py"] + files["archspec-warp/tests/test_warp.py"]
    assert len(block.splitlines()) < 60


def test_every_check_is_explained() -> None:
    section = TEXT.partition("## The test kit")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(CHECKS)


ROWS = re.findall(r"^\| `(archspec[\w.]*)` \| (`.+`).* \|$", TEXT.partition("## What plugins rely on")[2], re.MULTILINE)


def test_the_plugin_api_is_frozen() -> None:
    assert len(ROWS) == 14


@pytest.mark.parametrize(("module", "names"), ROWS, ids=[module for module, _ in ROWS])
def test_what_plugins_rely_on_is_there(module: str, names: str) -> None:
    found = import_module(module)
    for name in re.findall(r"`(\w+)`", names):
        assert hasattr(found, name), f"{module}.{name}"
