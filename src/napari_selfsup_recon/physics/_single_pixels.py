"""Single wrong pixels: hot, dead, or hit by a cosmic ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

_SIDE = 5
_RING = 3
_NEXT = 1.75
# In limits: where every wrong pixel is found.
_SURE_FROM, _SURE_TO = 1.25, 2.5
_MOST_HIDDEN = 5.0


def find_outliers(
    y: Tensor,
    sigma: Tensor,
    psf: np.ndarray[Any, Any] | None,
    *,
    limit: float = 3.5,
    apart: float = 0.0,
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
    apart
        How many times further from what its neighbours say than the median of the pixels two and
        three steps away a wrong pixel must lie. Structure that is no point is told badly by its
        neighbours, but not at one pixel alone.
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
        if apart and kept.any():
            rows, columns = rows[kept], columns[kept]
            kept = _stands_alone(values, plane, lever, float(others.mean()), rows, columns, apart)
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


def _stands_alone(
    values: np.ndarray[Any, Any],
    plane: np.ndarray[Any, Any],
    lever: float,
    mean: float,
    rows: np.ndarray[Any, Any],
    columns: np.ndarray[Any, Any],
    apart: float,
) -> np.ndarray[Any, Any]:
    """Return which of the given pixels misfit their neighbours far more than those do theirs.

    Without the pixel, that is: with what is told in its place, the misfit of the 8 next to it must
    be small (one of them may be wrong, too), and in the middle so must that of those further out.
    """
    weights = 1 / (plane.size - 1) + lever * (plane - mean)
    weights[tuple(n // 2 for n in plane.shape)] = 0.0
    # The ring around every pixel needs the misfit of a border as well.
    before = [(n // 2 + _RING, n - 1 - n // 2 + _RING) for n in plane.shape]
    wide = np.pad(values.astype(np.float64), before, mode="edge")
    told = _correlated(wide, weights)
    misfit = np.pad(values, _RING, mode="edge") - told
    own = misfit[rows + _RING, columns + _RING]
    near, far = [], []
    for i in range(-_RING, _RING + 1):
        for j in range(-_RING, _RING + 1):
            there = misfit[rows + _RING + i, columns + _RING + j]
            if max(abs(i), abs(j)) > 1:
                far.append(np.abs(there))
            elif i or j:
                near.append(np.abs(there + _weight(weights, -i, -j) * own))
    next_to = np.partition(near, -2, axis=0)[-2]
    bound = np.maximum(_NEXT * next_to, apart * np.median(far, axis=0))
    alone: np.ndarray[Any, Any] = np.abs(own) > bound
    return alone


def _correlated(
    values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the sum of neighbours by weight wherever all of them are there.

    ``scipy.signal`` can do that, but takes a second to import, which the first preview waits for.
    """
    from scipy import fft

    sides = [a + b - 1 for a, b in zip(values.shape, weights.shape, strict=True)]
    size = [fft.next_fast_len(n, real=True) for n in sides]
    product = fft.rfft2(values, size) * fft.rfft2(weights[::-1, ::-1], size)
    inside = tuple(slice(b - 1, a) for a, b in zip(values.shape, weights.shape, strict=True))
    told: np.ndarray[Any, Any] = fft.irfft2(product, size)[inside]
    return told


def _weight(weights: np.ndarray[Any, Any], i: int, j: int) -> float:
    row, column = weights.shape[0] // 2 + i, weights.shape[1] // 2 + j
    inside = 0 <= row < weights.shape[0] and 0 <= column < weights.shape[1]
    return float(weights[row, column]) if inside else 0.0


def outlier_share(y: Tensor, level: Tensor, wrong: Tensor, bound: Tensor) -> float:
    """Return the share of wrong pixels, those that lie within the noise included.

    Wrong pixels of any grey value are as likely below the bound as just above it: the density that
    is found somewhat above is taken for that below.

    Parameters
    ----------
    y, level, wrong, bound
        Measurement, what its surroundings say, what was found, and how far from the surroundings a
        pixel is called wrong, of one shape.
    """
    away, own = (y - level)[wrong], bound[wrong]
    found = float(wrong.sum())
    total = 0.0
    for side, end in ((1.0, float(y.max())), (-1.0, float(y.min()))):
        room = (side * (end - level)).clamp_min(0)
        window = ((_SURE_TO * bound).minimum(room) - _SURE_FROM * bound).clamp_min(0).sum()
        hidden = (_SURE_FROM * bound).minimum(room).sum()
        far = side * away / own
        above = float((far >= _SURE_FROM).sum())
        counted = float(((far >= _SURE_FROM) & (far < _SURE_TO)).sum())
        total += above
        if counted and float(window) > 0:
            total += counted * float(hidden / window)
    return min(max(found, total), _MOST_HIDDEN * found) / y.numel()


def _in_plane(psf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the central plane of the PSF, at most 17 x 17 around its centre."""
    plane = psf[psf.shape[0] // 2] if psf.ndim == 3 else psf
    cut = tuple(slice(max(0, n // 2 - 8), n // 2 + 9) for n in plane.shape)
    kept = plane[cut]
    # A small even PSF: pad, so that its centre stays in the middle.
    if any(n % 2 == 0 for n in kept.shape):
        kept = np.pad(kept, [(0, 1 - n % 2) for n in kept.shape])
    return kept
