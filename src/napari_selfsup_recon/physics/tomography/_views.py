"""Angles as users give them: checked, and the share of the turn that each stands for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError

# Four half turns: a full scan that starts anywhere within a turn.
_LARGEST = 4 * math.pi + 1e-6


def checked_angles(angles_rad: ArrayLike | Tensor) -> NDArray[np.float64]:
    """Return the angles as a read-only float64 vector.

    Raises
    ------
    InputError
        If there is none, one is not finite, or they look like degrees.
    """
    given: Any = angles_rad.detach().cpu() if isinstance(angles_rad, Tensor) else angles_rad
    angles = np.array(given, dtype=np.float64)
    if angles.ndim != 1 or not angles.size:
        raise InputError(
            f"The angles have the shape {angles.shape}.", hint="Give a list of one angle a view."
        )
    if not np.isfinite(angles).all():
        raise InputError("Some angles are NaN or infinite.", hint="Repair the list of angles.")
    if (largest := np.abs(angles).max()) > _LARGEST:
        raise InputError(
            f"The angles reach {largest:g}, more than two turns in radians: they look like "
            "degrees.",
            hint="Convert them with numpy.deg2rad; take many turns modulo 2 pi.",
        )
    angles.setflags(write=False)
    return angles


def view_weights(angles: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Return the share of the period, in radians, that each view stands for.

    Half of the gap on either side. A gap beyond four times the usual one is a missing wedge: the
    views beside it stand for no more than usual, since nothing is known in it. (Below: the gaps of
    a golden-angle scan, for one, differ up to 3.6-fold.)
    """
    if len(angles) == 1:
        return np.full(1, period)
    folded = np.mod(angles, period)
    # What differs by rounding only is one angle, also across the seam.
    folded[period - folded < 1e-9] = 0.0
    order = np.argsort(folded, kind="stable")
    gaps = np.diff(folded[order], append=folded[order[0]] + period)
    usual = float(np.median(gaps[gaps > 1e-9])) if (gaps > 1e-9).any() else period
    gaps = np.where(gaps > 4 * usual, usual, gaps)
    weights = np.empty_like(gaps)
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return weights


def scan(angles: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return how far each view is into the scan, and how much of a turn that covers, in radians.

    The scan begins behind the widest gap; a view stands in the middle of its share.
    """
    span = float(view_weights(angles, 2 * math.pi).sum())
    folded = np.sort(np.mod(angles, 2 * math.pi))
    gaps = np.diff(folded, append=folded[0] + 2 * math.pi)
    start = folded[(int(np.argmax(gaps)) + 1) % len(folded)]
    into = np.mod(angles - start + 1e-9, 2 * math.pi) - 1e-9
    return into + (span - into.max()) / 2, span


def halves(place: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of each cell in what a full turn measures twice, once from either side.

    ``place`` is where the cells are, counted from the axis. With the axis near one end of the
    detector only the inner part is measured twice; there one side fades into the other, so that
    the end does not show (Wang 2002).
    """
    cell = (place[-1] - place[0]) / max(1, len(place) - 1)
    left, right = cell / 2 - place[0], place[-1] + cell / 2
    if min(left, right) > 0.9 * max(left, right):
        return np.full(len(place), 0.5)
    twice = max(min(left, right), 1e-9)
    across = np.clip((place if right > left else -place) / twice, -1, 1)
    shares: NDArray[np.float64] = (1 + np.sin(math.pi / 2 * across)) / 2
    return shares
