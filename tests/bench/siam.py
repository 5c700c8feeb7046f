"""SIAM and what it competes with, where each measurement is incomplete: one table a protocol.

    tox run -e bench -- siam masks [--minutes 8] [--only METHOD ...] [--ablation] [--full]

Protocols: ``sparse-view``, ``low-dose`` and ``head`` as in ``recon``; ``masks`` (half of the
pixels, another half for each image, white noise), ``photons`` (the same with photon noise),
``slices`` (as ``masks``, of the slices of a stack; ``--set-option 'neighbours="both"'`` lets the
networks see three at once) and ``cs`` (compressed sensing of blocks). All learned methods have the
same network, data and time. What is printed is the test set or, while options are chosen,
``--split validation``. ``supervised`` is the same network taught by clean images. ``cs --full`` is
the published protocol.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _recon_data import Images
from _siam_data import TRIALS, Group, Trial
from recon import seconds_per_step

from napari_selfsup_recon import (
    EI,
    REI,
    SIAM,
    EIOptions,
    LeastSquares,
    REIOptions,
    SIAMOptions,
    TotalVariation,
)
from napari_selfsup_recon.core.events import Event, Notice, Step
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.siam._views import drawn, is_mask, views
from napari_selfsup_recon.methods.supervised.method import SupervisedTrainee
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.training.loop import Loop


class OracleTrainee(SupervisedTrainee):
    """Learns from masks in all orientations, as SIAM does."""

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> torch.Tensor:
        if not scoring and is_mask(part.physics):
            part = drawn(part, generator)
        return super().loss(model, part, generator, scoring=scoring)


class Oracle(SIAM):
    """The network of SIAM, taught by clean images."""

    def _prepare(self, y: Any, clean: Any) -> Problem:
        return ReconstructionMethod._prepare(self, y, clean)

    def _before(self, problem: Problem) -> Iterator[Event]:
        yield from ()

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        return OracleTrainee(problem, self.options, build=self._build)

    def _finish(self, loop: Loop, trainee: ReconstructionTrainee) -> Iterator[Event]:
        """Give the mean over orientations the share that is nearest to held-out clean images."""
        model, problem = self._current(), trainee.problem
        along = power = 0.0
        for item in (*problem.choose, *problem.report):
            part = problem.part([item])
            assert part.clean is not None
            with torch.no_grad():
                seen = views(part.physics)
                images = [view.back(model(view.forth(part.y), view.physics)) for view in seen]
            change = torch.stack(images).mean(0) - images[0]
            along += float((change * (part.clean - images[0])).sum())
            power += float(change.square().sum())
        self._facts["turning"] = min(1.0, max(0.0, along / power)) if power else 0.0
        yield from super()._finish(loop, trainee)


CLASSICAL = ("inverse", "least-squares", "tv")
LEARNED: dict[str, tuple[type[ReconstructionMethod], dict[str, Any]]] = {
    "ei": (EI, {}),
    "rei": (REI, {}),
    "siam": (SIAM, {}),
    "siam+ei": (SIAM, {}),  # with the term of EI, or with noise of REI
    "supervised": (Oracle, {}),
}
ABLATION: dict[str, dict[str, Any]] = {
    "siam": {},
    "no null term": {"null": 0.0},
    "no mutual term": {"mutual": 0.0},
    "neither": {"null": 0.0, "mutual": 0.0},
    "stop: target alone": {"gradient": "target"},
    "no stop": {"gradient": "both"},
    "not balanced": {"most": 1e6},
    "teacher": {"gradient": "teacher"},
    "no R2R": {"recorrupt": 0.0},
    "nothing hidden": {"split": 0.0},
}


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=TRIALS)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--ablation", action="store_true", help="SIAM with and without its parts")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="of training a method")
    length.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--full", action="store_true", help="the size and network of the papers")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--set-option", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    trial = TRIALS[arguments.protocol](folder, arguments.full)
    chosen: dict[str, Any] = {**trial.options, "device": arguments.device}
    if chosen.pop("published", False):
        chosen = SIAMOptions.published(**chosen).model_dump(exclude_defaults=True)
    for pair in arguments.set_option:
        name, _, value = pair.partition("=")
        chosen[name] = json.loads(value)
    learned = {name: (SIAM, more) for name, more in ABLATION.items()}
    rows: dict[str, Any] = learned if arguments.ablation else dict.fromkeys(CLASSICAL) | LEARNED
    names = arguments.only or list(rows)
    unknown = set(names) - set(rows)
    if unknown:
        sys.exit(f"There is no {', '.join(unknown)}; choose from {', '.join(rows)}.")
    if trial.noise is None and not arguments.only:
        # Without noise they are the plain method.
        names = [name for name in names if name not in ("rei", "no R2R", "nothing hidden")]
    if "blocks" in chosen and not arguments.only:
        names = [name for name in names if name not in ("ei", "rei")]  # theirs is another network
    groups = getattr(trial, arguments.split)
    count = sum(len(images) for _, images in groups)
    print(f"torch {torch.__version__}, {arguments.threads} threads, options {json.dumps(chosen)}")
    print(
        f"{trial.name}, {arguments.split}: {count} images, {len(trial.learn[1])} of "
        f"{trial.learn[0].image_shape} to learn from, noise {trial.noise}"
    )
    print(f"{'method':>18}{'PSNR':>8}{'+-':>6}{'SSIM':>8}   seconds, kept step")
    for name in names:
        for seed in arguments.seeds if rows[name] else [0]:
            began = time.perf_counter()
            if rows[name]:
                kind, more = rows[name]
                if name == "siam+ei":
                    term = REIOptions() if trial.noise else EIOptions()
                    more = {"alpha": None, "beta": term.beta}
                given = {**chosen, "seed": seed, **more}
                images, note = trained(kind, given, trial, groups, arguments)
            else:
                images, note = classical(name, trial, groups, arguments.split), ""
            took = time.perf_counter() - began
            print(row(name, images, groups) + f"   {took:.0f} {note}", flush=True)


def classical(name: str, trial: Trial, groups: list[Group], split: str) -> list[Images]:
    """Return the images of a method without training."""
    found = []
    for number, group in enumerate(groups):
        physics, noise = group[0], trial.noise
        y = trial.measured(group, f"{split} {number}")
        if name == "inverse":
            measured = torch.from_numpy(y if physics.channels else y[:, None])
            image = physics.A_dagger(measured).numpy()
            found.append(image if physics.channels else image[:, 0])
            continue
        if not physics.linear:
            # Logarithms are what tomographers give to these methods.
            counts: Any = physics
            y = counts.line_integrals(torch.from_numpy(y[:, None])).numpy()[:, 0]
            y, physics, noise = y / counts.attenuation, counts.projector, None
        method = {"least-squares": LeastSquares, "tv": TotalVariation}[name](physics, noise=noise)
        if physics.items is not None:
            found.append(method.reconstruct(y))
        else:
            found.append(np.stack([method.reconstruct(item) for item in y]))
    return found


def trained(
    kind: type[ReconstructionMethod],
    chosen: dict[str, Any],
    trial: Trial,
    groups: list[Group],
    arguments: argparse.Namespace,
) -> tuple[list[Images], str]:
    """Train, and return the images and what there is to tell."""
    given = {key: value for key, value in chosen.items() if key in kind.options_type.model_fields}
    measured = trial.measured(trial.learn, "train")
    clean = trial.learn[1] if kind is Oracle else None

    def method(**more: Any) -> Any:
        options = kind.options_type(**{**given, **more})
        return kind(trial.learn[0], options, noise=trial.noise)  # type: ignore[arg-type]

    steps = arguments.steps
    if arguments.minutes:
        pace = seconds_per_step(method(steps=1000).train(measured, clean=clean))
        steps = max(10, int(60 * arguments.minutes / pace))
    if steps:
        given |= {"steps": steps}
    given.setdefault("patience", given.get("steps", 1_000_000))
    made = method()
    for event in made.train(measured, clean=clean):
        if isinstance(event, Notice) and event.level == "warning":
            print(f"  {event.message}", flush=True)
        if isinstance(event, Step) and event.score is not None and os.environ.get("NSR_CURVE"):
            print(f"  {event.index:6d} score {event.score:.4e}", flush=True)
    images = [
        made._with(group[0]).reconstruct(trial.measured(group, f"{arguments.split} {number}"))
        for number, group in enumerate(groups)
    ]
    scores = " ".join(f"{key} {value:.3g}" for key, value in made.scores.items())
    return images, f"{made.best_step} of {made.options.steps}, seed {chosen['seed']}, {scores}"


def row(name: str, images: list[Images], groups: list[Group]) -> str:
    """Return the line of a method; white is 1."""
    pairs = []
    for (physics, truth), found in zip(groups, images, strict=True):
        sets = [truth, found]
        if physics.channels:
            sets = [np.hypot(values[:, 0], values[:, 1]) for values in sets]
        pairs += list(zip(*sets, strict=True))
    reached = [psnr(t, i, data_range=1.0) for t, i in pairs]
    similar = [ssim(t, i, data_range=1.0) for t, i in pairs]
    line = f"{name:>18}{np.mean(reached):8.2f}{np.std(reached):6.2f}{np.mean(similar):8.4f}"
    if 1 < len(groups) < 5:
        line += "   (" + ", ".join(f"{value:.2f}" for value in reached) + ")"
    return line


if __name__ == "__main__":
    main()
