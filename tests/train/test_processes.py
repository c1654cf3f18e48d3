"""Two processes do what one does."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from click.testing import CliRunner
from litdata.streaming.writer import BinaryWriter
from torch import multiprocessing, nn

from archspec.cli.app import cli
from archspec.data.pipeline import batched
from archspec.errors import DataError, RunError
from archspec.parts.dataset.litdata import LitData
from archspec.train.checkpoint import read_tensors
from archspec.train.exact import recalibrated
from archspec.train.job import prepare_module
from archspec.train.loop import Record, train
from archspec.train.norms import norms_of, synchronise
from archspec.train.processes import Processes, join, leave
from archspec.train.recorder import record
from archspec.train.resume import newest, resume, start
from archspec.train.run import Run
from archspec.train.shard import held
from archspec.train.step import Update
from tests.train.small import new_run, small_job, small_state, write_small

SCENES = {
    "groups of 4+3": {"batch.size": 7},
    "groups of 4+4+3+3": {"batch.size": 14},
    "an uneven last batch, 3+0": {"batch.size": 7, "data.train": 45, "batch.last": "keep"},
    "one group": {"batch.size": 8, "batch.group": 8},
    "a head without a loss": {"batch.size": 7, "loss_weights": "{aux1: 0}"},
}
STEPS = 50
PARTS = ["bn*", "conv*", "drop", "gap"]


def trained(
    settings: dict, processes: Processes | None = None, **execution
) -> tuple[list[Record], dict[str, torch.Tensor]]:
    """All records of a run in float64, and its final weights."""
    job = small_job({"length": f"{STEPS} steps", **settings}, processes, precision="fp64", log_every=1, **execution)
    state = small_state(job)
    records = [one for one in train(job, state) if one.kind != "step"]
    return records, state.final


def work(rank: int, port: int, folder: str) -> None:
    """What each of two processes does."""
    torch.set_num_threads(1)
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}
    os.environ.update({name: str(value) for name, value in env.items()})
    os.environ["ARCHSPEC_CACHE"] = folder
    processes, device = join("cpu")
    assert (processes.world, processes.rank, device) == (2, rank, "cpu")
    found = {name: trained(settings, processes) for name, settings in SCENES.items()}
    found["shards"] = {name: trained(settings, processes, shard=True) for name, settings in SCENES.items()}
    found["recomputed"] = recomputed(processes)
    found["shares"] = shares(processes)
    found["precisions"] = {precision: losses(processes, precision) for precision in ("fp32", "bf16")}
    found["samples"] = samples(Path(folder) / "shards")
    found["stopped in a test"] = stopped_in_a_test(processes)
    found["checkpoint"] = from_shards(processes, Path(folder) / "run")
    found["stopped"] = stopped_by_one(processes)
    found["made"] = processes.from_first(lambda: f"by {rank}"), told_by_first(processes)
    found["no images"] = synced_without_images(processes)
    found["norm"] = synced_norm(rank)
    found["exact"] = exact_statistics(processes)
    found["norm of nothing"] = synced_norm_of_nothing()
    found["any"] = processes.any(rank == 1), processes.any(False)
    try:
        processes.agree("recipe", "one" if rank == 0 else "other")
    except RunError as error:
        found["disagree"] = str(error)
    torch.save(found, f"{folder}/{rank}.pt")
    leave()
    assert not dist.is_initialized()


def recomputed(processes: Processes) -> list[tuple[list[Record], dict[str, torch.Tensor]]]:
    """With parts that are computed again, in groups; in shards, optimised too; without groups; and that without it."""
    grouped, whole = SCENES["groups of 4+3"], {"batch": "{size: 14, last: wrap}"}
    return [
        trained(grouped, processes, recompute=PARTS),
        trained(grouped, processes, recompute=PARTS, shard=True, optimize=True),
        trained(whole, processes, recompute=PARTS),
        trained(whole, processes),
    ]


def shares(processes: Processes) -> tuple[int, int]:
    """How many numbers of the parameters this process holds, of how many."""
    module = prepare_module(small_job(None, processes, shard=True))
    return sum(held(p).numel() for p in module.parameters()), sum(p.numel() for p in module.parameters())


def losses(processes: Processes, precision: str) -> list[float]:
    """Of training in shards, three steps."""
    job = small_job({"length": "3 steps"}, processes, precision=precision, shard=True, log_every=1)
    return [one.values["train.loss"] for one in train(job, small_state(job)) if one.kind == "train"]


def write_samples(folder: Path) -> None:
    """Seven samples in shards of litdata."""
    cache = BinaryWriter(str(folder / "train"), chunk_bytes=100)
    for number in range(7):
        cache.add_item(number, {"image": b"x" * 30, "target": number})
    cache.done()
    cache.merge(1)
    (folder / "classes.txt").write_text("\n".join("abcdefg"))


def samples(folder: Path) -> tuple[int, int]:
    """How many samples there are, and the target of the last one."""
    images = LitData().images("train", folder, (8, 8))
    return len(images), images.target(6)


def stopped_in_a_test(processes: Processes) -> tuple[int, bool]:
    """The step, and whether its tests are still to be done, when one process is told to stop in its first test."""
    job = small_job({"evaluate.test.every": "3 steps"}, processes, test_batch=2)
    state = small_state(job)
    list(train(job, state, lambda: processes.rank == 1 and state.step == 3))
    return state.step, state.pending


def from_shards(processes: Processes, folder: Path) -> list[str]:
    """Stop in the middle, keep shards, go on from them and stop again; what was said."""
    if processes.is_first:
        new_run(folder)
    processes.wait()
    said = []
    for end in (9, 20):
        job = small_job(None, processes, shard=True, precision="fp64", checkpoint_every=4)
        state = start(Run(folder), job, prepare_module(job))
        said += resume(Run(folder), job, state)
        list(record(Run(folder), job, state, train(job, state, lambda end=end, state=state: state.step >= end)))
    return said


def stopped_by_one(processes: Processes) -> int:
    """The step at which all stop when one is told to after step 5."""
    job = small_job(None, processes)
    state = small_state(job)
    list(train(job, state, lambda: processes.rank == 1 and state.step >= 5))
    return state.step


def told_by_first(processes: Processes) -> str:
    def fail() -> None:
        raise DataError(f"{processes.rank} cannot")

    try:
        processes.from_first(fail)
    except DataError as error:
        return str(error)
    return ""


def synced_without_images(processes: Processes) -> list[torch.Tensor]:
    """The weights after a step whose images are all bad on one process, without groups."""
    job = small_job({"batch": "{size: 8, last: wrap}", "length": "1 step"}, processes, precision="fp64")
    state = small_state(job)
    _, groups = next(job.steps(0))
    if processes.rank == 1:
        groups = [(number, batched([], [], ["no image"])) for number, _ in groups]
    Update(job, state)(0, groups)
    return [p.detach() for p in state.module.parameters()]


def norm_and_input() -> tuple[nn.BatchNorm2d, torch.Tensor]:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(3, momentum=0.3).double()
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    return norm, torch.randn(5, 3, 4, 4, dtype=torch.float64)


def synced_norm(rank: int) -> list[torch.Tensor]:
    """Outputs, gradients and running statistics of batch norm over 3 images here and 2 there."""
    norm, x = norm_and_input()
    synchronise(norms_of(norm))
    mine = (x[:3] if rank == 0 else x[3:]).clone().requires_grad_()
    y = norm(mine)
    (y * y * y).sum().backward()
    return [y.detach(), mine.grad, norm.running_mean, norm.running_var, norm.weight.grad, norm.eval()(mine).detach()]


class Damaged:
    """Images of which most cannot be read, whole batches among them."""

    def __init__(self, images) -> None:
        self.images, self.classes, self.fingerprint = images, images.classes, "damaged"

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int):
        if index % 3:
            raise DataError(f"image {index}: no image")
        return self.images.image(index)

    def target(self, index: int) -> int:
        return self.images.target(index)

    def name(self, index: int) -> str:
        return f"image {index}"


def exact_statistics(processes: Processes | None = None) -> list[torch.Tensor]:
    """Of batches of two images, without groups."""
    settings = {"batch": "{size: 2, last: wrap}", "batch_norm": "{at_test: exact, over: 40 samples}"}
    job = small_job(settings, processes, precision="fp64", on_bad_image="skip")
    job = replace(job, train=Damaged(job.train))
    state = small_state(job)
    if processes is not None:
        synchronise(norms_of(state.module))
    with recalibrated(job, state):
        return [value.clone() for norm in norms_of(state.module) for value in (norm.running_mean, norm.running_var)]


def synced_norm_of_nothing() -> list[torch.Tensor]:
    """Running statistics, of which momentum 1 keeps nothing, once no process had an image."""
    norm, x = norm_and_input()
    norm.momentum = 1.0
    synchronise(norms_of(norm))
    norm(x)
    before = [norm.running_mean.clone(), norm.running_var.clone()]
    y = norm(x[:0].requires_grad_())
    y.sum().backward()
    assert torch.equal(norm.running_mean, before[0]) and torch.equal(norm.running_var, before[1])
    return [norm.running_mean, norm.running_var, norm.weight.grad]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> list[dict]:
    """What two processes found."""
    folder = tmp_path_factory.mktemp("two")
    write_samples(folder / "shards")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) | {"folder": folder} for rank in range(2)]


@pytest.mark.parametrize("scene", SCENES)
def test_two_processes_equal_one(both, scene):
    """Batch norm by groups, dropout, mixing, averages, drops and tests included."""
    records, weights = trained(SCENES[scene])
    assert sum(one.kind == "train" for one in records) == STEPS
    for found, final in (both[0][scene], both[1][scene], both[0]["shards"][scene], both[1]["shards"][scene]):
        assert [(one.kind, one.step) for one in found] == [(one.kind, one.step) for one in records]
        for one, other in zip(found, records, strict=True):
            assert one.values == pytest.approx(other.values, rel=0, abs=1e-9)
        for key, value in weights.items():
            assert torch.allclose(final[key], value, rtol=0, atol=1e-9), key


def test_parts_that_are_computed_again_change_nothing(both):
    """With batch norm by groups, in shards and over all processes."""
    plain = trained(SCENES["groups of 4+3"])
    pairs = [(found, plain) for one in both for found in one["recomputed"][:2]]
    pairs += [one["recomputed"][2:] for one in both]
    for (records, final), (others, weights) in pairs:
        for one, other in zip(records, others, strict=True):
            assert one.values == pytest.approx(other.values, rel=0, abs=1e-9)
        for key, value in weights.items():
            assert torch.allclose(final[key], value, rtol=0, atol=1e-9), key


def test_synchronised_norm_is_the_norm_of_all_images(both):
    norm, x = norm_and_input()
    x.requires_grad_()
    y = norm(x)
    (y * y * y).sum().backward()
    expected = [y.detach(), x.grad, norm.running_mean, norm.running_var, norm.weight.grad, norm.eval()(x).detach()]
    found = [one["norm"] for one in both]
    for k in (0, 1, 5):
        assert torch.allclose(torch.cat([found[0][k], found[1][k]]), expected[k], atol=1e-12)
    for k in (2, 3):
        assert torch.allclose(found[0][k], expected[k], atol=1e-12)
    assert torch.allclose(found[0][4] + found[1][4], expected[4], atol=1e-12)


def test_each_process_holds_its_share(both):
    (mine, all_of_it), (other, _) = both[0]["shares"], both[1]["shares"]
    assert mine + other == all_of_it and abs(mine - other) < 0.3 * all_of_it


def test_shards_in_single_and_half_precision(both):
    for precision, most in (("fp32", 1e-5), ("bf16", 0.05)):
        job = small_job({"length": "3 steps"}, precision=precision, log_every=1)
        alone = [one.values["train.loss"] for one in train(job, small_state(job)) if one.kind == "train"]
        for one in both:
            assert one["precisions"][precision] == pytest.approx(alone, rel=most)


def test_each_process_sees_all_samples_of_litdata(both):
    assert [one["samples"] for one in both] == [(7, 6)] * 2


def test_all_stop_in_a_test_when_one_is_told_to(both):
    assert [one["stopped in a test"] for one in both] == [(3, True)] * 2


def test_run_goes_on_from_shards_in_one_process(both, tmp_path):
    """Shards are written by two processes, read by two, and then by one; the run ends as if it had never stopped."""
    begins, goes = both[0]["checkpoint"]
    assert begins.startswith("begins anew") and goes == "goes on from step 11"
    run = Run(both[0]["folder"] / "run")
    assert [path.name for path in run.checkpoints] == ["00000022", "00000020"]
    damaged = tmp_path / "run"
    shutil.copytree(run.folder, damaged)
    (damaged / "checkpoints" / "00000022" / "__1_0.distcp").unlink()
    job = small_job(precision="fp64", checkpoint_every=4)
    state = start(Run(damaged), job, prepare_module(job))
    passed, goes = resume(Run(damaged), job, state)
    assert "00000022: not a whole checkpoint" in passed and goes == "goes on from step 20"
    list(record(Run(damaged), job, state, train(job, state)))
    other = small_state(small_job(precision="fp64"))
    list(train(small_job(precision="fp64"), other))
    _, weights = read_tensors(Run(damaged).weights)
    for key, value in other.final.items():
        assert torch.allclose(state.final[key], value, rtol=0, atol=1e-12), key
    assert weights.keys() == other.final.keys()


def test_all_stop_at_the_same_step(both):
    assert both[0]["stopped"] == both[1]["stopped"] == 7, "told after step 5, sent with step 6, heard after step 7"


def test_what_the_first_process_makes(both):
    assert [one["made"] for one in both] == [("by 0", "0 cannot")] * 2


def test_process_without_images_takes_part_in_synchronised_norms(both):
    for mine, other in zip(both[0]["no images"], both[1]["no images"], strict=True):
        assert torch.equal(mine, other) and mine.isfinite().all()


def test_exact_statistics_are_those_of_one_process_where_images_are_bad(both):
    for one in both:
        for found, expected in zip(one["exact"], exact_statistics(), strict=True):
            assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_synchronised_norm_of_no_image_stays_as_it_is(both):
    for one in both:
        assert all(value.isfinite().all() for value in one["norm of nothing"])


@pytest.mark.parametrize("name", ["__0_0.distcp", "__1_0.distcp", ".metadata", "state.json"])
def test_numbers_that_have_changed_in_shards_are_noticed(both, tmp_path, name):
    run = Run(tmp_path / "run")
    shutil.copytree(both[0]["folder"] / "run", run.folder)
    path = run.checkpoints[0] / name
    held, state = path.read_bytes(), small_state(small_job(precision="fp64"))
    for place in (0.2, 0.5, 0.8):
        changed = bytearray(held)
        changed[int(len(held) * place)] ^= 1
        path.write_bytes(changed)
        said = []
        numbers, _ = newest(run, state, Processes(), said)
        assert numbers["step"] == 20 and "00000022: not a whole checkpoint" in said[0]
    path.write_bytes(held)
    numbers, _ = newest(run, state, Processes())
    assert numbers["step"] == 22


def test_processes_that_disagree_are_told(both):
    assert both[0]["any"] == both[1]["any"] == (True, False)
    message = "process 1 has another recipe than process 0: other instead of one"
    assert both[0]["disagree"] == both[1]["disagree"] == message


def test_command_that_torchrun_starts_again_goes_on(tmp_path, monkeypatch):
    """The same command, once a process was killed; tests/benchmarks/elastic.py does it with torchrun."""
    spec, recipe = write_small(tmp_path)
    line = ["train", str(spec), "-r", str(recipe), "--out", str(tmp_path / "run"), "--checkpoint-every", "7"]
    with monkeypatch.context() as patch:
        patch.setattr("archspec.cli.training.train", lambda job, state, _: train(job, state, lambda: state.step >= 16))
        first = CliRunner().invoke(cli, line)
    assert "stopped at step 16 of 40" in first.output
    assert "exists already" in str(CliRunner().invoke(cli, line).exception)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = CliRunner().invoke(cli, line)
    assert "goes on from step 16" in again.output and "finished:" in again.output, again.output


def test_command_that_is_started_again_does_not_go_on_with_another_run(tmp_path, monkeypatch):
    spec, recipe = write_small(tmp_path)
    line = ["train", str(spec), "-r", str(recipe), "--out", str(tmp_path / "run"), "--recipe-set", "length=3 steps"]
    assert "finished" in CliRunner().invoke(cli, line).output
    (tmp_path / "run" / "weights.safetensors").unlink()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    for other in (["--seed", "5"], ["--recipe-set", "optimizer.lr=0.3"], ["-i", "image=3x13x13"]):
        found = CliRunner().invoke(cli, [*line, *other])
        assert "exists already, and holds another run" in str(found.exception), other


def test_run_that_may_be_started_again_needs_a_folder(tmp_path, monkeypatch):
    spec, recipe = write_small(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    found = CliRunner().invoke(cli, ["train", str(spec), "-r", str(recipe)])
    assert "--out FOLDER" in str(found.exception)


def test_error_that_all_processes_meet_is_told_once(tmp_path):
    spec, _ = write_small(tmp_path)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    done = subprocess.run([*torchrun, "archspec", "train", spec, "-r", "nosuch"], capture_output=True, text=True)
    assert done.returncode and done.stderr.count("nosuch: no recipe of this name") == 1, done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard"], "here is one"),
        (["--device", "cuda:0"], "device `cuda:0` cannot be used"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path, options, message):
    spec, recipe = write_small(tmp_path)
    found = CliRunner().invoke(cli, ["train", str(spec), "-r", str(recipe), "--out", str(tmp_path / "run"), *options])
    assert message in str(found.exception) and not (tmp_path / "run").exists()
