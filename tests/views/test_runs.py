"""Runs read from their files, damaged ones too."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archspec.cli.app import cli
from archspec.views.runs import find_runs, read_run

SPEC = """\
archspec: 1
name: {name}
inputs: {{image: [3, 8, 8]}}
layers:
  conv: {{op: conv2d, out_channels: 4, kernel_size: 3}}
  pool: global_avg_pool2d
  fc: {{op: linear, out_features: 10}}
outputs: {{logits: fc}}
"""
RECIPE = """\
recipe: 1
name: small
data: {op: synthetic, train: 50, test: 20}
batch: {size: 10, last: {assumed: keep, why: nobody said so}}
length: 20 epochs
loss: cross_entropy
metrics: [top1_error]
optimizer: {op: sgd, lr: 0.1, momentum: 0.9, lr_in_velocity: true}
schedule: {op: multi_step, at: [10 epochs, 80 steps], factor: 0.1}
evaluate: {single: {op: whole, every: 2 epochs}}
"""


def records(step: int, loss: float = 2.0, train: float = 0.9, test: float = 0.8) -> list[dict[str, Any]]:
    """A record each ten steps, of an epoch of five, that ends with these values."""
    found: list[dict[str, Any]] = []
    for at in range(10, step + 1, 10):
        up, when = (step - at) / 1000, {"step": at, "epoch": at / 5}
        rate = 0.1 if at <= 50 else 0.01 if at <= 80 else 0.001
        found.append({"kind": "train", **when, "lr": rate, "train.loss": loss + up, "train.top1_error": train + up})
        found.append({"kind": "test", **when, "single.top1_error": test + up})
    return found


def make_run(
    folder: Path,
    lines: Sequence[dict[str, Any]] | None = None,
    *,
    name: str = "tiny",
    spec: str | None = None,
    recipe: str = RECIPE,
    finished: bool = False,
    checkpoint: int = 0,
) -> Path:
    """The folder of a run as `archspec train` leaves it, but for what is in its tensors."""
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(SPEC.format(name=name) if spec is None else spec)
    (folder / "recipe.yaml").write_text(recipe)
    (folder / "execution.json").write_text(json.dumps({"device": "cpu", "precision": "fp32", "data": None}))
    (folder / "environment.json").write_text(json.dumps({"torch": "2.13.0", "gpus": []}))
    if lines is not None:
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    if checkpoint:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / f"{checkpoint:08}.safetensors").write_bytes(b"")
    if finished:
        (folder / "weights.safetensors").write_bytes(b"")
    for path in [*folder.glob("*"), *folder.glob("checkpoints/*")]:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def run_command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_runs_are_found_at_any_depth_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("net-10", "net-2", "old/deep/net-1", ".hidden/net-3"):
        make_run(tmp_path / name)
    make_run(tmp_path / "net-2" / "inside")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [run.name for run in find_runs(tmp_path)] == ["net-2", "net-10", "old/deep/net-1"]
    assert [run.name for run in find_runs(tmp_path / "net-2")] == ["net-2"]


def test_the_table_has_a_line_for_each(tmp_path: Path) -> None:
    make_run(tmp_path / "a-1", records(100), finished=True, checkpoint=100)
    make_run(tmp_path / "a-2", records(30, 1.25, 0.5, 0.4321), checkpoint=37)
    make_run(tmp_path / "a-3")
    done = run_command("runs", tmp_path)
    assert done.exit_code == 0
    head, *lines = done.output.splitlines()
    assert head.split() == ["run", "spec", "recipe", "steps", "state", "train", "loss", "written", "tests"]
    cells = [" ".join(line.split()) for line in lines]
    assert cells[0].startswith("a-1 tiny small 100 of 100 finished 2 2023-11-1")
    assert cells[0].endswith("single.top1_error 80.00 %")
    assert cells[1].startswith("a-2 tiny small 37 of 100 unfinished 1.25 2023-11-1")
    assert cells[1].endswith("single.top1_error 43.21 %")
    assert cells[2].startswith("a-3 tiny small 0 of 20 epochs unfinished 2023-11-1")


def test_json_has_exact_numbers(tmp_path: Path) -> None:
    make_run(tmp_path / "a", records(30, 1.23456789, 0.5, 0.125), recipe=f"{RECIPE}seed: 7\n")
    (found,) = json.loads(run_command("runs", tmp_path, "--json").output)
    assert found == {
        "run": str(tmp_path / "a"),
        "name": "a",
        "spec": "tiny",
        "recipe": "small",
        "seed": 7,
        "step": 30,
        "steps": 100,
        "state": "unfinished",
        "train": {"loss": 1.23456789, "top1_error": 0.5},
        "tests": {"single": {"top1_error": 0.125}},
        "written": "2023-11-14T22:13:20+00:00",
        "damaged": [],
    }


@pytest.mark.parametrize(
    ("batch", "length", "per_epoch", "total"),
    [
        ("{size: 128, last: wrap}", "164 epochs", 50000 / 128, 64063),
        ("{size: 128, last: keep}", "164 epochs", 391.0, 64124),
        ("{size: 128, last: drop}", "3/2 epochs", 390.0, 585),
        ("{size: 128, last: wrap}", "1000 samples", 50000 / 128, 8),
        ("{size: 128, last: wrap}", "64000 steps", 50000 / 128, 64000),
    ],
)
def test_the_whole_length_is_worked_out_from_the_records(
    batch: str, length: str, per_epoch: float, total: int, tmp_path: Path
) -> None:
    recipe = RECIPE.replace("{size: 10, last: {assumed: keep, why: nobody said so}}", batch)
    line = {"kind": "train", "step": 50, "epoch": 50 / per_epoch, "lr": 0.1, "train.loss": 1.0}
    folder = make_run(tmp_path / "a", [line], recipe=recipe.replace("20 epochs", length))
    assert read_run(folder, "a").total == total


DAMAGES = [
    ("recipe.yaml", "recipe: 1\nname: small\nlength: [", "recipe.yaml: line"),
    ("recipe.yaml", RECIPE.replace("sgd", "sgdd"), "recipe.yaml: line 8: there is no optimizer `sgdd`"),
    ("spec.yaml", "archspec: 1\n", "spec.yaml: has no name"),
    ("execution.json", "[1]", "execution.json: is not a JSON object"),
    ("execution.json", "[" * 100_000, "execution.json: is not a JSON object"),
    ("environment.json", "\ud800", "environment.json: is not text"),
    (
        "metrics.jsonl",
        '{"kind": "train", "step": 1, "train.loss": 3.0}\nnonsense\n',
        "metrics.jsonl: line 2: no record",
    ),
    ("metrics.jsonl", '{"kind": "train", "step": -1}\n', "metrics.jsonl: line 1: no step"),
    ("metrics.jsonl", '{"kind": "train", "step": 1, "train.loss": NaN}\n', "line 1: train.loss is no finite number"),
    ("metrics.jsonl", f'{{"kind": "train", "step": 1, "train.loss": 1{"0" * 400}}}\n', "is no finite number"),
]


@pytest.mark.parametrize(("file", "content", "said"), DAMAGES, ids=[said for _, _, said in DAMAGES])
def test_a_damaged_file_is_named_and_does_not_stop_the_listing(
    file: str, content: str, said: str, tmp_path: Path
) -> None:
    make_run(tmp_path / "bad", records(10))
    make_run(tmp_path / "good", records(10))
    (tmp_path / "bad" / file).write_bytes(content.encode("utf-8", "surrogatepass"))
    done = run_command("runs", tmp_path)
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["run", "bad", "good"]
    assert done.stderr.startswith(f"{tmp_path / 'bad'}: {file}") and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (make_run(tmp_path / "bad", records(10)) / "recipe.yaml").unlink()
    done = run_command("runs", tmp_path)
    assert done.stderr == f"{tmp_path / 'bad'}: recipe.yaml: is missing\n"
    assert done.stdout.splitlines()[1].split()[:5] == ["bad", "tiny", "?", "10", "unfinished"]


def test_a_last_line_that_is_being_written_is_no_damage(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", records(20))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    found = read_run(folder, "a")
    assert not found.damaged and found.step == 20


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    make_run(tmp_path / "red\x1b[31m", [{"kind": "test", "step": 1, "x.\x1b[31m": 1.0}])
    done = run_command("runs", tmp_path)
    assert "\x1b" not in done.output and "red?[31m" in done.output


def test_folders_without_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_command("runs")
    assert done.exit_code == 1
    assert str(done.exception).startswith("runs: no such folder\n  hint: ")
    (tmp_path / "runs").mkdir()
    assert run_command("runs").stderr == "runs: no runs below it\n"
    assert run_command("runs", "--json").stdout == "[]\n"
    (tmp_path / "file").write_text("")
    assert str(run_command("runs", "file").exception).startswith("file: no folder\n")


@pytest.mark.parametrize("arguments", [("runs", "FOLDER"), ("report", "FOLDER/a", "--out", "FOLDER/a.html")])
def test_torch_is_never_imported(arguments: tuple[str, ...], tmp_path: Path) -> None:
    import subprocess

    make_run(tmp_path / "a", records(20))
    given = [text.replace("FOLDER", str(tmp_path)) for text in arguments]
    code = f"import sys; sys.argv = {['archspec', *given]!r}\nfrom archspec.cli.app import main\n"
    code += (
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\nprint('TORCH', 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("TORCH False\n"), done.stderr
