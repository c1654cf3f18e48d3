"""`archspec fmt`, as a user runs it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROUGH = "archspec:   1\nlayers:\n    a :  relu   # b\n\n\n    c: {op: tanh }"
SMOOTH = "archspec: 1\nlayers:\n  a: relu  # b\n\n  c: {op: tanh}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rough.yaml").write_text(ROUGH)
    (tmp_path / "smooth.yaml").write_text(SMOOTH)
    return tmp_path


def fmt(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "archspec", "fmt", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_files_are_formatted_in_place(folder: Path) -> None:
    before = os.stat("smooth.yaml")
    assert fmt("rough.yaml", "smooth.yaml") == (0, "rough.yaml: formatted\n", "")
    assert Path("rough.yaml").read_text() == SMOOTH
    assert (os.stat("smooth.yaml").st_mtime_ns, os.stat("smooth.yaml").st_ino) == (before.st_mtime_ns, before.st_ino)
    assert fmt("rough.yaml", "smooth.yaml") == (0, "", "")
    assert sorted(os.listdir()) == ["rough.yaml", "smooth.yaml"]


def test_mode_and_links_stay(folder: Path) -> None:
    os.chmod("rough.yaml", 0o640)
    os.symlink("rough.yaml", "link.yaml")
    assert fmt("link.yaml") == (0, "link.yaml: formatted\n", "")
    assert os.path.islink("link.yaml")
    assert Path("rough.yaml").read_text() == SMOOTH
    assert stat.S_IMODE(os.stat("rough.yaml").st_mode) == 0o640


def test_line_ends_stay(folder: Path) -> None:
    Path("rough.yaml").write_bytes(ROUGH.replace("\n", "\r\n").encode())
    assert fmt("rough.yaml")[0] == 0
    assert Path("rough.yaml").read_bytes() == SMOOTH.replace("\n", "\r\n").encode()


def test_check_names_what_would_change(folder: Path) -> None:
    assert fmt("--check", "rough.yaml", "smooth.yaml") == (1, "rough.yaml: would change\n", "")
    assert fmt("--check", "smooth.yaml") == (0, "", "")
    assert Path("rough.yaml").read_text() == ROUGH


def test_diff_shows_what_would_change(folder: Path) -> None:
    status, shown, error = fmt("--diff", "rough.yaml", "smooth.yaml")
    assert (status, error) == (0, "")
    assert shown.startswith("--- rough.yaml\n+++ rough.yaml (formatted)\n@@ -1,6 +1,5 @@\n-archspec:   1\n")
    assert "+  a: relu  # b\n" in shown
    assert "smooth" not in shown
    assert fmt("--diff", "--check", "rough.yaml")[0] == 1
    assert Path("rough.yaml").read_text() == ROUGH


def test_standard_input_goes_to_standard_output(folder: Path) -> None:
    assert fmt("-", stdin=ROUGH.encode()) == (0, SMOOTH, "")
    assert fmt("-", stdin=SMOOTH.encode()) == (0, SMOOTH, "")
    assert fmt("--check", "-", stdin=ROUGH.encode()) == (1, "<stdin>: would change\n", "")
    assert fmt("-", stdin="a:  \u00e9 # \U0001f600\r\n".encode()) == (0, "a: \u00e9  # \U0001f600\r\n", "")


def test_a_file_that_cannot_be_read_stays_and_the_others_are_formatted(folder: Path) -> None:
    Path("bad.yaml").write_text("a: [1\nb:  2\n")
    Path("tab.yaml").write_text("a:\n\tb: 1\n")
    status, shown, error = fmt("bad.yaml", "none.yaml", "tab.yaml", ".", "rough.yaml")
    assert (status, shown) == (1, "rough.yaml: formatted\n")
    assert error.startswith("bad.yaml:2:2: the list opened by `[` at line 1 is not continued or closed here\n")
    assert "none.yaml: no such file or directory\n" in error
    assert "tab.yaml:2:1: a tab where YAML takes spaces\n" in error
    assert ".: is a directory\n" in error
    assert Path("bad.yaml").read_text() == "a: [1\nb:  2\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        assert fmt("rough.yaml") == (1, "", "rough.yaml: permission denied\n")
    finally:
        folder.chmod(0o700)
    assert Path("rough.yaml").read_text() == ROUGH


def test_without_files() -> None:
    status, shown, error = fmt()
    assert (status, shown) == (2, "")
    assert "Missing argument 'FILE...'" in error
