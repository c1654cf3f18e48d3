"""The hooks for pre-commit start commands that exist, on the files they are for."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from archspec.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
}
SPECS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "specs").rglob("*.yaml"))]
OTHERS = [".github/workflows/ci.yml", "specs/notes.md", "docs/net.yaml", "myspecs/net.yaml", ".pre-commit-hooks.yaml"]


def test_there_are_two_hooks() -> None:
    assert sorted(HOOKS) == ["archspec-fmt", "archspec-validate"]
    assert all(hook["language"] == "python" and hook["types"] == ["yaml"] for hook in HOOKS.values())


@pytest.mark.parametrize("name", HOOKS)
def test_the_entry_exists(name: str) -> None:
    script, *arguments = HOOKS[name]["entry"].split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts[script].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert len(arguments) == 1 and arguments[0] in COMMANDS


@pytest.mark.parametrize("name", HOOKS)
def test_the_hook_passes_on_the_zoo(name: str) -> None:
    """As pre-commit runs it: the entry, then the files that it takes."""
    hook = HOOKS[name]
    taken = [path for path in [*SPECS, *OTHERS] if re.search(hook["files"], path)]
    assert taken == [path for path in SPECS if name == "archspec-fmt" or path.count("/") == 1]
    check = ["--check"] if name == "archspec-fmt" else []
    command = [sys.executable, "-m", "archspec", *hook["entry"].split()[1:], *check, *taken]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
