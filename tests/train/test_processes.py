"""Two processes do what one does."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
from click.testing import CliRunner
from torch import multiprocessing, nn

from archspec.cli.app import cli
from archspec.errors import RunError
from archspec.train.loop import Record, train
from archspec.train.norms import norms_of, synchronise
from archspec.train.processes import Processes, join, leave
from tests.train.small import small_job, small_state, write_small

SCENES = {
    "groups of 4+3": {"batch.size": 7},
    "groups of 4+4+3+3": {"batch.size": 14},
    "an uneven last batch, 3+0": {"batch.size": 7, "data.train": 45, "batch.last": "keep"},
    "one group": {"batch.size": 8, "batch.group": 8},
    "a head without a loss": {"batch.size": 7, "loss_weights": "{aux1: 0}"},
}
STEPS = 50


def trained(settings: dict, processes: Processes | None = None) -> tuple[list[Record], dict[str, torch.Tensor]]:
    """All records of a run in float64, and its final weights."""
    job = small_job({"length": f"{STEPS} steps", **settings}, processes, precision="fp64", log_every=1)
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
    found["norm"] = synced_norm(rank)
    found["any"] = processes.any(rank == 1), processes.any(False)
    try:
        processes.agree("recipe", "one" if rank == 0 else "other")
    except RunError as error:
        found["disagree"] = str(error)
    torch.save(found, f"{folder}/{rank}.pt")
    leave()
    assert not dist.is_initialized()


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


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> list[dict]:
    """What two processes found."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("scene", SCENES)
def test_two_processes_equal_one(both, scene):
    """Batch norm by groups, dropout, mixing, averages, drops and tests included."""
    records, weights = trained(SCENES[scene])
    assert sum(one.kind == "train" for one in records) == STEPS
    for found, final in (both[0][scene], both[1][scene]):
        assert [(one.kind, one.step) for one in found] == [(one.kind, one.step) for one in records]
        for one, other in zip(found, records, strict=True):
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


def test_processes_that_disagree_are_told(both):
    assert both[0]["any"] == both[1]["any"] == (True, False)
    message = "process 1 has another recipe than process 0: other instead of one"
    assert both[0]["disagree"] == both[1]["disagree"] == message


def test_command_that_torchrun_starts_again_goes_on(tmp_path, monkeypatch):
    """The same command, once a process was killed; tests/benchmarks/elastic.py does it with torchrun."""
    spec, recipe = write_small(tmp_path)
    line = ["train", str(spec), "-r", str(recipe), "--out", str(tmp_path / "run"), "--checkpoint-every", "7"]
    stopping = iter([False] * 15 + [True])
    monkeypatch.setattr(Processes, "any", lambda self, mine: next(stopping, False))
    first = CliRunner().invoke(cli, line)
    assert "stopped at step 16 of 40" in first.output
    assert "exists already" in str(CliRunner().invoke(cli, line).exception)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = CliRunner().invoke(cli, line)
    assert "goes on from step 16" in again.output and "finished:" in again.output, again.output


def test_run_that_may_be_started_again_needs_a_folder(tmp_path, monkeypatch):
    spec, recipe = write_small(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    found = CliRunner().invoke(cli, ["train", str(spec), "-r", str(recipe)])
    assert "--out FOLDER" in str(found.exception)
