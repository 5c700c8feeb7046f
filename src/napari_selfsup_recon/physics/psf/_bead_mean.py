"""Beads moved onto each other, round by round, and their mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from napari_selfsup_recon.physics.psf._bead_patches import (
    Mask,
    Patch,
    centre_of,
    cut_out,
    mean_of,
    median_of,
    offset_of,
    with_background,
)
from napari_selfsup_recon.physics.psf._core import smooth
from napari_selfsup_recon.physics.psf._find_beads import Scene
from napari_selfsup_recon.physics.psf._finding import Kernel

_ROUNDS = 6
_STILL = 0.01  # voxels; nothing moves any more
_STRANGE = 0.05  # of the bead; what differs more from the mean may be no single bead


@dataclass(frozen=True, eq=False)
class Aligned:
    """The mean of beads.

    Attributes
    ----------
    mean
        Of brightness 1, without background, its centre at ``n // 2``.
    used, residuals
        The beads in it, and how each differs from the others; NaN for a single one.
    strange
        Beads that were left out, with their residuals, because they differ too much.
    """

    mean: Kernel
    used: list[Patch]
    residuals: list[float]
    strange: list[tuple[Patch, float]]


def cut(
    scene: Scene,
    centre: Kernel,
    others: Kernel,
    sides: tuple[int, ...],
    widths: Kernel,
    core: Mask,
) -> Patch:
    """Return the bead at ``centre``, see :func:`align`, with its background."""
    bad = scene.lost if scene.lost.any() and scene.data.ndim == 3 else None
    patch = cut_out(scene.lit, bad, centre, sides, others, widths)
    return with_background(patch, core)


def align(
    scene: Scene,
    usable: list[Patch],
    everything: Kernel,
    sides: tuple[int, ...],
    widths: Kernel,
    core: Mask,
) -> Aligned:
    """Return the beads moved onto each other, and their mean.

    Parameters
    ----------
    scene
        The volume.
    usable
        Its beads, cut out.
    everything
        Centres of all beads of the volume, (beads, axes).
    sides, widths
        Shape of the mean, and rough full widths of a bead.
    core
        The voxels that decide.
    """
    strange: list[tuple[Patch, float]] = []
    mean: Kernel = np.zeros(sides)
    residuals: list[float] = []
    while usable:
        for turn in range(_ROUNDS):
            first = turn == 0 and len(usable) > 2
            mean = median_of(usable) if first else mean_of(usable)
            drift = centre_of(mean)
            moved, largest = [], 0.0
            for patch in usable:
                shift, light = offset_of(patch, mean, core)
                centre = patch.centre + shift + drift
                largest = max(largest, float(np.abs(shift + drift).max()))
                apart = np.linalg.norm((everything - centre) / widths, axis=1)
                again = cut(scene, centre, everything[apart > 0.75], sides, widths, core)
                moved.append(replace(again, brightness=max(light, 1e-12)))
            usable = moved
            if turn and largest < _STILL:
                break
        mean = mean_of(usable)
        residuals = _residuals(usable, core)
        worst = _strangest(usable, residuals, core)
        if worst < 0:
            break
        strange.append((usable.pop(worst), residuals[worst]))
    return Aligned(mean, usable, residuals, strange)


def _residuals(usable: list[Patch], core: Mask) -> list[float]:
    """Return how each bead differs from the others, smoothed against noise."""
    if len(usable) < 2:
        return [math.nan] * len(usable)
    found = []
    for i, patch in enumerate(usable):
        rest = [p for j, p in enumerate(usable) if j != i]
        # The median of the others is not spoilt by another strange one.
        others = smooth(median_of(rest) if len(rest) > 2 else mean_of(rest))
        own = smooth(np.where(patch.valid, patch.values - patch.background, 0.0))
        inside = core & patch.valid
        light = float((own[inside] @ others[inside]) / (others[inside] @ others[inside]))
        away = np.linalg.norm(own[inside] - light * others[inside])
        found.append(float(away / max(float(np.linalg.norm(light * others[inside])), 1e-12)))
    return found


def _strangest(usable: list[Patch], residuals: list[float], core: Mask) -> int:
    """Return the bead that differs most beyond what its noise and its fellows explain, or -1.

    Noise is a larger share of a faint bead: what its fellows have is scaled up for it.
    """
    if len(usable) < 3:
        return -1
    seen = np.array(residuals)
    light = np.array([max(float((p.values - p.background)[core].sum()), 1e-12) for p in usable])
    excess = []
    for i in range(len(usable)):
        fellows = np.delete(seen * np.maximum(1.0, light / light[i]), i)
        excess.append(seen[i] / max(_STRANGE, 2.5 * float(np.median(fellows))))
    worst = int(np.argmax(excess))
    return worst if excess[worst] > 1 else -1
