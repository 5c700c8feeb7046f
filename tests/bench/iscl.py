"""ISCL and others on structured noise, in a FIB-SEM stack and in CT: ``... bench -- iscl both``.

    tox run -e bench -- iscl film|charge|both|ct [--only ROW ...] [--seeds N ...] [--minutes M]
                             [--split validation|test] [--players repaired|published]
                             [--set-option NAME=VALUE ...]

The stack (80 slices of 250 x 250, uint8) is cut in three ranges with gaps: clean examples, noisy
images, and noisy images to report on. Film noise is added (strength 0.5), charging multiplies
(0.25), ``both`` is charging of the image with film; all else as the simulators' defaults. Networks
are trained for M minutes of CPU time each; ``supervised`` are the same two networks with the truth
of the noisy images as they are, ``evened`` with that of noisy images which were evened out between
slices, as ISCL does. The parameters of filters are those that are best, by truth, for three of the
noisy slices: better than a user could choose them. Slices 56 to 79 report and decide nothing;
``validation`` reports on others.

``ct`` are chest slices (128 x 128) after filtered back-projection of 180 views, by 1e4 photons a
ray with read noise of 30 counts; clean examples are from other patients, without noise.

BM3D has no row: its implementation in pip (bm3d) may be used for non-commercial purposes only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _recon_data import PHOTONS, SIGMA, ct_patients
from scipy.ndimage import gaussian_filter
from skimage.io import imread
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from napari_selfsup_recon import ISCL, SSI, Identity, ISCLOptions, PoissonGaussian, SSIOptions
from napari_selfsup_recon.core.events import Event, Notice, Step
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.base import LearnedMethod
from napari_selfsup_recon.methods.iscl._problem import Pairs
from napari_selfsup_recon.methods.iscl._trainee import ISCLTrainee
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission
from napari_selfsup_recon.simulate.structured import charge_noise, film_noise

# Clean, noisy, reported.
RANGES = {
    "test": (slice(0, 25), slice(28, 53), slice(56, 80)),
    "validation": (slice(0, 21), slice(28, 45), slice(47, 53)),
}
ROWS = ("noisy", "gaussian", "tv", "nlm", "denoise", "iscl", "supervised", "evened")
PROBE = 12
SIDE, VIEWS = 128, 180
Array = np.ndarray


@dataclass(frozen=True)
class Task:
    """What is learned from, and what is reported on; grey values up to 255."""

    clean: Array
    truth: Array
    noisy: Array
    reported: Array
    y: Array


def electron_micrographs(folder: Path, kind: str, split: str, seed: int) -> Task:
    """Return three ranges of a stack."""
    path = folder / "em" / "fibsem_medulla_80x250x250.tif"
    stack = imread(path).astype(np.float32)
    clean, noisy, reported = (stack[part] for part in RANGES[split])
    return Task(
        clean,
        noisy,
        spoiled(noisy, kind, seed),
        reported,
        spoiled(reported, kind, 1000 + seed),
    )


def low_dose_ct(folder: Path, split: str, seed: int) -> Task:
    """Return slices after filtered back-projection, of patients in one set only."""
    images, patients = ct_patients(folder, SIDE)
    names = np.random.default_rng(0).permutation(sorted(set(patients)))
    # 20 patients' slices are clean, 18 noisy; 8 are for validation, 8 for the end.
    sets = np.split(names, [20, 38, 46])
    clean, noisy, validation, test = (images[[p in part for p in patients]] for part in sets)
    reported = test if split == "test" else validation
    projector = ParallelBeam((SIDE, SIDE), np.arange(VIEWS) * np.pi / VIEWS)
    physics = Transmission(projector, I0=PHOTONS, attenuation=0.0256 * 64 / SIDE)
    noise = PoissonGaussian(gain=1.0, sigma=SIGMA)

    def made(images: Array, *, quiet: bool, draw: int = 0) -> Array:
        counts = physics.A(torch.from_numpy(images)[:, None])
        if not quiet:
            counts = noise.sample(counts, torch_generator("iscl ct", seed, draw))
        return 255 * physics.A_dagger(counts)[:, 0].numpy()

    return Task(
        made(clean, quiet=True),
        made(noisy, quiet=True),
        made(noisy, quiet=False, draw=1),
        made(reported, quiet=True),
        made(reported, quiet=False, draw=2),
    )


def spoiled(stack: Array, kind: str, seed: int) -> Array:
    """Return the stack with noise."""
    if kind in ("film", "both"):
        stack = film_noise(stack, seed=seed)
    if kind in ("charge", "both"):
        stack = charge_noise(stack, seed=seed)
    return stack


class Paired(ISCLTrainee):
    """The same networks and steps, with the truth of the noisy images."""

    truth: torch.Tensor

    def _pairs(self, count: int, generator: torch.Generator) -> Pairs:
        problem, reach = self.problem, self.problem.reach
        seen, asked = [], []
        for _ in range(count):
            place = problem.noisy.draw(generator, self.options.foreground)
            turn = self._turns[int(torch.randint(4, (1,), generator=generator))]
            seen.append(turn.apply(problem.noisy.at(place, reach)))
            item, z, row, column = place
            side = problem.noisy.side
            asked.append(
                turn.apply(self.truth[item, z : z + 1, row : row + side, column : column + side])
            )
        return Pairs(torch.stack(seen), torch.stack(asked))


class Supervised(ISCL):
    """ISCL with the truth; what chooses are pairs, too."""

    truth: Array

    def _trainee(self, problem):
        low, high = self._facts["theirs"]["low"], self._facts["theirs"]["high"]
        truth = torch.from_numpy((self.truth[None] - low) / (high - low)).float()
        noisy, reach, pairs = problem.noisy, problem.reach, []
        for seed in (0, 1):
            places = noisy.below(12, seed)
            asked = [
                truth[i, z : z + 1, r : r + noisy.side, c : c + noisy.side] for i, z, r, c in places
            ]
            seen = [noisy.at(place, reach) for place in places]
            pairs.append(Pairs(torch.stack(seen), torch.stack(asked)))
        problem = replace(problem, choose=pairs[0], report=pairs[1])
        trainee = Paired(problem, self.options, build=lambda n: self._players(problem, n))
        trainee.truth = truth
        return trainee


def trained(
    make: Callable[[int], LearnedMethod],
    y: Array,
    clean: Array | None,
    minutes: float,
    steps: int | None = None,
):
    """Train for so many steps, or minutes of CPU time; returns the method and how it went."""
    steps = steps or affordable(make, y, clean, minutes)
    method = make(steps)
    start = time.process_time()
    restarts = 0
    for event in watched(method.train(y, clean=clean)):
        restarts += isinstance(event, Notice) and event.level == "warning"
    spent = time.process_time() - start
    told = f"{steps} steps, kept {method.best_step}, {restarts} warnings, {spent / 60:.1f} min CPU"
    if scores := getattr(method, "scores", None):
        told += ", " + " ".join(f"{k} {v:.3g}" for k, v in scores.items())
    return method, told


def affordable(
    make: Callable[[int], LearnedMethod], y: Array, clean: Array | None, minutes: float
) -> int:
    """Return how many steps fit into so many minutes of CPU time."""
    began = None
    probe = make(10_000).train(y, clean=clean)
    for event in probe:
        if isinstance(event, Step) and event.finished:
            began = time.process_time() if event.index == 2 else began
            if event.index == 2 + PROBE:
                break
    seconds = (time.process_time() - began) / PROBE
    probe.close()
    return max(20, int(60 * minutes / seconds))


def watched(events: Iterator[Event]) -> Iterator[Event]:
    """Yield events and print a line now and then."""
    for event in events:
        if isinstance(event, Step) and event.score is not None and event.index % 200 == 0:
            print(f"    step {event.index} score {event.score:.4f}", file=sys.stderr, flush=True)
        yield event


def filtered(row: str, noisy: Array, truth: Array, y: Array) -> tuple[Array, str]:
    """Return ``y`` filtered with what is best for three of the noisy slices."""
    some = np.linspace(0, len(noisy) - 1, 3).round().astype(int)
    functions = {
        "gaussian": (lambda x, p: gaussian_filter(x, p), (0.5, 0.7, 1, 1.4, 2, 3, 4)),
        "tv": (
            lambda x, p: denoise_tv_chambolle(x, weight=p, max_num_iter=100),
            (2, 4, 8, 12, 20, 30, 50),
        ),
        "nlm": (
            lambda x, p: denoise_nl_means(x, h=p, fast_mode=True, patch_size=5, patch_distance=7),
            (5, 10, 15, 22, 33, 50),
        ),
    }
    function, grid = functions[row]
    best = max(
        grid,
        key=lambda p: np.mean(
            [psnr(truth[i], function(noisy[i], p), data_range=255) for i in some]
        ),
    )
    return np.stack([function(image, best) for image in y]), f"parameter {best:g}"


def result(row: str, task: Task, arguments: argparse.Namespace, seed: int):
    """Return the restored slices that are reported on, and how it went."""
    noisy, y = task.noisy, task.y
    if row == "noisy":
        return y, ""
    if row in ("gaussian", "tv", "nlm"):
        return filtered(row, noisy, task.truth, y)
    more = {"seed": seed, "device": "cpu"}
    if row == "denoise":
        method, told = trained(
            lambda steps: SSI(
                Identity(noisy.shape[1:]), SSIOptions(steps=steps, patience=steps, **more)
            ),
            noisy,
            None,
            arguments.minutes,
        )
        return method.reconstruct(y), told
    if arguments.kind == "ct":  # slices of a set are no neighbours
        more["neighbours"] = "none"
    more |= {"players": arguments.players} if row == "iscl" else {"warm_up": 1.0}
    if row == "supervised":
        more["even"] = "off"
    for pair in arguments.set_option if row == "iscl" else ():
        name, _, value = pair.partition("=")
        more[name] = json.loads(value)

    def make(steps: int) -> ISCL:
        kind = ISCL if row == "iscl" else Supervised
        options = ISCLOptions(**({"steps": steps, "patience": steps} | more))
        method = kind(Identity(noisy.shape), options)
        if row != "iscl":
            method.truth = task.truth
        return method

    method, told = trained(make, noisy, task.clean, arguments.minutes, arguments.steps)
    method.physics = Identity(y.shape)
    return method.reconstruct(y), told


def main() -> None:
    """Print one line a row and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("film", "charge", "both", "ct"))
    parser.add_argument("--only", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="of training, CPU time")
    parser.add_argument("--steps", type=int, help="of ISCL and supervised, instead of minutes")
    parser.add_argument("--split", choices=tuple(RANGES), default="validation")
    parser.add_argument("--players", choices=("repaired", "published"), default="repaired")
    parser.add_argument("--set-option", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--save", type=Path, help="folder for the images as .npy")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.kind} noise")
    print(f"split {arguments.split}, {arguments.minutes:g} minutes of training")
    print("BM3D is left out: the licence of its implementation excludes commercial use.")
    print(f"{'row':>12}{'seed':>6}{'PSNR':>8}{'SSIM':>8}   how")
    for seed in arguments.seeds:
        if arguments.kind == "ct":
            task = low_dose_ct(folder, arguments.split, seed)
        else:
            task = electron_micrographs(folder, arguments.kind, arguments.split, seed)
        for row in arguments.only:
            image, told = result(row, task, arguments, seed)
            figures = [
                np.mean(
                    [f(a, b, data_range=255) for a, b in zip(task.reported, image, strict=True)]
                )
                for f in (psnr, ssim)
            ]
            print(f"{row:>12}{seed:>6}{figures[0]:8.2f}{figures[1]:8.3f}   {told}", flush=True)
            if arguments.save:
                arguments.save.mkdir(parents=True, exist_ok=True)
                np.save(arguments.save / f"{arguments.kind}_{row}_{seed}.npy", image)


if __name__ == "__main__":
    main()
