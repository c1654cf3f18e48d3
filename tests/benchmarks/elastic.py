"""A worker that is killed under torchrun is replaced, and the run ends the same: python elastic.py [TIMES]."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.train.small import write_small  # noqa: E402

DIE = """
import os, pathlib, signal, sys, threading, time
def watch():
    metrics = pathlib.Path(sys.argv[sys.argv.index('--out') + 1]) / 'metrics.jsonl'
    while not metrics.exists() or metrics.read_text().count('\\n') < 20: time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)
if os.environ['RANK'] == '1' and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':
    threading.Thread(target=watch, daemon=True).start()
from archspec.cli.app import main
main()
"""
SETTINGS = ["--recipe-set", "length=90 steps", "--recipe-set", "batch.size=7", "--precision", "fp64"]
MACHINE = ["--log-every", "2", "--checkpoint-every", "5"]


def once(folder: Path) -> float:
    """The largest difference between the records of a run with a killed worker and those of one process."""
    spec, recipe = write_small(folder)
    (folder / "die.py").write_text(DIE)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def go(name: str, *begin: str) -> str:
        out = ["--out", str(folder / name)]
        line = [sys.executable, *begin, "train", str(spec), "-r", str(recipe), *out, *SETTINGS, *MACHINE]
        done = subprocess.run(line, capture_output=True, text=True, env=env, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2"]
    said = go("two", *torchrun, str(folder / "die.py"))
    assert said.count("finished:") == 1 and "goes on from step" in said, said
    go("one", "-m", "archspec")
    one, two = (
        [json.loads(x) for x in (folder / n / "metrics.jsonl").read_text().splitlines()] for n in ("one", "two")
    )
    assert [(a["kind"], a["step"]) for a in one] == [(b["kind"], b["step"]) for b in two]
    return max(abs(a[k] - b[k]) for a, b in zip(one, two, strict=True) for k in a if k != "kind")


for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    with tempfile.TemporaryDirectory() as name:
        print(f"run {number}: largest difference {once(Path(name)):.1e}", flush=True)
