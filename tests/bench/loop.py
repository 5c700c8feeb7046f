"""Cost of the training loop over its network: ``tox run -e bench -- loop [--ndim 2|3]``.

Times whole training steps of SSI (crops, masks, blur, loss, optimiser, weight average) against
forward and backward of the same network on the same crops alone, alternating, on one image made
here.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch

from napari_selfsup_recon import SSI, Blur, SSIOptions, psf
from napari_selfsup_recon.core.events import Step
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.simulate import sample


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ndim", type=int, choices=(2, 3), default=2)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    made = sample("cells_2d" if arguments.ndim == 2 else "nuclei_3d").measured
    y = np.asarray(made, np.float32)
    blur = Blur(psf.gaussian(fwhm=(4.0,) * y.ndim), y.shape)
    # No score within the rounds: it is taken every 25 steps only, and timed below.
    ssi = SSI(blur, SSIOptions(steps=10_000, patience=10_000))
    run = ssi.train(y)
    wait_for(run, 2)
    loop = ssi._loop
    assert loop is not None
    trainee = loop.trainee
    views = trainee.problem.training(ssi.options.batch, torch_generator(0))
    seen = views.seen if views.start is None else torch.cat([views.seen, views.start], dim=1)
    whole, bare, scored = [], [], 0.0
    for _ in range(arguments.rounds):
        before = loop.done
        began = time.perf_counter()
        wait_for(run, before + 1)
        seconds = time.perf_counter() - began
        if loop.done % loop.settings.score_every == 0:
            scored = seconds
        else:
            whole.append(seconds)
        began = time.perf_counter()
        for part in seen.split(trainee.micro.size):
            trainee.model(part).square().mean().backward()
        bare.append(time.perf_counter() - began)
        trainee.model.zero_grad(set_to_none=True)
    step, network = median(whole), median(bare)
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.ndim}D {y.shape}")
    print(f"crops {tuple(seen.shape)}, micro-batch {trainee.micro.size}")
    print(f"network forward and backward {1e3 * network:7.1f} ms")
    print(f"whole training step          {1e3 * step:7.1f} ms = {step / network:.3f} times")
    if scored:
        every = loop.settings.score_every
        share = (scored - step) / every
        print(f"with the held-out score, every {every} steps: {(step + share) / network:.3f} times")


def wait_for(run: Iterator[object], step: int) -> None:
    """Advance the training to the end of a step."""
    for event in run:
        if isinstance(event, Step) and event.finished and event.index >= step:
            return


if __name__ == "__main__":
    main()
