"""The clash with Spack's `archspec`, in throw-away folders laid out as pip would, in both orders of installation."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]


def install_ours(site: Path) -> None:
    shutil.copytree(ROOT / "archspec", site / "archspec", dirs_exist_ok=True)
    shutil.copytree(ROOT / "specs", site / "archspec" / "specs", dirs_exist_ok=True)
    shutil.copy(ROOT / "archspec_nn.py", site)


def install_spack(site: Path) -> None:
    """The files of Spack's distribution that matter here, as its wheel lays them out."""
    (site / "archspec" / "cpu").mkdir(parents=True, exist_ok=True)
    (site / "archspec" / "__init__.py").write_text(
        '"""Init file to avoid namespace packages"""\n__version__ = "0.2.7"\n'
    )
    (site / "archspec" / "cli.py").write_text("def main():\n    print('spack')\n")
    (site / "archspec" / "cpu" / "__init__.py").write_text("")
    (site / "archspec" / "cpu" / "microarchitecture.py").write_text("")


def remove_spack(site: Path) -> None:
    """What `pip uninstall archspec` takes away: the files it put there, whoever wrote them last."""
    for name in ("__init__.py", "cli.py"):
        (site / "archspec" / name).unlink()
    shutil.rmtree(site / "archspec" / "cpu")


def run(site: Path, entry: str = "archspec_nn") -> subprocess.CompletedProcess[str]:
    """Run the command with this folder in place of the installed archspec (-S leaves out editable installs)."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; sys.argv[1:] = ['--version']; " + f"from {entry} import main; main()"
    )
    click_home = str(Path(click.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-S", "-c", code, str(site), click_home],
        capture_output=True,
        text=True,
        cwd=site,
        check=False,
        timeout=60,
    )


def test_alone_it_runs(tmp_path: Path) -> None:
    install_ours(tmp_path)
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "archspec-nn 0.1.0\n")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([install_ours, install_spack], "has taken the place"),
        ([install_spack, install_ours], "into the same folder"),
        ([install_ours, install_spack, remove_spack], "is gone"),
    ],
    ids=["spack second", "spack first", "spack removed"],
)
def test_the_clash_is_told(tmp_path: Path, order: list, said: str) -> None:
    for step in order:
        step(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "pip install archspec-nn" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_clash_is_told_by_the_command_that_spack_installs(tmp_path: Path) -> None:
    install_ours(tmp_path)
    install_spack(tmp_path)
    done = run(tmp_path, entry="archspec.cli")
    assert done.returncode == 1
    assert "has taken the place" in done.stderr
