"""The restorations of the demo."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from napari_selfsup_recon.core.events import Step
from napari_selfsup_recon.methods.richardson_lucy.method import RichardsonLucy
from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
from napari_selfsup_recon.methods.ssi.method import SSI
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.simulate.degrade import Degraded

ITERATIONS = (2, 5, 10, 20)
_MOST_STEPS = 600
_PROBE = 4
# What is left of the budget after training goes to the reconstruction.
_TRAINING_SHARE = 0.85

Image = np.ndarray[Any, np.dtype[np.float32]]


def restore(
    degraded: Degraded, psf: Any, *, budget: float = 150.0, steps: int | None = None
) -> dict[str, Image]:
    """Return what is compared: the measurement, Lucy-Richardson at several iterations, and SSI.

    Parameters
    ----------
    degraded
        From :func:`~napari_selfsup_recon.demos._micrograph.degraded_micrograph`.
    psf
        The PSF that blurred it.
    budget
        Seconds for SSI; as many steps are planned as fit, and training ends when it is used up.
    steps
        Steps to train; None plans them.

    Returns
    -------
    dict
        Name to image, clipped to [0, 1].
    """
    physics = Blur(psf, degraded.noisy.shape)
    images = {"blurred": degraded.blurred, "noisy": degraded.noisy}
    for n in ITERATIONS:
        lucy = RichardsonLucy(physics, RichardsonLucyOptions(iterations=n))
        images[f"LR {n}"] = lucy.reconstruct(degraded.noisy)
    ssi = train(physics, degraded.noisy, budget=budget, steps=steps)
    images["SSI"] = ssi.reconstruct(degraded.noisy)
    return {name: np.clip(image, 0, 1) for name, image in images.items()}


def train(physics: Blur, y: Image, *, budget: float, steps: int | None = None) -> SSI:
    """Return an SSI trained on ``y`` for about ``budget`` seconds at most."""
    began = perf_counter()
    planned = plan_steps(physics, y, budget) if steps is None else steps
    ssi = SSI(physics, SSIOptions(steps=planned))
    with tqdm(total=planned, desc="SSI", unit="step", file=sys.stderr) as bar:
        for event in ssi.train(y):
            if isinstance(event, Step) and event.finished:
                bar.update(event.index - bar.n)
                if event.score is not None:
                    bar.set_postfix(held_out=f"{event.score:.4g}")
            if perf_counter() - began > budget * _TRAINING_SHARE and bar.n > 0:
                break
    return ssi


def plan_steps(physics: Blur, y: Image, budget: float) -> int:
    """Return how many steps fit into ``budget`` seconds here, from a few that are tried."""
    marks = [
        perf_counter()
        for event in SSI(physics, SSIOptions(steps=_PROBE)).train(y)
        if isinstance(event, Step) and event.finished
    ]
    each = (marks[-1] - marks[0]) / max(1, len(marks) - 1)
    return max(_PROBE, min(_MOST_STEPS, int(0.8 * budget / max(each, 1e-3))))
