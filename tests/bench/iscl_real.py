"""ISCL on real noise, with clean examples out of the same data: figures to be looked at.

    tox run -e bench -- iscl_real shale|diamond [--steps N] [--figure FOLDER]

``shale``: one noisy FIB-SEM slice. The clean examples are its left part after ``denoise`` (the
noise is white, so that masked self-supervision takes it out); its right part is cleaned. Told are
the spread of what was taken out and how far it is from white.

``diamond``: slices of a scan from every other view, by filtered back-projection. The clean examples
are the slices between them, from all views. Told is how well the slices
predict the views that they were not made from (root mean square over that of what was recorded,
noise included).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from real_ct import SCANS, Scan, against_asked, run
from skimage.io import imread
from skimage.restoration import denoise_tv_chambolle

from napari_selfsup_recon import ISCL, SSI, Identity, ISCLOptions, SSIOptions
from napari_selfsup_recon.metrics import residual_whiteness

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = np.ndarray[Any, np.dtype[np.float32]]
SIDE = 512  # of both parts of the shale
SSI_STEPS = 400


@dataclass(frozen=True)
class Task:
    """Clean and noisy images ``(n, y, x)``, what else cleans them, and what there is to tell."""

    clean: Array
    noisy: Array
    others: dict[str, Array]
    score: Callable[[Array], str]
    stack: bool


def main() -> None:
    """Print a row a method, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=TASKS)
    parser.add_argument("--steps", type=int, default=870)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--figure", type=Path, help="folder")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads, seed {arguments.seed}")
    task = TASKS[arguments.data](folder, arguments.seed)
    print(f"{task.noisy.shape} noisy, {task.clean.shape} clean", flush=True)
    images = {"noisy": task.noisy, **task.others}
    for name, image in images.items():
        print(f"{name:>16}  {task.score(image)}", flush=True)
    began = time.perf_counter()
    images["ISCL"], note = cleaned(task, arguments)
    took = time.perf_counter() - began
    print(f"{'ISCL':>16}  {task.score(images['ISCL'])}   {took:.0f} s, {note}")
    if arguments.figure:
        arguments.figure.mkdir(parents=True, exist_ok=True)
        path = arguments.figure / f"iscl_{arguments.data}.png"
        draw(task, images, path)
        print(f"wrote {path}")


def cleaned(task: Task, arguments: argparse.Namespace) -> tuple[Array, str]:
    """Return the noisy images after ISCL, and its scores."""
    options = ISCLOptions(
        steps=arguments.steps,
        patience=arguments.steps,
        seed=arguments.seed,
        device="cpu",
        neighbours="auto" if task.stack else "none",
    )
    shape = task.noisy.shape if task.stack else task.noisy.shape[1:]
    iscl = ISCL(Identity(shape), options)
    iscl.fit(task.noisy, clean=task.clean, progress=False)
    scores = " ".join(f"{key} {value:.3g}" for key, value in iscl.scores.items())
    return iscl.reconstruct(task.noisy), f"kept {iscl.best_step} of {arguments.steps}, {scores}"


def shale(folder: Path, seed: int) -> Task:
    """One slice; the noise is white."""
    image = imread(folder / "em" / "shale_fibsem_noisy_1104x1720.tif").astype(np.float32)
    left, right = image[:SIDE, :SIDE], image[:SIDE, SIDE : 2 * SIDE]
    options = SSIOptions(steps=SSI_STEPS, patience=SSI_STEPS, seed=seed, device="cpu")
    ssi = SSI(Identity(left.shape), options)
    ssi.fit(np.stack([left, right]), progress=False)
    pseudo, by_ssi = ssi.reconstruct(np.stack([left, right]))

    def score(images: Array) -> str:
        taken = right - images[0]
        if not taken.any():
            return ""
        white = residual_whiteness(taken)
        return f"taken out: spread {taken.std():.2f}, correlation {white.correlation:.3f}"

    by_tv = denoise_tv_chambolle(right, weight=30).astype(np.float32)
    others = {"TV, weight 30": by_tv[None], "denoise": by_ssi[None]}
    return Task(pseudo[None], right[None], others, score, stack=False)


def diamond(folder: Path, seed: int) -> Task:
    """Slices of a scan; neighbours share its noise, which back-projection spreads."""
    # Where the tool holds its metal; slices in turn for the noisy and for the clean ones.
    whole = SCANS["diamond"](folder / "ct", rows="66:102")
    scan, other = in_turn(whole, 0), in_turn(whole, 1)
    other = replace(other, shown=np.arange(len(whole.degrees)))
    none = argparse.Namespace()
    noisy, clean = run(scan, "fbp", none)[0], run(other, "fbp", none)[0]
    others = {"total variation": run(scan, "tv", none)[0]}
    return Task(clean, noisy, others, against_asked(scan, scan.posed(scan.shown)), stack=False)


def in_turn(scan: Scan, first: int) -> Scan:
    """Return every other slice of a scan."""
    given = {key: frame[first::2] for key, frame in scan.given.items()}
    return replace(scan, projections=scan.projections[:, first::2], given=given)


def draw(task: Task, images: dict[str, Array], path: Path) -> None:
    """Draw a clean example, every result and what ISCL took out."""
    middle = len(task.noisy) // 2
    shown = {"a clean example": task.clean[len(task.clean) // 2]}
    shown |= {name: image[middle] for name, image in images.items()}
    taken = images["noisy"][middle] - images["ISCL"][middle]
    side = min(256, *taken.shape)
    low, high = (float(np.quantile(task.noisy[middle], q)) for q in (0.01, 0.995))
    drawn, axes = plt.subplots(1, len(shown) + 1, figsize=(3.4 * (len(shown) + 1), 3.6))
    for axis, (name, image) in zip(axes, shown.items(), strict=False):
        axis.imshow(image[:side, :side], cmap="gray", vmin=low, vmax=high)
        axis.set_title(name, fontsize=10)
    reach = 3 * float(taken.std())
    axes[-1].imshow(taken[:side, :side], cmap="gray", vmin=-reach, vmax=reach)
    axes[-1].set_title("taken out by ISCL", fontsize=10)
    for axis in axes:
        axis.set_axis_off()
    drawn.tight_layout()
    drawn.savefig(path, dpi=100)
    plt.close(drawn)


TASKS: dict[str, Callable[[Path, int], Task]] = {"shale": shale, "diamond": diamond}


if __name__ == "__main__":
    main()
