"""`expand --provenance`: which file and line set each value."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec.spec.shelves import zoo_names
from archspec.spec.writer import write
from archspec.views.expanded import expanded

LIBRARY = """\
archspec: 1
blocks:
  unit:
    params:
      width: int
      kernel: {default: 3}
    let:
      pad: =kernel // 2
    layers:
      conv: {op: conv2d, out_channels: =width, kernel_size: =kernel, padding: =pad}
"""
PARENT = """\
archspec: 1
name: parent
use: [library.yaml]
params: {classes: 5, act: {default: relu}}
inputs: {image: [3, 8, 8]}
layers:
  a: {op: unit, width: 4}
  b: {op: unit, width: 2, repeat: 2, kernel: =1 if first else 3}
  act: {op: =act}
  gap: global_avg_pool2d
  fc:
    op: linear
    bias: false
    out_features: =classes
outputs: {logits: fc}
"""
CHILD = """\
archspec: 1
name: child
extends: parent.yaml
params: {classes: 7}
edit:
  - {set: layers.a.width, to: 8}
"""


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The comment above each line of the expanded child, by how the line begins."""
    monkeypatch.chdir(tmp_path)
    for name, text in ("library", LIBRARY), ("parent", PARENT), ("child", CHILD):
        Path(f"{name}.yaml").write_text(text)
    result = CliRunner().invoke(cli, ["expand", "child.yaml", "--provenance", "--set", "act=tanh"])
    assert result.exit_code == 0, result.output
    found: dict[str, str] = {}
    note = ""
    group = ""
    for line in result.output.splitlines():
        text = line.strip()
        if text.startswith("#"):
            note = text[2:]
            continue
        if text.endswith(":") and text not in ("layers:", "inputs:"):
            group = text
        found[group + text.split()[0] if line.startswith("      ") else text.split()[0] if text else ""] = note
        note = ""
    return found


def test_each_value_is_traced_to_its_file(lines: dict[str, str]) -> None:
    assert lines["image:"] == "parent.yaml:5"
    assert lines["a:conv:"] == (
        "library.yaml:10; out_channels =width, width at child.yaml:6; kernel_size =kernel, kernel at library.yaml:6; "
        "padding =pad, pad =kernel // 2 at library.yaml:8, kernel at library.yaml:6"
    )
    assert "kernel =1 if first else 3 at parent.yaml:8" in lines["0:conv:"]
    assert lines["act:"] == "parent.yaml:9; op =act, act at --set"
    assert lines["fc:"] == (
        "parent.yaml:11; bias at parent.yaml:13; out_features =classes at parent.yaml:14, classes at child.yaml:4"
    )


def test_shared_and_placed_layers(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "archspec: 1\nname: t\ninputs: {x: [3, 8, 8]}\nlayers:\n"
        "  a: {op: conv2d, out_channels: 3, kernel_size: 1}\n  b:\n    shares: a\n  c:\n    op: relu\n    place: 1\n"
        "outputs: {y: c}\n"
    )
    result = CliRunner().invoke(cli, ["expand", str(path), "--provenance"])
    notes = [line.split("t.yaml:", 1)[1] for line in result.output.splitlines() if "# " in line]
    assert notes == ["3", "5", "7", f"8; place at {path}:10"]


@pytest.mark.parametrize("name", zoo_names())
def test_comments_change_nothing(name: str) -> None:
    result = CliRunner().invoke(cli, ["expand", name, "--provenance"])
    assert result.exit_code == 0
    plain = write(expanded(archspec.compile(name)))
    assert write(expanded(archspec.compile(archspec.load(text=result.output)))) == plain
