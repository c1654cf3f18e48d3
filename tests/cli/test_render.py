"""`archspec render`, as a user runs it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec.drawing.item import COLUMNS
from archspec.errors import ArchspecError

SPECS = Path(archspec.__file__).parents[1] / "specs"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, given=None):
        return CliRunner().invoke(cli, ["render", *arguments], input=given)

    return invoke


def test_without_a_file_it_writes_the_name(run, tmp_path):
    done = run("lenet5")
    assert (done.exit_code, done.output) == (0, "wrote lenet5.svg\n")
    assert (tmp_path / "lenet5.svg").read_text() == archspec.render("lenet5").svg


def test_every_format_by_its_suffix(run, tmp_path):
    names = ["a.svg", "a.png", "a.html", "a.dot", "a.mmd", "a.json"]
    done = run("lenet5", *(part for name in names for part in ("-o", name)))
    assert done.exit_code == 0, done.output
    firsts = {name: (tmp_path / name).read_bytes()[:15] for name in names}
    assert firsts["a.svg"].startswith(b"<svg")
    assert firsts["a.png"].startswith(b"\x89PNG")
    assert firsts["a.html"].lower().startswith(b"<!doctype html")
    assert firsts["a.dot"].startswith(b"digraph")
    assert firsts["a.mmd"].startswith(b"flowchart TD")
    assert json.loads((tmp_path / "a.json").read_text())["name"] == "lenet5"


def test_standard_output_and_input(run):
    text = (SPECS / "lenet5.yaml").read_text()
    done = run("-", "-o", "-", "--format", "mmd", given=text)
    assert done.exit_code == 0
    assert done.stdout.startswith("flowchart TD\n")
    assert run("lenet5", "-o", "-").stdout.startswith("<svg")


def test_all_options_together(run, tmp_path):
    done = run(
        "googlenet", "-s", "classes=10", "-i", "image=3x256x224", "--depth", "3", "--direction", "right", "--theme",
        "dark", "--columns", ",".join(COLUMNS), "--heat", "macs", "--unfold", "--edge-shapes", "--bare",
        "--transparent", "-o", "sub/folder/a.svg",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    ET.fromstring((tmp_path / "sub" / "folder" / "a.svg").read_text())


def test_a_comparison_of_two_settings(run, tmp_path):
    done = run("resnet-cifar", "--diff", "--set-b", "depth=56", "-o", "d.svg")
    assert done.exit_code == 0, done.output
    assert "resnet-cifar → resnet-cifar (depth=56)" in (tmp_path / "d.svg").read_text()


def test_figure_3_of_the_resnet_paper(run, tmp_path):
    done = run("vgg19", "plain34", "resnet34", "--style", "blocks", "-o", "figure.svg")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "figure.svg").read_text()
    assert all(name in text for name in ("vgg19", "plain34", "resnet34", "output 56"))


REFUSED = [
    (["lenet5", "-o", "a.jpg"], 2, "a.jpg: the suffix says the format, found `.jpg`"),
    (["lenet5", "-o", "a"], 2, "a: the suffix says the format, found no suffix"),
    (["lenet5", "--focus", "conv9"], 1, "lenet5 has no layer `conv9`"),
    (["no-such-net"], 1, "no-such-net"),
    (["lenet5", "--depth", "0"], 2, "0 is not in the range"),
    (
        ["lenet5", "--columns", "flops"],
        2,
        f"`columns` is one of {', '.join(COLUMNS)}, found 'flops'",
    ),
    (["lenet5", "--format", "png"], 2, "--format is for `--out -`"),
    (["lenet5", "--set-b", "classes=3"], 2, "--set-a and --set-b go with --diff"),
    (["lenet5", "--diff"], 2, "name a second spec, or set a param of one side"),
    (["a", "b", "c", "--diff"], 2, "--diff compares two specs, found 3"),
    (["-", "-"], 2, "standard input can be read once"),
    (["lenet5", "--style", "paper", "-o", "a.html"], 2, "style paper is for SVG and PNG, found .html"),
    (["lenet5", "alexnet", "-o", "a.dot"], 2, ".dot holds one network, found 2"),
    (["lenet5", "--style", "paper", "--direction", "down"], 2, "style paper reads right, found direction down"),
    (["lenet5", "--scale", "1e-9"], 2, "is not in the range"),
    (["lenet5", "--diff", "--set-b", "classes=3", "--heat", "macs"], 2, "--heat and --style do not go with --diff"),
    ([], 2, "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "status", "said"), REFUSED, ids=[" ".join(case[0]) for case in REFUSED])
def test_what_cannot_be_drawn_is_told(run, tmp_path, arguments, status, said):
    done = run(*arguments)
    refused = isinstance(done.exception, ArchspecError)  # `main` prints it and exits with 1
    assert said in (str(done.exception) if refused else done.output)
    assert (1 if refused else done.exit_code) == status
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("lenet5", "-o", "file/a.svg")
    assert "not a directory" in str(done.exception)


def test_it_never_imports_torch(tmp_path):
    code = (
        "import sys; from archspec.cli.app import cli\n"
        "try: cli(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    out = [
        part for kind in ("svg", "png", "html", "dot", "mmd", "json") for part in ("-o", str(tmp_path / f"a.{kind}"))
    ]
    subprocess.run([sys.executable, "-c", code, "render", "googlenet", *out], check=True, capture_output=True)
