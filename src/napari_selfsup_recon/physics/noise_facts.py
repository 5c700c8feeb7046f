"""What the values of a measurement tell about their noise."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

from napari_selfsup_recon.core.measurement import FloatImage

_PILE = 0.002
_MAD = 0.6745
_BINS = 12
_FEWEST = 300
_PIXELS = 1_000_000
_SIDE = 5


@dataclass(frozen=True)
class NoiseFacts:
    r"""Noise that grows with the light: variance :math:`a + b \, \mu`.

    Attributes
    ----------
    floor, slope
        a and b, in the units of the measurement.
    sigma
        Standard deviation at the median grey value.
    clipped_low, clipped_high
        Where the detector cut values off, None where it did not.
    coarse
        Whether the noise spans only a few grey levels, as with a handful of photons; such values
        are skewed, and only their mean can be trusted.
    """

    floor: float
    slope: float
    sigma: float
    clipped_low: float | None = None
    clipped_high: float | None = None
    coarse: bool = False

    def deviation(self, level: Tensor) -> Tensor:
        """Return the standard deviation where the clean grey value is ``level``."""
        if self.coarse:
            return torch.full_like(level, self.sigma)
        least = (0.3 * self.sigma) ** 2
        return (self.floor + self.slope * level).clamp_min(least).sqrt()


def noise_facts(y: Tensor) -> NoiseFacts:
    """Return what ``(items, 1, *spatial)`` tells about its noise; outliers hardly matter."""
    values = _excerpt(y)
    low, high = float(values.min()), float(values.max())
    at_low, at_high = (float((values == v).mean()) for v in (low, high))
    sigma = _sigma(values, np.zeros(values.shape, bool))
    gaps = np.diff(np.unique(values))
    if gaps.size and sigma < 1.5 * gaps.min():
        spread = float(np.diff(values, 2, axis=-1).std()) / 6**0.5
        return NoiseFacts(0.0, 0.0, spread or 1e-3 * (high - low) or 1.0, coarse=True)
    clipped_low = low if _PILE < at_low < 0.95 else None
    clipped_high = high if _PILE < at_high < 0.95 else None
    cut = np.zeros(values.shape, bool)
    if clipped_low is not None:
        cut |= values == clipped_low
    if clipped_high is not None:
        cut |= values == clipped_high
    floor, slope, sigma = _variance_line(values, cut, sigma)
    return NoiseFacts(floor, slope, sigma, clipped_low, clipped_high)


def _excerpt(y: Tensor) -> FloatImage:
    """Return planes ``(n, rows, columns)`` of about a million pixels in all."""
    planes = y.detach().cpu().reshape(-1, *y.shape[-2:])
    most = max(1, _PIXELS // (planes.shape[-1] * planes.shape[-2]))
    planes = planes[:: max(1, -(-len(planes) // most))]
    rows = max(3, _PIXELS // (len(planes) * planes.shape[-1]))
    first = max(0, (planes.shape[-2] - rows) // 2)
    excerpt: FloatImage = planes[:, first : first + rows].float().numpy()
    return excerpt


def _sigma(values: FloatImage, left_out: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """Return the median absolute second difference along rows as a standard deviation.

    Blurred structure has almost no second difference, and outliers hardly move a median.
    """
    second = np.diff(values, 2, axis=-1)
    kept = second[~(left_out[..., 2:] | left_out[..., 1:-1] | left_out[..., :-2])]
    return float(np.median(np.abs(kept))) / _MAD / 6**0.5 if kept.size else 0.0


def _variance_line(
    values: FloatImage, cut: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], sigma: float
) -> tuple[float, float, float]:
    """Fit variance against level; returns floor, slope and the deviation at the median level."""
    level = median_filter(values, size=(1, _SIDE, _SIDE))[..., 1:-1]
    middle = 0.5 * float(values.min() + values.max())
    second = np.diff(values, 2, axis=-1) / 6**0.5
    any_cut = cut[..., 2:] | cut[..., 1:-1] | cut[..., :-2]
    residual = values[..., 1:-1] - level
    edges = np.quantile(level, np.linspace(0, 1, _BINS + 1))
    marks: list[float] = []
    variances: list[float] = []
    for first, last in pairwise(edges):
        inside = (level >= first) & (level <= last)
        count = int(inside.sum())
        if count < _FEWEST or (marks and last == first):
            continue
        if float(any_cut[inside].mean()) < 0.05:
            deviation = float(np.median(np.abs(second[inside]))) / _MAD
        else:
            # Where values were cut off only the other side of the noise is whole.
            side = 1.0 if float(np.mean(level[inside])) < middle else -1.0
            deviation = float(np.quantile(side * residual[inside], 0.8413))
        if deviation > 0:
            marks.append(float(np.mean(level[inside])))
            variances.append(deviation**2)
    if not marks:
        return sigma**2, 0.0, sigma or 1e-3 * float(np.ptp(values)) or 1.0
    floor, slope = _line(np.array(marks), np.array(variances))
    typical = max(floor + slope * float(np.median(level)), min(variances))
    return floor, slope, typical**0.5


def _line(x: FloatImage, variance: FloatImage) -> tuple[float, float]:
    """Fit ``a + b x`` with b >= 0, each point weighed by its relative error."""
    weight = 1 / variance**2
    mean_x, mean_v = np.average(x, weights=weight), np.average(variance, weights=weight)
    spread = float(np.average((x - mean_x) ** 2, weights=weight))
    slope = 0.0
    if spread > 0:
        slope = float(np.average((x - mean_x) * (variance - mean_v), weights=weight)) / spread
    slope = max(0.0, slope)
    return float(mean_v - slope * mean_x), slope
