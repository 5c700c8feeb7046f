"""Total variation and Wiener without truth, on the published 2D protocol.

    tox run -e bench -- tv [--set SET] [--only NAME]

Every image is degraded as for ``ssi`` (seed 0). TV runs with ``weight="auto"``; its best weight by
truth is sought on a grid around, and ``cost`` is what not knowing it costs. The truth is used for
the printed figures alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from math import exp
from pathlib import Path

import numpy as np
import torch
from ssi import AUTHORS, TUNING, load

from napari_selfsup_recon import (
    Blur,
    TotalVariation,
    TotalVariationOptions,
    Wiener,
    WienerOptions,
)
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.simulate import degrade, published_psf_2d

GRID = np.arange(-6, 7) * 0.2


def main() -> None:
    """Print one row an image and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--only", nargs="*", help="names of images")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-grid", action="store_true", help="do not seek the best weight")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    heads = ("image", "input", "Wiener", "TV", "weight", "best", "at", "cost", "SSIM 1", "SSIM 2")
    print("".join(f"{h:>9}" for h in heads) + "   CPU seconds (Wiener, TV)")
    rows = []
    for name in arguments.only or (AUTHORS if arguments.set == "held-out" else TUNING):
        figures, seconds = row(load(name, folder), arguments.seed, grid=not arguments.no_grid)
        rows.append(figures)
        print(line(name, figures) + f"   {seconds[0]:.1f}, {seconds[1]:.1f}", flush=True)
    print(line("mean", list(np.mean(rows, axis=0))))


def line(name: str, figures: list[float]) -> str:
    """Return one line of the table."""
    return f"{name[:9]:>9}" + "".join(
        f"{f:9.3f}" if column in (3, 5, 6, 7, 8) else f"{f:9.2f}"
        for column, f in enumerate(figures)
    )


def row(image: np.ndarray, seed: int, *, grid: bool) -> tuple[list[float], tuple[float, float]]:
    """Restore one image; returns the figures and the seconds of Wiener and TV."""
    psf = published_psf_2d()
    pair = degrade(image, psf, seed=seed)
    physics = Blur(psf, pair.noisy.shape)
    began = time.process_time()
    wiener = Wiener(physics, WienerOptions(device="cpu")).reconstruct(pair.noisy)
    between = time.process_time()
    # The published images lie in [0, 1]; that nothing can be brighter is part of the protocol.
    auto = TotalVariation(physics, TotalVariationOptions(maximum=1.0, device="cpu"))
    image = auto.reconstruct(pair.noisy)
    done = time.process_time()
    weight = auto.weight
    reached = psnr(pair.truth, image)
    best, place = reached, weight
    for shift in GRID if grid else ():
        options = TotalVariationOptions(maximum=1.0, device="cpu", weight=weight * exp(shift))
        found = psnr(pair.truth, TotalVariation(physics, options).reconstruct(pair.noisy))
        if found > best:
            best, place = found, options.weight
    figures = [
        psnr(pair.truth, pair.noisy),
        psnr(pair.truth, np.clip(wiener, 0, 1)),
        reached,
        weight,
        best,
        place,
        best - reached,
        *(ssim(pair.truth, image, data_range=r) for r in (1.0, 2.0)),
    ]
    return figures, (between - began, done - between)


if __name__ == "__main__":
    main()
