"""Single wrong pixels: hot, dead, or hit by a cosmic ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

_SIDE = 5
_LIMIT = 3.5


def find_outliers(y: Tensor, sigma: Tensor, psf: np.ndarray[Any, Any] | None) -> Tensor:
    r"""Return where single pixels are wrong (boolean, shape of ``y``).

    A pixel is wrong if it is 3.5 standard deviations away both from the median m of its 5 x 5
    neighbourhood and from what its neighbours say of a point source there,

    .. math:: m + h_0 \frac{\sum_{d \ne 0} h_d (y_d - m)}{\sum_{d \ne 0} h_d^2}, \qquad
              \text{deviation } \sigma \sqrt{1 + h_0^2 / \textstyle\sum_{d \ne 0} h_d^2}.

    A real point is seen by its neighbours too, through the blur h; without blur nothing tells a
    point from a hot pixel, and none is found.

    Parameters
    ----------
    y, sigma
        ``(items, 1, *spatial)``.
    psf
        Of the blur; None without.
    """
    wrong = torch.zeros(y.shape, dtype=torch.bool, device=y.device)
    plane = None if psf is None else _in_plane(psf)
    if plane is None:
        return wrong
    centre = tuple(n // 2 for n in plane.shape)
    own = float(plane[centre])
    others = float((plane**2).sum()) - own**2
    if others <= 0:
        return wrong
    limit = _LIMIT * (1 + own**2 / others) ** 0.5
    flat = y.reshape(-1, *y.shape[-2:])
    spread = sigma.reshape(flat.shape)
    for index, image in enumerate(flat):  # plane by plane: little memory beside the volume
        values = image.cpu().numpy()
        middle = median_filter(values, size=_SIDE, mode="mirror")
        deviation = spread[index].cpu().numpy()
        far = np.abs(values - middle) > _LIMIT * deviation
        rows, columns = np.nonzero(far)
        if not len(rows):
            continue
        point = _told(values, middle, plane, rows, columns) * own / others
        kept = np.abs((values - middle)[far] - point) > limit * deviation[far]
        mask = np.zeros(values.shape, bool)
        mask[rows[kept], columns[kept]] = True
        wrong.view(flat.shape)[index] = torch.from_numpy(mask).to(y.device)
    return wrong


def _told(
    values: np.ndarray[Any, Any],
    middle: np.ndarray[Any, Any],
    plane: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    columns: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Return the sum of ``h_d (y_d - m)`` over the neighbours d of the given pixels."""
    total = np.zeros(len(rows))
    height, width = plane.shape
    for i in range(height):
        for j in range(width):
            di, dj = i - height // 2, j - width // 2
            if di == 0 and dj == 0:
                continue
            r = np.clip(rows + di, 0, values.shape[0] - 1)
            c = np.clip(columns + dj, 0, values.shape[1] - 1)
            total += plane[i, j] * (values[r, c] - middle[rows, columns])
    return total


def _in_plane(psf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the central plane of the PSF, at most 7 x 7 around its centre."""
    plane = psf[psf.shape[0] // 2] if psf.ndim == 3 else psf
    cut = tuple(slice(max(0, n // 2 - 3), n // 2 + 4) for n in plane.shape)
    kept = plane[cut]
    # A small even PSF: pad, so that its centre stays in the middle.
    if any(n % 2 == 0 for n in kept.shape):
        kept = np.pad(kept, [(0, 1 - n % 2) for n in kept.shape])
    return kept
