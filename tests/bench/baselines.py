"""Classical baselines on the published 2D protocol: ``tox run -e bench -- baselines``.

Every image is scaled to [0, 1], blurred, given noise of seed 0 (Kobayashi et al. 2020) and restored
by the methods of ``--methods``: ``mirror`` (Lucy-Richardson as published), ``lr`` and ``repair+lr``
(ours, without and with repair of wrong pixels), ``accelerated`` (the latter, accelerated), ``tv``
and ``wiener``. Each tunes itself without the truth; the truth is used for the printed scores alone,
and for the best setting that the choice is compared with: the best iteration, and the best weight
on a grid of factors 1.25. Results are cut to [0, 1] before they are scored. That no image is
brighter than 1 is part of the protocol, and given to total variation (``--no-maximum`` takes it
away).

``held-out`` are six images of the authors' benchmark, on which nothing was chosen; ``tuning`` are
others.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ssi import AUTHORS, TUNING, load

from napari_selfsup_recon import Blur
from napari_selfsup_recon.methods import RichardsonLucy, RichardsonLucyOptions
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.physics.outliers import repair_outliers
from napari_selfsup_recon.simulate import (
    Degraded,
    degrade,
    lucy_richardson_mirror_at,
    published_psf_2d,
)

FACTOR = 1.25


@dataclass
class Row:
    """What one method made of one image."""

    method: str
    setting: str = "-"
    image: np.ndarray | None = None
    reached: float = float("nan")
    best_setting: str = "-"
    best: float = float("nan")
    seconds: float = float("nan")
    similar: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def loss(self) -> float:
        """Decibels below the best setting."""
        return self.best - self.reached


def score(truth: np.ndarray, image: np.ndarray) -> float:
    """Return the PSNR of an image that is cut to [0, 1]."""
    return psnr(truth, np.clip(image, 0, 1))


def mirror(pair: Degraded, psf: np.ndarray, given: argparse.Namespace) -> Row:
    """Return the published variant at its best iteration; it has no choice of its own."""
    curve = lucy_richardson_mirror_at(pair.noisy, psf, range(1, given.iterations + 1))
    reached = {n: score(pair.truth, image) for n, image in curve.items()}
    best = max(reached, key=reached.__getitem__)
    return Row("mirror", best_setting=str(best), best=reached[best])


def lucy(name: str, repair: bool, accelerate: bool = False) -> Callable[..., Row]:
    """Return the row of Lucy-Richardson with or without repair."""

    def run(pair: Degraded, psf: np.ndarray, given: argparse.Namespace) -> Row:
        blur = Blur(psf, pair.noisy.shape)
        method = RichardsonLucy(blur, RichardsonLucyOptions(repair=repair, acceleration=accelerate))
        began = time.perf_counter()
        image = method.reconstruct(pair.noisy)
        seconds = time.perf_counter() - began
        y = repair_outliers(pair.noisy, psf).values if repair else pair.noisy
        work = Iteration(blur, torch.from_numpy(y), accelerate=accelerate)
        curve = []
        for _ in range(given.iterations):
            for _ in work.step():
                pass
            seen = blur.field_of_view(work.estimate[None, None])[0, 0]
            curve.append(score(pair.truth, seen.numpy()))
        best = int(np.argmax(curve))
        return Row(
            name,
            str(method.iterations),
            image,
            score(pair.truth, image),
            str(best + 1),
            curve[best],
            seconds,
        )

    return run


def variation(pair: Degraded, psf: np.ndarray, given: argparse.Namespace) -> Row:
    """Return total variation with its own weight, and with the best one."""
    from napari_selfsup_recon.methods import TotalVariation, TotalVariationOptions

    blur = Blur(psf, pair.noisy.shape)
    maximum = None if given.no_maximum else 1.0

    def at(weight: object) -> tuple[np.ndarray, TotalVariation]:
        method = TotalVariation(blur, TotalVariationOptions(weight=weight, maximum=maximum))
        return method.reconstruct(pair.noisy), method

    began = time.perf_counter()
    image, method = at("auto")
    seconds = time.perf_counter() - began
    chosen = method.weight
    assert chosen is not None
    row = Row("tv", f"{chosen:.3g}", image, score(pair.truth, image), seconds=seconds)
    reached = {0: row.reached}
    for way in () if given.quick else (1, -1):
        step = way
        while True:
            reached[step] = score(pair.truth, at(chosen * FACTOR**step)[0])
            if reached[step] < max(reached.values()):
                break
            step += way
    best = max(reached, key=reached.__getitem__)
    if not given.quick:
        row.best_setting, row.best = f"{chosen * FACTOR**best:.3g}", reached[best]
    return row


def wiener(pair: Degraded, psf: np.ndarray, given: argparse.Namespace) -> Row:
    """Return the Wiener filter."""
    from napari_selfsup_recon.methods import Wiener

    began = time.perf_counter()
    image = Wiener(Blur(psf, pair.noisy.shape)).reconstruct(pair.noisy)
    seconds = time.perf_counter() - began
    return Row("wiener", "auto", image, score(pair.truth, image), seconds=seconds)


METHODS: dict[str, Callable[..., Row]] = {
    "mirror": mirror,
    "lr": lucy("lr", repair=False),
    "repair+lr": lucy("repair+lr", repair=True),
    "accelerated": lucy("accelerated", repair=True, accelerate=True),
    "tv": variation,
    "wiener": wiener,
}
HEAD = ("image", "method", "chosen", "dB", "best", "dB", "loss", "SSIM 1", "SSIM 2", "seconds")
WIDTHS = (16, 12, 8, 8, 8, 8, 7, 8, 8, 9)


def line(*cells: object) -> str:
    """Return one line of the table."""
    texts = []
    for cell in cells:
        text = f"{cell:.2f}" if isinstance(cell, float) else str(cell)
        texts.append("-" if text == "nan" else text)
    return "".join(text.rjust(width) for text, width in zip(texts, WIDTHS, strict=False))


def show(name: str, row: Row) -> None:
    """Print the row of a method."""
    similar = ["-" if np.isnan(s) else f"{s:.3f}" for s in row.similar]
    print(
        line(
            name,
            row.method,
            row.setting,
            row.reached,
            row.best_setting,
            row.best,
            row.loss,
            *similar,
            row.seconds,
        ),
        flush=True,
    )


def main() -> None:
    """Print a block an image, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--only", nargs="*", help="names of images")
    parser.add_argument("--methods", nargs="*", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--iterations", type=int, default=60, help="looked at with the truth")
    parser.add_argument("--quick", action="store_true", help="do not search the best weight")
    parser.add_argument("--no-maximum", action="store_true", help="images may be brighter than 1")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(given.threads)
    print(f"torch {torch.__version__}, {given.threads} threads, degradation seed 0")
    print(line(*HEAD))
    psf = published_psf_2d()
    rows: dict[str, list[Row]] = {}
    for name in given.only or (AUTHORS if given.set == "held-out" else TUNING):
        pair = degrade(load(name, folder), psf, seed=0)
        for method in ("input", *given.methods):
            if method == "input":
                row = Row("input", image=pair.noisy, reached=score(pair.truth, pair.noisy))
            else:
                row = METHODS[method](pair, psf, given)
            if row.image is not None:
                cut = np.clip(row.image, 0, 1)
                one, two = (ssim(pair.truth, cut, data_range=r) for r in (1.0, 2.0))
                row.similar = one, two
            show(name, row)
            row.image = None
            rows.setdefault(method, []).append(row)
    for method, each in rows.items():
        mean = Row(
            method,
            reached=float(np.mean([row.reached for row in each])),
            best=float(np.mean([row.best for row in each])),
            seconds=float(np.mean([row.seconds for row in each])),
            similar=tuple(np.mean([row.similar for row in each], axis=0)),
        )
        show("mean", mean)
        losses = [row.loss for row in each if not np.isnan(row.loss)]
        if losses:
            print(line("", "", "", "", "", "largest", max(losses)))


if __name__ == "__main__":
    main()
