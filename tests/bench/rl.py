"""Time Lucy-Richardson against bare transforms and scikit-image; count accelerated iterations.

    tox run -e bench -- rl
    tox run -e bench -- rl --rounds 9 --check

Every round runs every contender once, one after the other, so that a disturbance hits all; medians
over the rounds are printed. Then simulated measurements: how many accelerated iterations reach the
likelihood of 50 plain ones. The limits are those that the project has set itself.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from math import prod
from time import perf_counter

import numpy as np
import torch

from napari_selfsup_recon.core.events import Step
from napari_selfsup_recon.methods import RichardsonLucy, RichardsonLucyOptions
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.physics import Blur

Contender = Callable[[], float]
LIMITS = {"plain": 1.2, "weights + acceleration": 1.4}
SLOWEST_OF_SKIMAGE = 3.0
MOST_ACCELERATED = 15


def gaussian(shape: tuple[int, ...]) -> np.ndarray:
    """Return a Gaussian PSF that fills ``shape``."""
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum((a / (n / 6)) ** 2 for a, n in zip(axes, shape, strict=True)) / 2)
    return psf / psf.sum()


def ours(physics: Blur, y: np.ndarray, iterations: int, accelerate: bool) -> Contender:
    """Return seconds per iteration, from the first finished step to the last."""
    # One more iteration than is timed: the set-up and its page faults end with the first.
    options = RichardsonLucyOptions(
        iterations=iterations + 1, acceleration=accelerate, repair=False, device="cpu"
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


def measurements() -> Iterator[tuple[str, Blur, torch.Tensor]]:
    """Yield photon counts of images and volumes through several blurs."""
    from skimage import data

    from napari_selfsup_recon.simulate.scenes import beads_3d, nuclei_3d

    scenes = {
        "camera": (data.camera()[100:300, 100:300], (17, 17)),
        "coins": (data.coins()[:200, :200], (31, 31)),
        "text": (data.text()[:160, :160], (9, 9)),
        "nuclei, 3D": (nuclei_3d((16, 96, 96), 0), (9, 13, 13)),
        "beads, 3D": (beads_3d((16, 96, 96), 0), (9, 13, 13)),
    }
    for name, (image, side) in scenes.items():
        blur = Blur(
            gaussian(side), tuple(n - k + 1 for n, k in zip(image.shape, side, strict=True))
        )
        clean = blur.A(torch.from_numpy(image / image.max())[None, None].float())[0, 0]
        for photons in (20.0, 2000.0):
            drawn = torch.poisson(photons * clean, generator=torch.Generator().manual_seed(0))
            yield f"{name}, {photons:.0f} photons", blur, drawn


def accelerated() -> list[str]:
    """Print how many accelerated iterations fit as well as 50 plain ones; return what is over."""
    print("\naccelerated iterations that reach the likelihood of 50 plain ones")
    failures = []
    for name, blur, y in measurements():
        plain, fast = (Iteration(blur, y, accelerate=accelerate) for accelerate in (False, True))
        for _ in range(50):
            list(plain.step())
        wanted, count = misfit(blur, y, plain), 0
        while count == 0 or misfit(blur, y, fast) > wanted:
            list(fast.step())
            count += 1
        print(f"{name:26}{count:4}")
        if count > MOST_ACCELERATED:
            failures.append(f"{name}: {count} accelerated iterations > {MOST_ACCELERATED}")
    return failures


def misfit(blur: Blur, y: torch.Tensor, work: Iteration) -> float:
    """Return the divergence of the image so far."""
    expected = blur.A(work.estimate[None, None])[0, 0].double().clamp_min(1e-12)
    logs = torch.where(y > 0, torch.log(y / expected), 0.0)
    return float((y * logs - y + expected).mean())


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; with ``--check`` return 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="repetitions, at least 5 count")
    parser.add_argument("--iterations", type=int, default=8, help="iterations in a repetition")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--also-2d", action="store_true", help="1026 x 1026 with a 31^2 PSF too")
    parser.add_argument("--skip-times", action="store_true", help="count iterations alone")
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
    failures: list[str] = []
    if not given.skip_times:
        failures += compare((64, 256, 256), 31, given.rounds, given.iterations)
    if given.also_2d:
        compare((1026, 1026), 31, given.rounds, given.iterations * 4)
    failures += accelerated()
    for failure in failures:
        print("over the limit:", failure)
    return 1 if failures and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
