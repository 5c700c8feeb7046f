"""Single wrong pixels (hot, dead, or hit by a cosmic ray): found, and replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from napari_selfsup_recon.physics._single_pixels import find_outliers
from napari_selfsup_recon.physics.neighbours import fill
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.noise_estimate import (
    LIMIT,
    NoiseEstimate,
    as_items,
    estimate_noise,
    wrong_pixels,
)

__all__ = ["Repaired", "find_outliers", "repair_outliers"]


@dataclass(frozen=True, eq=False)
class Repaired:
    """A measurement whose wrong pixels were replaced.

    Attributes
    ----------
    values
        Shape and kind (array or tensor) of the measurement, float32.
    wrong
        Boolean, where it was repaired.
    share
        Share of the pixels, 0 to 1.
    """

    values: Any
    wrong: Any
    share: float


def repair_outliers(
    y: Any,
    psf: np.ndarray[Any, Any] | None,
    *,
    noise: NoiseEstimate | Noise | None = None,
    limit: float = LIMIT,
) -> Repaired:
    """Replace single wrong pixels by the mean of the right ones around them.

    Parameters
    ----------
    y
        Array ``(z,) y, x`` or tensor ``(items, 1, *spatial)``; not changed.
    psf
        Of the blur: it tells points from wrong pixels. None, or a single pixel: none is found.
    noise
        Of the measurement; None: estimated.
    limit
        How far, in standard deviations, a pixel must lie from what its neighbours say.
    """
    items = as_items(y)
    if noise is None:
        noise = estimate_noise(items)
    elif isinstance(noise, Noise):
        noise = estimate_noise(items).known(noise)
    wrong = wrong_pixels(items, noise, psf, limit=limit)
    values = fill(items, wrong) if bool(wrong.any()) else items.clone()
    share = float(wrong.float().mean())
    if isinstance(y, Tensor):
        return Repaired(values, wrong, share)
    shape = np.shape(y)
    return Repaired(values.numpy().reshape(shape), wrong.numpy().reshape(shape), share)
