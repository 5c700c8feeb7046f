"""Single wrong pixels: hot, dead, or hit by a cosmic ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

_SIDE = 5


def find_outliers(
    y: Tensor, sigma: Tensor, psf: np.ndarray[Any, Any] | None, *, limit: float = 3.5
) -> Tensor:
    r"""Return where single pixels are wrong (boolean, shape of ``y``).

    A pixel is wrong if it is ``limit`` standard deviations away both from the median of its 5 x 5
    neighbourhood and from what its N neighbours (17 x 17) say: a background b and a point source of
    strength a are fitted to them, and predict

    .. math:: b + a h_0, \qquad
              \text{deviation } \sigma \sqrt{1 + \tfrac{1}{N}
              + \frac{(h_0 - \bar h)^2}{\sum_{d \ne 0} (h_d - \bar h)^2}},

    and if the neighbours explain less than half of how far it stands out. A real point is seen by
    its neighbours too, through the blur h; without blur nothing tells a point from a hot pixel, and
    none is found.

    Parameters
    ----------
    y, sigma
        ``(items, 1, *spatial)``.
    psf
        Of the blur; None without.
    limit
        In standard deviations.
    """
    wrong = torch.zeros(y.shape, dtype=torch.bool, device=y.device)
    plane = None if psf is None else _in_plane(psf)
    if plane is None:
        return wrong
    centre = tuple(n // 2 for n in plane.shape)
    own = float(plane[centre])
    others = np.delete(plane.ravel(), np.ravel_multi_index(centre, plane.shape))
    spread = float(((others - others.mean()) ** 2).sum()) if others.size else 0.0
    if spread <= 1e-6 * own**2:
        return wrong
    lever = (own - float(others.mean())) / spread
    told_limit = limit * (1 + 1 / others.size + lever**2 * spread) ** 0.5
    flat = y.reshape(-1, *y.shape[-2:])
    deviations = sigma.reshape(flat.shape)
    for index, image in enumerate(flat):  # plane by plane: little memory beside the volume
        values = image.cpu().numpy()
        middle = median_filter(values, size=_SIDE, mode="mirror")
        deviation = deviations[index].cpu().numpy()
        far = np.abs(values - middle) > limit * deviation
        rows, columns = np.nonzero(far)
        if not len(rows):
            continue
        told = _told(values, plane, lever, float(others.mean()), rows, columns)
        unexplained = np.abs(values[far] - told)
        away = np.abs(values - middle)[far]
        kept = unexplained > np.maximum(told_limit * deviation[far], 0.5 * away)
        mask = np.zeros(values.shape, bool)
        mask[rows[kept], columns[kept]] = True
        wrong.view(flat.shape)[index] = torch.from_numpy(mask).to(y.device)
    return wrong


def _told(
    values: np.ndarray[Any, Any],
    plane: np.ndarray[Any, Any],
    lever: float,
    mean: float,
    rows: np.ndarray[Any, Any],
    columns: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Return what the neighbours of the given pixels predict for them.

    The fit is linear in the neighbours: each counts ``1 / N + lever * (h_d - mean)``.
    """
    told = np.zeros(len(rows))
    height, width = plane.shape
    for i in range(height):
        for j in range(width):
            di, dj = i - height // 2, j - width // 2
            if di == 0 and dj == 0:
                continue
            r = np.clip(rows + di, 0, values.shape[0] - 1)
            c = np.clip(columns + dj, 0, values.shape[1] - 1)
            told += (1 / (plane.size - 1) + lever * (plane[i, j] - mean)) * values[r, c]
    return told


def _in_plane(psf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the central plane of the PSF, at most 17 x 17 around its centre."""
    plane = psf[psf.shape[0] // 2] if psf.ndim == 3 else psf
    cut = tuple(slice(max(0, n // 2 - 8), n // 2 + 9) for n in plane.shape)
    kept = plane[cut]
    # A small even PSF: pad, so that its centre stays in the middle.
    if any(n % 2 == 0 for n in kept.shape):
        kept = np.pad(kept, [(0, 1 - n % 2) for n in kept.shape])
    return kept
