"""SSI on the published 2D protocol: ``tox run -e bench -- ssi [--set SET] [--only NAME]``.

Every image is scaled to [0, 1], blurred, given noise of seed 0 (Kobayashi et al. 2020) and restored
with one fixed set of options; the truth is used for the printed scores alone. ``held-out`` are six
images of the authors' benchmark, on which nothing was chosen; ``tuning`` are the others, on which
the options were.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from copy import copy, deepcopy
from pathlib import Path

import numpy as np
import torch
from skimage import data as skdata
from skimage.io import imread

from napari_selfsup_recon import SSI, Blur, SSIOptions
from napari_selfsup_recon.core.events import Notice, Step
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.simulate import degrade, lucy_richardson_mirror_at, published_psf_2d

# PSNR of the authors' own results on these images.
AUTHORS = {
    "drosophilaslice": 26.35,
    "usaf": 22.24,
    "characters": 19.52,
    "nuclei": 24.74,
    "mitochondria": 22.37,
    "fishembryo": 28.06,
}
TUNING = ("maize", "sandstone", "camera", "coins", "text")


def load(name: str, folder: Path) -> np.ndarray:
    """Return a clean image."""
    if name in AUTHORS:
        (path,) = (folder / "microscopy_2d").glob(f"ssi_{name}*.png")
        return imread(path)
    if name == "maize":
        return imread(folder / "microscopy_2d" / "maize_clsm.tif")
    if name == "sandstone":
        return imread(folder / "ct" / "sandstone_microct_1024x996.tif")[:640, :640]
    return getattr(skdata, name)()


def main() -> None:
    """Print one row an image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--only", nargs="*", help="names of images")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--set-option", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--curve", action="store_true", help="print the PSNR of every look")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    # The published images lie in [0, 1]; that nothing can be brighter is part of the protocol.
    chosen: dict[str, object] = {"maximum": 1.0, "seed": arguments.seed}
    if arguments.steps:
        chosen["steps"] = arguments.steps
    for pair in arguments.set_option:
        name, _, value = pair.partition("=")
        chosen[name] = json.loads(value)
    options = SSIOptions(**chosen)
    print(f"torch {torch.__version__}, {arguments.threads} threads, device {options.device}")
    print(f"options {options.model_dump_json(exclude_defaults=True)}, degradation seed 0")
    head = (
        "image",
        "input",
        "LR 5",
        "LR 10",
        "LR 20",
        "authors",
        "SSI",
        "gain",
        "SSIM 1",
        "SSIM 2",
    )
    print(
        "".join(f"{h:>9}" for h in head) + "   kept step, restarts, seconds (train + reconstruct)"
    )
    names = arguments.only or (AUTHORS if arguments.set == "held-out" else TUNING)
    for name in names:
        print(row(name, load(name, folder), options, curve=arguments.curve), flush=True)


def at_this_step(ssi: SSI) -> SSI:
    """Return the method with the averaged weights of this step, in one orientation."""
    now = copy(ssi)
    assert ssi._loop is not None
    now._model = deepcopy(ssi._loop.average.module).eval()
    now.options = ssi.options.model_copy(update={"ensemble": False})
    return now


def row(name: str, image: np.ndarray, options: SSIOptions, *, curve: bool) -> str:
    """Restore one image and return its line."""
    psf = published_psf_2d()
    pair = degrade(image, psf, seed=0)
    classical = lucy_richardson_mirror_at(pair.noisy, psf, (5, 10, 20))
    ssi = SSI(Blur(psf, pair.noisy.shape), options)
    began = time.perf_counter()
    restarts = 0
    reached_at: dict[int, float] = {}
    watched = 0.0
    for event in ssi.train(pair.noisy):
        restarts += isinstance(event, Notice) and event.level == "warning"
        if curve and isinstance(event, Step) and event.score is not None:
            looked = time.perf_counter()
            now = psnr(pair.truth, np.clip(at_this_step(ssi).reconstruct(pair.noisy), 0, 1))
            reached_at[event.index] = now
            seconds = looked - began - watched
            print(f"  {event.index:5d} score {event.score:.4f} {now:.2f} dB {seconds:.0f} s")
            watched += time.perf_counter() - looked
    if curve:
        cost = max(reached_at.values()) - reached_at[ssi.best_step]
        print(f"  the kept step {ssi.best_step} costs {cost:.3f} dB", flush=True)
    trained = time.perf_counter() - watched
    result = np.clip(ssi.reconstruct(pair.noisy), 0, 1)
    done = time.perf_counter() - watched
    reached = psnr(pair.truth, result)
    authors = AUTHORS.get(name, float("nan"))
    figures = (
        psnr(pair.truth, pair.noisy),
        *(psnr(pair.truth, classical[n]) for n in (5, 10, 20)),
        authors,
        reached,
        reached - authors,
    )
    similar = [ssim(pair.truth, result, data_range=r) for r in (1.0, 2.0)]
    return (
        f"{name[:9]:>9}"
        + "".join(f"{f:9.2f}" for f in figures)
        + "".join(f"{s:9.3f}" for s in similar)
        + f"   {ssi.best_step}, {restarts}, {trained - began:.0f} + {done - trained:.0f}"
    )


if __name__ == "__main__":
    main()
