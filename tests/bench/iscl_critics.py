"""Critics of ISCL compared after a short training: ``... bench -- iscl_critics``.

    tox run -e bench -- iscl_critics [film|charge|both] [--only ROW ...] [--steps N] [--seed N]
                                     [--weight W] [--warm-up SHARE] [--batch N]

Validation slices of the benchmark ``iscl``; the test slices decide nothing and are not read. All
rows have the same seed, steps, warm-up and model of the noise. ``none`` has noise that is taken
over and agreement after the warm-up, but no critics; the others have critics of weight W on top:
``present`` (two scales, spectral normalisation), ``one scale`` (the finer of them alone), and
``published`` (batch statistics, one score a crop).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from iscl import electron_micrographs

from napari_selfsup_recon import ISCL, Identity, ISCLOptions
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl import method as module
from napari_selfsup_recon.methods.iscl._problem import make_problem
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.networks.critics import MultiScaleCritic
from napari_selfsup_recon.networks.iscl import Critic

CRITICS = {
    "none": None,
    "present": None,
    "one scale": partial(MultiScaleCritic, 1, (16, 32, 32), scales=1),
    "published": Critic,
}


class Judged(ISCL):
    """ISCL with critics of another kind."""

    critic = None

    def _players(self, problem, attempt):
        players = super()._players(problem, attempt)
        if self.critic is not None:
            draw = torch_generator(self.options.seed, "critics", attempt)
            players.noisy_critic = self.critic(generator=draw).to(self.device)
            players.clean_critic = self.critic(generator=draw).to(self.device)
        return players


def fitted_once():
    """Return ``make_problem`` that fits the model of the noise the first time alone."""
    kept = []

    def make(*domains, **facts):
        if not kept:
            kept.append(exhaust(make_problem(*domains, **facts)))
        yield
        return kept[0]

    return make


def main() -> None:
    """Print one line a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", choices=("film", "charge", "both"), default="both")
    parser.add_argument("--only", nargs="*", choices=tuple(CRITICS), default=tuple(CRITICS))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight", type=float, default=0.03, help="of the critics")
    parser.add_argument("--warm-up", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=8, help="critics see a quarter as many crops")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    task = electron_micrographs(folder, arguments.kind, "validation", arguments.seed)
    module.make_problem = fitted_once()
    print(f"torch {torch.__version__}, {arguments}")
    print(
        f"{'critics':>12}{'PSNR':>8}{'SSIM':>8}{'score':>8}{'noise':>8}{'weights':>12}{'CPU s':>8}"
    )
    for name in arguments.only:
        options = ISCLOptions(
            steps=arguments.steps,
            patience=arguments.steps,
            seed=arguments.seed,
            warm_up=arguments.warm_up,
            batch=arguments.batch,
            persuasion=0.0 if name == "none" else arguments.weight,
            device="cpu",
        )
        method = Judged(Identity(task.noisy.shape), options)
        method.critic = CRITICS[name]
        began = time.process_time()
        method.fit(task.noisy, clean=task.clean, progress=False)
        took = time.process_time() - began
        count = 0
        if name != "none":
            one = (method.critic or partial(MultiScaleCritic, 1, (16, 32, 32)))()
            count = sum(p.numel() for p in one.parameters())
        method.physics = Identity(task.y.shape)
        image = method.reconstruct(task.y)
        figures = [
            np.mean([f(a, b, data_range=255) for a, b in zip(task.reported, image, strict=True)])
            for f in (psnr, ssim)
        ]
        print(
            f"{name:>12}{figures[0]:8.2f}{figures[1]:8.3f}{method.scores['chosen']:8.3f}"
            f"{method.scores['noise']:8.3f}{count:12,}{took:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
