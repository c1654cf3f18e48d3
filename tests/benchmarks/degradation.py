"""The degradation of deep plain networks in small (He et al. 2015, section 4.2, figure 6): four runs and a report.

Plain and residual networks of 20 and 56 layers learn drawn shapes of 16 x 16 by the CIFAR recipe, cut short. The
paper's finding is that the deeper plain network is worse even on the images it is trained on, and the deeper residual
one is not. At the paper's rate of 0.1 no network of 56 layers has left chance after 600 steps, hence the smaller one.
"""

import argparse
import subprocess
import sys
from pathlib import Path

NETWORKS = [("plain-cifar", 20), ("plain-cifar", 56), ("resnet-cifar", 20), ("resnet-cifar", 56)]

SIZE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs") / "degradation")
    given = parser.parse_args()
    data = f"{{op: synthetic, train: {given.images}, test: {max(200, given.images // 5)}, size: {SIZE}}}"
    at = f"[{given.steps * 6 // 10} steps, {given.steps * 8 // 10} steps]"
    settings = {
        "data": data,
        "augment.0.size": str(SIZE // 8),
        "augment.1.size": str(SIZE),
        "optimizer.lr": str(given.lr),
        "length": f"{given.steps} steps",
        "schedule.at": at,
        "batch": f"{{size: {given.batch}, last: wrap}}",
        "evaluate.single.every": f"{max(1, given.steps // 12)} steps",
    }
    options = [part for path, value in settings.items() for part in ("--recipe-set", f"{path}={value}")]
    folders = []
    for spec, depth in NETWORKS:
        folder = given.out / f"{spec.removesuffix('-cifar')}-{depth}"
        folders.append(str(folder))
        if folder.exists():
            run("train", "--resume", str(folder))
            continue
        machine = ["--log-every", str(max(1, given.steps // 60)), "--device", given.device, "--out", str(folder)]
        run(
            "train",
            spec,
            "-s",
            f"depth={depth}",
            "-i",
            f"image=3x{SIZE}x{SIZE}",
            "-r",
            "resnet-2015-cifar",
            *options,
            *machine,
        )
    run("report", *folders, "--out", str(given.out / "report.html"))


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "archspec", *arguments], check=True)


if __name__ == "__main__":
    main()
