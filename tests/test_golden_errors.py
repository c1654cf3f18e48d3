"""What archspec says of broken specs, word for word.

Each `golden/errors/NAME.yaml` stands beside `NAME.error`, its text. `pytest --regenerate` rewrites the texts.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec import api
from archspec.errors import SpecError

GOLDEN = Path(__file__).parent / "golden" / "errors"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
SECONDS = 2.0

GOOD = """\
archspec: 1
name: good
params: {classes: {default: 10, min: 2}}
inputs: {image: [3, 8, 8]}
layers:
  conv: {op: conv2d, out_channels: 4, kernel_size: 3}
  gap: global_avg_pool2d
  fc: {op: linear, out_features: =classes}
outputs: {logits: fc}
"""


def refusal(name: str, **options: object) -> str:
    """What is said of a spec, quickly and without a traceback."""
    start = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        api.validate(name, **options)
    assert time.perf_counter() - start < SECONDS
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(*texts: str) -> str:
    return "\n".join(texts)


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, monkeypatch: pytest.MonkeyPatch, regenerate: bool) -> None:
    monkeypatch.chdir(GOLDEN)
    found = refusal(f"{name}.yaml") + "\n"
    assert follows_the_rules(found, name)
    golden = GOLDEN / f"{name}.error"
    if regenerate:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_every_golden_text_has_its_spec() -> None:
    assert {path.stem for path in GOLDEN.glob("*.error")} == set(CASES)
    assert len(CASES) >= 55


def follows_the_rules(text: str, name: str) -> bool:
    """Whether every problem begins with its place, and none uses the words that say nothing."""
    heads = [line for line in text.splitlines() if not line.startswith(" ")]
    said = [line for line in text.splitlines() if not line.startswith("    ")]
    placed = all(line.startswith(f"{name}.yaml:") for line in heads)
    return placed and not any("invalid" in line or "failed" in line for line in said)


# Files that cannot stand in a folder of small texts.


def test_missing_file(folder: Path) -> None:
    assert refusal("broken.yaml") == "broken.yaml: no such file"


def test_misspelt_file(folder: Path) -> None:
    (folder / "googlenet-v1.yaml").write_text(GOOD)
    assert refusal("googlenet-v2.yaml") == lines(
        "googlenet-v2.yaml: no such file", "  hint: did you mean `googlenet-v1.yaml`?"
    )


def test_name_that_is_not_in_the_zoo(folder: Path) -> None:
    assert refusal("alexnt") == lines("alexnt: no spec of this name in the zoo", "  hint: did you mean `alexnet`?")


def test_file_named_like_a_zoo_spec(folder: Path) -> None:
    (folder / "net").write_text(GOOD)
    assert refusal("net") == lines("net: no spec of this name in the zoo", "  hint: to name a file, write ./net")


def test_folder(folder: Path) -> None:
    (folder / "nets.yaml").mkdir()
    (folder / "nets.yaml" / "a.yaml").write_text(GOOD)
    assert refusal("nets.yaml") == lines("nets.yaml: this is a folder, not a spec", "  hint: it holds a.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_unreadable_file(folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    (folder / "net.yaml").chmod(0)
    assert refusal("net.yaml") == "net.yaml: permission denied"


def test_file_of_40_mebibytes(folder: Path) -> None:
    (folder / "net.yaml").write_bytes(b"#" * (40 * 2**20))
    assert refusal("net.yaml") == lines("net.yaml:1:1: the file has more than 32 MiB", "  hint: a spec is a small text")


def test_endless_device() -> None:
    assert "more than 32 MiB" in refusal("/dev/zero")


def test_binary_file(folder: Path) -> None:
    (folder / "net.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert refusal("net.yaml") == lines(
        "net.yaml:1:1: the file is not UTF-8 text: byte 0x89 at offset 0", "  hint: a spec is a YAML text file"
    )


def test_control_characters(folder: Path) -> None:
    (folder / "net.yaml").write_bytes(b"archspec: 1\n\x00\n")
    assert refusal("net.yaml") == lines(
        "net.yaml:1:1: the file is not text: control character 0x00 at offset 12",
        "  hint: a spec is a YAML text file",
    )


@pytest.mark.parametrize("bracket", ["[", "{", "- ", "? "])
def test_deep_nesting(folder: Path, bracket: str) -> None:
    (folder / "net.yaml").write_text(bracket * 100_000)
    assert "nested more than 100 deep" in refusal("net.yaml").splitlines()[0]


def test_alias_bomb(folder: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (folder / "net.yaml").write_text("\n".join(levels))
    assert refusal("net.yaml").startswith("net.yaml:5:45: aliases expand to more than 100,000 values\n    5 | a4:")


def test_extends_cycle(folder: Path) -> None:
    (folder / "nets").mkdir()
    for name, parent in ("a", "b"), ("b", "a"):
        (folder / "nets" / f"{name}.yaml").write_text(f"archspec: 1\nname: {name}\nextends: {parent}.yaml\n")
    found = refusal("nets/a.yaml").splitlines()[0]
    assert "`extends` comes back to itself: " in found
    assert "nets/a.yaml -> nets/b.yaml" in found


def test_spec_that_extends_itself(folder: Path) -> None:
    (folder / "a.yaml").write_text("archspec: 1\nname: a\nextends: a.yaml\n")
    assert refusal("a.yaml").splitlines()[0] == "a.yaml:3:10: `extends` comes back to itself: a.yaml -> a.yaml"


def test_use_cycle(folder: Path) -> None:
    (folder / "net.yaml").write_text(f"{GOOD}use: [a.yaml]\n")
    for name, other in ("a", "b"), ("b", "a"):
        text = f"archspec: 1\nuse: [{other}.yaml]\nblocks: {{{name}: {{layers: {{relu: relu}}}}}}\n"
        (folder / f"{name}.yaml").write_text(text)
    assert refusal("net.yaml") == lines(
        "b.yaml:2:7: `use` comes back to itself: net.yaml -> a.yaml -> b.yaml -> a.yaml",
        "    2 | use: [a.yaml]",
        "      |       ^",
    )


@pytest.mark.parametrize("reach", ["../library.yaml", "{parent}/library.yaml", "link.yaml"])
def test_use_outside_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, reach: str) -> None:
    (folder / "library.yaml").write_text("archspec: 1\nblocks: {unit: {layers: {relu: relu}}}\n")
    (folder / "nets").mkdir()
    (folder / "nets" / "link.yaml").symlink_to(folder / "library.yaml")
    monkeypatch.chdir(folder / "nets")
    name = reach.format(parent=folder)
    (folder / "nets" / "net.yaml").write_text(f"{GOOD}use: [{name}]\n")
    assert refusal("net.yaml") == lines(
        f"net.yaml:10:7: `use` names {name}, outside the spec's folder",
        f"    10 | use: [{name}]",
        "       |       ^",
        "  hint: copy it beside the spec",
    )


def test_mistake_in_a_library_shows_both_files(folder: Path) -> None:
    (folder / "units.yaml").write_text("archspec: 1\nblocks: {unit: {layers: {conv: {op: conv}}}}\n")
    spec = GOOD.replace("layers:", "use: [units.yaml]\nlayers:\n  unit: unit")
    (folder / "net.yaml").write_text(spec)
    assert refusal("net.yaml") == lines(
        "units.yaml:2:37: unit.conv (conv): there is no op `conv`",
        "    2 | blocks: {unit: {layers: {conv: {op: conv}}}}",
        "      |                                     ^",
        "  used at net.yaml:7:3: unit",
        "  hint: did you mean `conv2d`?",
    )


def test_bad_settings(folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    assert refusal("net.yaml", set={"clases": 3}) == lines(
        "there is no param `clases` to set", "  hint: did you mean `classes`?"
    )
    assert refusal("net.yaml", set={"classes": 1}) == "`classes` must be at least 2, found 1"
    assert refusal("net.yaml", set={"classes": "ten"}) == ("`classes` must be a whole number, found 'ten'")


def test_max_nodes(folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    assert refusal("net.yaml", max_nodes=3).startswith("net.yaml:8:3: the network has more than 3 layers\n")
    assert len(api.validate("net.yaml", max_nodes=4)) == 4


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = GOOD.replace("conv2d", "conv2")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(broken.encode())))
    assert refusal("-").splitlines()[0] == "<stdin>:6:14: conv (conv2): there is no op `conv2`"


# The command line itself.


def archspec(*arguments: str, stdin: str = "", folder: Path = GOLDEN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archspec", *arguments]
    return subprocess.run(command, input=stdin, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["typo-op", "mistake-in-a-block", "unquoted-call", "empty"])
def test_command_shows_the_same_text(name: str) -> None:
    done = archspec("validate", f"{name}.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (GOLDEN / f"{name}.error").read_text(encoding="utf-8")


def test_command_reads_standard_input() -> None:
    done = archspec("validate", "-", stdin=GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-: good, 3 layers, 162 params, ")


def test_command_reports_every_file(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(GOOD.replace("conv2d", "conv2"))
    done = archspec("validate", "bad.yaml", "good.yaml", "none.yaml", folder=folder)
    assert done.returncode == 1
    assert done.stdout.startswith("good.yaml: good, ")
    assert [line for line in done.stderr.splitlines() if not line.startswith(" ")] == [
        "bad.yaml:6:14: conv (conv2): there is no op `conv2`",
        "none.yaml: no such file",
    ]


@pytest.mark.parametrize("setting", ["classes=1", "clases=10", "classes=ten", "classes=[", "classes=!!python/name:os"])
def test_command_with_a_bad_setting(folder: Path, setting: str) -> None:
    (folder / "net.yaml").write_text(GOOD)
    done = archspec("validate", "net.yaml", "--set", setting, folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "clas" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validat", "typo-op.yaml"],
        ["validate", "typo-op.yaml", "--sett", "a=1"],
        ["validate", "typo-op.yaml", "--set", "classes"],
        ["validate", "typo-op.yaml", "--set", "=3"],
        ["validate", "typo-op.yaml", "--max-nodes", "none"],
        ["validate", "typo-op.yaml", "--format", "xml"],
        ["summary"],
        ["--nothing"],
    ],
)
def test_wrong_command_line(arguments: list[str]) -> None:
    done = archspec(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
