"""Problems for machines, as `archspec validate --format` prints them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

GOOD = """\
archspec: 1
name: good
inputs: {image: [3, 8, 8]}
layers:
  conv: {op: conv2d, out_channels: 4, kernel_size: 3}
outputs: {features: conv}
"""
NESTED = """\
archspec: 1
name: nested
blocks:
  inner: {layers: {conv: {op: conv2d, out_chanels: 8, kernel_size: 3}}}
inputs: {image: [3, 8, 8]}
layers:
  one: inner
  two: inner
outputs: {features: two}
"""


def validate(style: str, folder: Path, *files: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "archspec", "validate", "--format", style, *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_json(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "nested.yaml").write_text(NESTED)
    assert validate("json", tmp_path, "good.yaml") == (0, "[]\n", "")
    status, shown, error = validate("json", tmp_path, "good.yaml", "nested.yaml", "none.yaml")
    assert (status, error) == (1, "")
    inside, missing = json.loads(shown)
    assert inside == {
        "slug": "unknown-field",
        "file": "nested.yaml",
        "line": 4,
        "column": 39,
        "layer": "one.conv",
        "op": "conv2d",
        "message": "conv2d has no field `out_chanels`",
        "hint": "did you mean `out_channels`?",
        "uses": [{"layer": "one", "file": "nested.yaml", "line": 7, "column": 3}],
        "more_uses": 1,
    }
    assert (missing["slug"], missing["file"], missing["line"]) == ("missing-file", None, None)


def test_github(tmp_path: Path) -> None:
    name = "100%, a:b.yaml"
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / name).write_text(NESTED)
    assert validate("github", tmp_path, "good.yaml") == (0, "", "")
    status, shown, error = validate("github", tmp_path, name, "none.yaml")
    assert (status, error) == (1, "")
    assert shown.splitlines() == [
        "::error file=100%25%2C a%3Ab.yaml,line=4,col=39,title=unknown-field::one.conv (conv2d): conv2d has no field "
        "`out_chanels` (hint: did you mean `out_channels`?)",
        "::error title=missing-file::none.yaml: no such file (hint: did you mean `good.yaml`?)",
    ]
