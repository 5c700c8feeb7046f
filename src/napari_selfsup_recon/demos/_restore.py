"""The restorations of the demo."""

from __future__ import annotations

import sys
from itertools import pairwise
from statistics import median
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
_LEAST_STEPS = 60
_PROBE = 12
_PROBE_SHARE = 0.1
# What is left of the budget after training goes to the reconstruction.
_TRAINING_SHARE = 0.85

Image = np.ndarray[Any, np.dtype[np.float32]]


def restore(
    degraded: Degraded, psf: Any, *, budget: float = 240.0, steps: int | None = None
) -> dict[str, Image]:
    """Return what is compared: the measurement, Lucy-Richardson at several iterations, and SSI.

    Parameters
    ----------
    degraded
        From :func:`~napari_selfsup_recon.demos._micrograph.degraded_micrograph`.
    psf
        The PSF that blurred it.
    budget
        Seconds for SSI; as many steps are planned as fit, at least 60.
    steps
        Steps to train, however long they take; None plans them.

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
    """Return an SSI trained on ``y``, for ``steps`` or else for about ``budget`` seconds."""
    began = perf_counter()
    deadline = began + budget * _TRAINING_SHARE if steps is None else float("inf")
    planned = plan_steps(physics, y, budget) if steps is None else steps
    ssi = SSI(physics, SSIOptions(steps=planned))
    with tqdm(total=planned, desc="SSI", unit="step", file=sys.stderr) as bar:
        for event in ssi.train(y):
            if isinstance(event, Step) and event.finished:
                bar.update(event.index - bar.n)
                if event.score is not None:
                    bar.set_postfix(held_out=f"{event.score:.4g}")
            if perf_counter() > deadline and bar.n >= _LEAST_STEPS:
                break
    return ssi


def plan_steps(physics: Blur, y: Image, budget: float) -> int:
    """Return how many steps fit into ``budget`` seconds here, from some that are tried."""
    began = perf_counter()
    marks: list[float] = []
    for event in SSI(physics, SSIOptions(steps=_MOST_STEPS)).train(y):
        if isinstance(event, Step) and event.finished:
            marks.append(perf_counter())
            enough = len(marks) > _PROBE or perf_counter() - began > _PROBE_SHARE * budget
            if enough and len(marks) > 1:
                break
    # The first steps find out what fits into memory; the median passes over them.
    each = max(median(b - a for a, b in pairwise(marks)), 1e-3)
    left = _TRAINING_SHARE * budget - (perf_counter() - began)
    return max(_LEAST_STEPS, min(_MOST_STEPS, int(left / each)))
