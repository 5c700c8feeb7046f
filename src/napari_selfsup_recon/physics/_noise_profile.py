"""How the spread of the noise grows with the grey level."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, median_filter

from napari_selfsup_recon.core.measurement import FloatImage

Mask = NDArray[np.bool_]

_SIDE = 5
_BINS = 24
_FEWEST = 200
_COUNTED = 4000
_CLIP = 4.0
# Standard deviation of a normal distribution cut at four of its own.
_CLIPPED = 0.99946
_MAD = 0.6745
_ONE_SIGMA = 0.8413
# Noise of a dark level (median of 5 x 5, then Gaussian of 2 pixels) over that of a pixel.
_DARK_WIDTH = 2.0
_DARK_NOISE = 0.135
_FEWEST_DARK = 0.002
# Where half of a normal distribution lies below its centre, this part of the half lies more than
# one standard deviation below.
_TAIL_RATIO = 0.3173


@dataclass(frozen=True)
class Line:
    """Variance ``floor + slope * level``, and the grey level of what is darkest."""

    floor: float
    slope: float
    dark: float

    @property
    def dark_variance(self) -> float:
        """Variance where it is darkest."""
        return self.floor + self.slope * self.dark


def profile(values: FloatImage, cut: Mask, wrong: Mask, step: float) -> Line:
    """Fit the noise of planes ``(n, rows, columns)``, each at least 3 x 3.

    The noise is read off a high-pass (second difference along both axes), in which blurred
    structure hardly shows, in the flatter half of the pixels of each grey level.

    Parameters
    ----------
    values
        Grey values.
    cut
        Where the detector cut them off.
    wrong
        Pixels to leave out.
    step
        Smallest difference of two grey values.
    """
    middle = median_filter(values, size=(1, _SIDE, _SIDE))
    marks, variances, counts = _marks(values, middle, cut, wrong, step)
    if not len(marks):
        marks, variances, counts = _one_sided(values, middle)
    floor, slope = _line(marks, variances, counts)
    least = 0.05 * float(variances.min())
    dark = _dark(middle, floor, slope, least)
    if floor + slope * dark < least:
        floor = least - slope * dark
    return Line(floor, slope, dark)


def high_pass(values: FloatImage) -> FloatImage:
    """Return second differences along both axes, scaled so that white noise keeps its spread."""
    filtered: FloatImage = np.diff(np.diff(values, 2, axis=1), 2, axis=2)
    return cast(FloatImage, filtered / 6)


def _marks(
    values: FloatImage, middle: FloatImage, cut: Mask, wrong: Mask, step: float
) -> tuple[FloatImage, FloatImage, FloatImage]:
    inner = (slice(None), slice(1, -1), slice(1, -1))
    noise = high_pass(values).ravel()
    level = np.stack([gaussian_filter(plane, 1.0) for plane in middle])[inner].ravel()
    slant = np.stack([gaussian_gradient_magnitude(plane, 1.5) for plane in middle])[inner].ravel()
    whole = ~_around(cut | wrong).ravel()
    low, high = np.quantile(level, (0.001, 0.999))
    edges = np.unique(
        [*np.quantile(level, np.linspace(0, 1, _BINS + 1)), *np.linspace(low, high, _BINS // 2)]
    )
    rows = []
    for first, last in pairwise(edges):
        inside = (level >= first) & (level <= last)
        kept = inside & whole
        if kept.sum() < max(_FEWEST, 0.5 * inside.sum()):
            continue
        flat = kept & (slant <= np.median(slant[kept]))
        deviation = _spread(noise[flat], step)
        if deviation > 0:
            rows.append((float(level[flat].mean()), deviation**2, float(flat.sum())))
    table: NDArray[Any] = np.array(rows).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _around(mask: Mask) -> Mask:
    """Return which pixels of the high-pass a pixel of the mask enters."""
    rows, columns = mask.shape[1] - 2, mask.shape[2] - 2
    touched = np.zeros((len(mask), rows, columns), bool)
    if mask.any():
        for i in range(3):
            for j in range(3):
                touched |= mask[:, i : i + rows, j : j + columns]
    return touched


def _spread(noise: FloatImage, step: float) -> float:
    """Return the standard deviation of what lies within four of them: outliers lie beyond."""
    deviation = float(np.median(np.abs(noise))) / _MAD or float(noise.std())
    for _ in range(10):
        # Single photons among zeros must not be cut off.
        kept = noise[np.abs(noise) < _CLIP * deviation + step]
        fresh = float(kept.std()) / _CLIPPED
        if abs(fresh - deviation) < 1e-3 * deviation:
            break
        deviation = fresh
    return deviation


def _one_sided(values: FloatImage, middle: FloatImage) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Return one point of the line where values are cut off nearly everywhere.

    Only one side of the noise is whole then.
    """
    level = float(np.median(middle))
    side = 1.0 if level < 0.5 * float(values.min() + values.max()) else -1.0
    deviation = float(np.quantile(side * (values - middle), _ONE_SIGMA))
    deviation = deviation or float(high_pass(values).std()) or float(values.std())
    point = (level, deviation**2, float(values.size))
    return cast(tuple[FloatImage, FloatImage, FloatImage], tuple(np.array([v]) for v in point))


def _line(level: FloatImage, variance: FloatImage, counts: FloatImage) -> tuple[float, float]:
    """Fit ``a + b x``, b >= 0, by relative error; points that lie high count less.

    Structure that the high-pass leaves only ever adds to the variance. A slope that does not rise
    out of its own uncertainty is none.
    """
    least = 0.05 * float(variance.min())
    fit = variance
    weight = np.minimum(counts, _COUNTED) / np.maximum(fit, least) ** 2
    slope = spread = 0.0
    for _ in range(20):
        mean_x, mean_v = np.average(level, weights=weight), np.average(variance, weights=weight)
        spread = float(np.average((level - mean_x) ** 2, weights=weight))
        slope = 0.0
        if spread > 0:
            slope = float(np.average((level - mean_x) * (variance - mean_v), weights=weight))
            slope = max(0.0, slope / spread)
        fit = np.maximum(mean_v + slope * (level - mean_x), least)
        apart = (variance - fit) / fit
        trust = 1 / (1 + (apart / np.where(apart > 0, 0.15, 0.3)) ** 2) ** 2
        weight = trust * np.minimum(counts, _COUNTED) / fit**2
    error = np.sqrt(np.average((variance - fit) ** 2, weights=weight) / max(1, len(level) - 2))
    if slope * spread**0.5 < 2 * error:
        slope = 0.0
    return float(mean_v - slope * mean_x), slope


def _dark(middle: FloatImage, floor: float, slope: float, least: float) -> float:
    """Return the centre of the darkest peak of the grey levels.

    The levels of an area without light are spread by the noise alone. From below, its centre is
    the first level below which the tail is as short as that of a normal distribution of this width.
    """
    smooth = np.stack([gaussian_filter(plane, _DARK_WIDTH) for plane in middle]).ravel()
    level = np.sort(smooth[:: max(1, smooth.size // 500_000)])
    first = int(_FEWEST_DARK * level.size)
    centre = level[first:]
    deviation = _DARK_NOISE * np.sqrt(np.maximum(floor + slope * centre, least))
    tail = np.searchsorted(level, centre - deviation)
    reached = tail >= _TAIL_RATIO * np.arange(first + 1, level.size + 1)
    return float(centre[int(reached.argmax())]) if reached.any() else float(level[0])
