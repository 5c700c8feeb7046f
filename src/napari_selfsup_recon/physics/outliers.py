"""Single wrong pixels (hot, dead, or hit by a cosmic ray): found, and replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.physics._single_pixels import find_outliers
from napari_selfsup_recon.physics.neighbours import fill, surroundings
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, as_items, estimate_noise

__all__ = ["Repaired", "find_outliers", "repair_outliers"]

# Wrong pixels are searched again with their neighbours repaired: pairs hide each other.
_LIMIT = 4.0


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
    limit: float = _LIMIT,
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
    if noise.coarse or psf is None:
        wrong = torch.zeros(items.shape, dtype=torch.bool, device=items.device)
    else:
        wrong = find_outliers(items, noise.deviation(surroundings(items)), psf, limit=limit)
    values = fill(items, wrong) if bool(wrong.any()) else items.clone()
    share = float(wrong.float().mean())
    if isinstance(y, Tensor):
        return Repaired(values, wrong, share)
    shape = np.shape(y)
    return Repaired(values.numpy().reshape(shape), wrong.numpy().reshape(shape), share)
