"""Time Lucy-Richardson against a bare loop of four transforms and against scikit-image.

    tox run -e bench -- rl
    tox run -e bench -- rl --rounds 9 --check

Every round runs every contender once, one after the other, so that a disturbance hits all; medians
over the rounds are printed. The limits are those that the project has set itself.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Callable
from importlib.metadata import version
from math import prod
from time import perf_counter

import numpy as np
import torch

from napari_selfsup_recon.core.events import Step
from napari_selfsup_recon.methods import RichardsonLucy, RichardsonLucyOptions
from napari_selfsup_recon.physics import Blur

Contender = Callable[[], float]
LIMITS = {"plain": 1.2, "weights + acceleration": 1.4}
SLOWEST_OF_SKIMAGE = 3.0


def gaussian(shape: tuple[int, ...]) -> np.ndarray:
    """Return a Gaussian PSF that fills ``shape``."""
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum((a / (n / 6)) ** 2 for a, n in zip(axes, shape, strict=True)) / 2)
    return psf / psf.sum()


def ours(physics: Blur, y: np.ndarray, iterations: int, accelerate: bool) -> Contender:
    """Return seconds per iteration, from the first finished step to the last."""
    # One more iteration than is timed: the set-up and its page faults end with the first.
    options = RichardsonLucyOptions(
        iterations=iterations + 1, acceleration=accelerate, device="cpu"
    )

    def run() -> float:
        method = RichardsonLucy(physics, options)
        times = [perf_counter() for e in method.run(y) if isinstance(e, Step) and e.finished]
        return (times[-1] - times[0]) / iterations

    return run


def bare(shape: tuple[int, ...], iterations: int) -> Contender:
    """Return seconds per four real transforms at ``shape``, and nothing else."""
    x = torch.rand(shape)

    def run() -> float:
        value = torch.fft.irfftn(torch.fft.rfftn(x), s=shape)
        began = perf_counter()
        for _ in range(iterations):
            value = torch.fft.irfftn(torch.fft.rfftn(value), s=shape)
            value = torch.fft.irfftn(torch.fft.rfftn(value), s=shape)
        return (perf_counter() - began) / iterations

    return run


def skimage(y: np.ndarray, psf: np.ndarray, iterations: int) -> Contender:
    """Return seconds per iteration of scikit-image on an array that is padded already."""
    from skimage.restoration import richardson_lucy

    def run() -> float:
        began = perf_counter()
        richardson_lucy(y, psf.astype(np.float32), num_iter=iterations, clip=False)
        return (perf_counter() - began) / iterations

    return run


def compare(shape: tuple[int, ...], side: int, rounds: int, iterations: int) -> list[str]:
    """Time one problem, print the table and return what is over its limit."""
    psf = gaussian((side,) * len(shape))
    y = np.random.default_rng(0).poisson(20, shape).astype(np.float32)
    extended = Blur(psf, shape)
    padded = extended.fft_shape
    wide = np.pad(y, [(0, p - n) for p, n in zip(padded, shape, strict=True)], mode="reflect")
    contenders: dict[str, Contender] = {
        "bare": bare(padded, iterations),
        "plain": ours(Blur(psf, padded, boundary="circular"), wide, iterations, False),
        "plain, mirror boundary": ours(Blur(psf, shape, boundary="reflect"), y, iterations, False),
        "weights": ours(extended, y, iterations, False),
        "weights + acceleration": ours(extended, y, iterations, True),
        "scikit-image": skimage(wide, psf, max(1, iterations // 4)),
    }
    for run in contenders.values():
        run()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(run())
    median = {name: statistics.median(times) for name, times in samples.items()}
    print(f"\n{' x '.join(map(str, shape))}, PSF {side}^{len(shape)}, transforms at {padded}")
    print(f"{'':26}{'ms / iteration':>16}{'spread':>18}{'x bare':>8}{'Mvoxel/s':>10}")
    for name, time in median.items():
        low, high = min(samples[name]) * 1e3, max(samples[name]) * 1e3
        print(
            f"{name:26}{time * 1e3:16.1f}{f'{low:.1f} - {high:.1f}':>18}"
            f"{time / median['bare']:8.2f}{prod(padded) / time / 1e6:10.0f}"
        )
    failures = [
        f"{name} {median[name] / median['bare']:.2f} > {limit}"
        for name, limit in LIMITS.items()
        if median[name] > limit * median["bare"]
    ]
    faster = median["scikit-image"] / median["weights + acceleration"]
    print(f"scikit-image takes {faster:.1f} times as long as weights + acceleration")
    if faster < SLOWEST_OF_SKIMAGE:
        failures.append(f"only {faster:.1f} times faster than scikit-image")
    return failures


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; with ``--check`` return 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="repetitions, at least 5 count")
    parser.add_argument("--iterations", type=int, default=8, help="iterations in a repetition")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--also-2d", action="store_true", help="1026 x 1026 with a 31^2 PSF too")
    parser.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    names = ("torch", "numpy", "scipy", "scikit-image")
    print(
        ", ".join(
            [f"{given.threads} threads", f"Python {platform.python_version()}"]
            + [f"{name} {version(name)}" for name in names]
        )
    )
    failures = compare((64, 256, 256), 31, given.rounds, given.iterations)
    if given.also_2d:
        compare((1026, 1026), 31, given.rounds, given.iterations * 4)
    for failure in failures:
        print("over the limit:", failure)
    return 1 if failures and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
