"""A run that stops, however it stops, goes on as if it had not."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from archspec.errors import RunError
from archspec.train.checkpoint import read_tensors, write_tensors
from archspec.train.exact import recalibrated
from archspec.train.loop import train
from archspec.train.norms import norms_of
from archspec.train.processes import Processes
from archspec.train.recorder import Recorder, record
from archspec.train.resume import resume, start
from archspec.train.run import Run, claimed
from tests.train.small import RECIPE, new_run, small_job, small_state, write_small


class Killed(Exception):
    pass


def go(run: Run, kills: tuple[int, ...] = (), to_the_end: bool = True, **execution) -> list[str]:
    """Train, through kills at which the process forgets all; what each resume said."""
    said = []
    for kill in (*kills, None) if to_the_end else kills:
        job = small_job(**execution)
        state = start(run, job, small_state(job).module)
        said += resume(run, job, state)
        try:
            with closing(record(run, job, state, train(job, state))) as records:
                for one in records:
                    if kill is not None and one.step >= kill and one.kind == "step":
                        raise Killed
        except Killed:
            continue
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    run = new_run(tmp_path_factory.mktemp("whole") / "run")
    go(run)
    return run


def assert_same(one: Run, other: Run) -> None:
    for name in ("metrics.jsonl", "weights.safetensors", "checkpoints/00000040.safetensors"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


def test_recipe_goes_through_all_that_could_be_lost(whole):
    """Else the tests below would prove little."""
    kinds = [one["kind"] for one in whole.records()]
    assert kinds.count("phase") == 1 and kinds.count("drop") >= 1
    ended, dropped = (next(one["step"] for one in whole.records() if one["kind"] == kind) for kind in ("phase", "drop"))
    assert 5 <= ended < 30 and dropped > ended
    numbers, tensors = read_tensors(whole.folder / "checkpoints/00000036.safetensors")
    assert numbers["averaged"] == 18 and numbers["since_record"]["loss"][1] == 14.0
    assert {name.partition(".")[0] for name in tensors} == {"model", "optimizer", "average"}
    assert sum(name.startswith("optimizer.") for name in tensors) == len(
        list(small_state(small_job()).module.parameters())
    )


def test_best_weights_have_exact_statistics_too(whole):
    """They are chosen while the statistics still move, and are saved with those that the recipe asks for."""
    best = load_file(whole.weights)
    assert json.loads(safe_open(whole.weights, "pt").metadata()["archspec"])["step"] < 40
    job = small_job()
    state = small_state(job)
    state.module.load_state_dict(best)
    with torch.no_grad():
        for norm in norms_of(state.module):
            norm.running_mean.fill_(7.0)
    with recalibrated(job, state):
        for key, value in state.module.state_dict().items():
            assert torch.allclose(value, best[key], atol=1e-6), key


@pytest.mark.parametrize("kills", [(3,), (9,), (20,), (31,), (7, 13, 19, 26, 39)], ids=str)
def test_killed_runs_end_the_same(whole, tmp_path, kills):
    run = new_run(tmp_path / "run")
    go(run, kills)
    assert_same(whole, run)


def test_worker_processes_change_nothing(whole, tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (15,), workers=1)
    assert_same(whole, run)


def test_torch_generator_of_the_user_changes_nothing(whole, tmp_path):
    run = new_run(tmp_path / "run")
    torch.manual_seed(123)
    go(run)
    assert_same(whole, run)


def test_run_goes_on_in_another_execution(whole, tmp_path):
    """Checkpoints need not be where they were."""
    run = new_run(tmp_path / "run")
    go(run, (15,), checkpoint_every=4)
    assert (run.folder / "weights.safetensors").read_bytes() == whole.weights.read_bytes()
    assert run.metrics.read_bytes() == whole.metrics.read_bytes()


def test_newest_whole_checkpoint_counts(whole, tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (20,), to_the_end=False)
    newest, older = run.checkpoints
    newest.write_bytes(newest.read_bytes()[:-100])
    (run.folder / "checkpoints" / ".00000024.safetensors.77.tmp").write_bytes(b"left behind")
    said = go(run)
    assert any("passed over" in line and newest.name in line for line in said)
    assert f"goes on from step {int(older.stem)}" in said
    assert_same(whole, run)
    assert not list((run.folder / "checkpoints").glob(".*"))


def test_damaged_checkpoints_do_not_begin_anew(whole, tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (20,), to_the_end=False)
    before = run.metrics.read_bytes()
    held = {path: path.read_bytes() for path in run.checkpoints}
    for path in held:
        path.write_bytes(b"")
    with pytest.raises(RunError, match="none of its checkpoints is whole"):
        go(run)
    assert run.metrics.read_bytes() == before, "nothing is lost"
    for path in held:
        path.unlink()
    assert go(run)[-1].startswith("begins anew")
    assert_same(whole, run)


def test_metrics_and_best_weights_that_are_gone_are_told(tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (20,), to_the_end=False)
    held = run.metrics.read_bytes()
    run.metrics.write_bytes(b"")
    with pytest.raises(RunError, match="is shorter than at the last checkpoint"):
        go(run)
    run.metrics.write_bytes(held)
    (run.folder / "best.safetensors").unlink()
    with pytest.raises(RunError, match=r"best\.safetensors: no such file"):
        go(run)


def test_seed_of_a_run_stays(tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (8,), to_the_end=False)
    job = small_job({"seed": 3})
    with pytest.raises(RunError, match="began with seed 0, found 3"):
        resume(run, job, small_state(job))


def test_checkpoint_of_another_recipe_is_refused(tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (8,), to_the_end=False)
    job = small_job({"optimizer.lr": 0.2})
    with pytest.raises(RunError, match=r"another recipe than its recipe\.yaml"):
        resume(run, job, small_state(job))


def test_checkpoint_is_written_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.ones(3)}, {"step": 1})
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="no space left on device") as error:
        write_tensors(path, {"x": torch.zeros(3)}, {"step": 2})
    assert "untouched" in str(error.value)
    assert read_tensors(path)[0] == {"step": 1} and os.listdir(tmp_path) == ["a.safetensors"]


def test_channels_last_weights_are_saved(tmp_path):
    value = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    write_tensors(tmp_path / "a.safetensors", {"x": value}, {})
    assert torch.equal(load_file(tmp_path / "a.safetensors")["x"], value)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "archspec", "train", *map(str, arguments)]


def wait_for(folder: Path, lines: int) -> None:
    end = time.monotonic() + 120
    metrics = folder / "metrics.jsonl"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < lines:
        assert time.monotonic() < end, "the run does not get on"
        time.sleep(0.02)


def test_process_that_is_killed_or_asked_to_end(tmp_path):
    """With SIGKILL it leaves its last checkpoint; with SIGTERM it writes one and says how to go on."""
    spec, recipe = write_small(tmp_path)
    longer = ["--recipe-set", "length=3000 steps", "--log-every", "3", "--checkpoint-every", "50"]
    folder = tmp_path / "run"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = command(spec, "-r", recipe, "--out", folder, *longer)
    process = subprocess.Popen(begun, stdout=subprocess.DEVNULL, env=env)
    wait_for(folder, 30)
    process.kill()
    process.wait()
    before = len((folder / "metrics.jsonl").read_text().splitlines())
    process = subprocess.Popen(command("--resume", folder), stdout=subprocess.PIPE, text=True, env=env)
    wait_for(folder, before + 20)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert f"archspec train --resume {folder}" in said
    step = int(max((folder / "checkpoints").glob("*.safetensors")).stem)
    assert f"stopped at step {step:,} of 3,000" in said
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps[-1] <= step


def test_run_that_is_asked_to_stop_at_any_time_goes_on(whole, tmp_path):
    """Between steps, and in the middle of tests, which are then done anew."""
    run = new_run(tmp_path / "run")
    pending = 0
    while not run.is_finished:
        job = small_job()
        state = start(run, job, small_state(job).module)
        resume(run, job, state)
        asked = iter(range(1000))
        list(record(run, job, state, train(job, state, lambda asked=asked: next(asked) >= 8)))
        pending += state.pending
    assert pending >= 2
    assert_same(whole, run)


def test_run_is_trained_by_one_command_at_a_time(tmp_path):
    run = new_run(tmp_path / "run")
    spec, recipe = write_small(tmp_path)
    folder = tmp_path / "other"
    line = command(spec, "-r", recipe, "--out", folder, "--recipe-set", "length=4000 steps", "--log-every", 1)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    try:
        wait_for(folder, 3)
        before = (folder / "metrics.jsonl").stat().st_size
        with pytest.raises(RunError, match="another process trains this run"), claimed(Run(folder), Processes()):
            pass
        assert (folder / "metrics.jsonl").stat().st_size >= before
    finally:
        process.kill()
        process.wait()
    for one in (Run(folder), run):
        with claimed(one, Processes()):
            pass


def test_numbers_that_have_changed_in_a_checkpoint_are_noticed(whole, tmp_path):
    run = new_run(tmp_path / "run")
    go(run, (13,), to_the_end=False)
    newest = run.checkpoints[0]
    data = bytearray(newest.read_bytes())
    data[-5] ^= 1
    newest.write_bytes(data)
    said = go(run)
    assert "its numbers are not those that were written" in said[0] and said[1] == "goes on from step 6"
    assert_same(whole, run)


def test_weights_that_were_taken_away_are_made_again(tmp_path):
    """By the last checkpoint: averaged, with exact statistics."""
    run = new_run(tmp_path / "run")
    found = []
    for _ in range(2):
        job = small_job({"select": "last"})
        (run.folder / "recipe.yaml").write_text(RECIPE.replace("{metric: test.top1_error, best: lowest}", "last"))
        state = start(run, job, small_state(job).module)
        resume(run, job, state)
        list(record(run, job, state, train(job, state)))
        found.append(load_file(run.weights))
        run.weights.unlink()
    assert all(torch.allclose(value, found[1][key], atol=1e-6) for key, value in found[0].items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"optimizer.freeze": "['*']", "optimizer.groups": "[]"},
            "nothing is left to train: `optimizer.freeze` names all parameters",
        ),
        ({"optimizer.lr": "1e305"}, "the learning rate of step 1 is"),
        ({"schedule": "{op: step, every: 1 step, factor: 1e10}"}, "the learning rate of step 5 is"),
    ],
)
def test_what_cannot_be_trained_is_told(settings, message):
    job = small_job(settings)
    with pytest.raises(RunError, match=message):
        list(train(job, small_state(job)))


def test_buffer_that_is_not_finite_ends_a_run(tmp_path):
    job = small_job()
    state = small_state(job)
    recorder = Recorder(new_run(tmp_path / "run"), job, state)
    recorder.refuse_not_finite()
    state.module.bn1.running_var[0] = float("nan")
    with pytest.raises(RunError, match="a buffer is not finite at step 0"):
        recorder.refuse_not_finite()
    recorder.close()
