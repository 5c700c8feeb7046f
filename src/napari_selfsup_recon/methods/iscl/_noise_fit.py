"""The model of the noise that turns the statistics of clean images into those of noisy ones."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel
from napari_selfsup_recon.methods.iscl._spectra import BANDS, Array, bands, in_bands, power, smooth
from napari_selfsup_recon.methods.iscl._streaks import (
    Streaks,
    across,
    along,
    choose_strikes,
    find_streaks,
    off_ridge,
    strikes_of,
)

_SCALES = (0, 1, 2, 4, 8, 16)
_LEVELS = 8
_LEVEL_SCALE = 3
_ROUNDS = 5
_TRIALS = 4
_NUDGE = 0.15
_STRIDE = 1.5
# How little the powers are held to where they begin, where nothing speaks for other ones.
_HOLD = 0.004
_WINDOWS = 48
# How far below the darkest clean pixel the grey level without signal is first taken to be.
_BELOW = 0.5


def fit_noise(
    clean: Array, noisy: Array, seed: int
) -> Generator[None, None, tuple[NoiseModel, float]]:
    r"""Return the noise whose images of ``clean`` look like ``noisy``, and the misfit that is left.

    The first guess is the excess of the power spectrum, half of it added and half of it gain. Then
    :math:`\sum_k (T_k(x(y; \theta)) - T_k(x))^2` is minimised by Levenberg and Marquardt's method
    over the powers :math:`\theta` of all bands, with the same random numbers throughout. The
    statistics T are logarithms of the energy at each scale where the image is dark to bright, the
    histogram of the local brightness, and the power in each band. Brightness tells noise that is
    added from gain: only the latter grows with it.

    Parameters
    ----------
    clean, noisy
        Windows ``(number, n, n)`` in the same units; about 100 or more of each tell best.
    seed
        Of the noise.

    Yields
    ------
    None
        Between pieces of about 0.2 s.
    """
    side = clean.shape[-1]
    weights = bands(side)
    of_noisy = yield from _power(noisy)
    of_clean = yield from _power(clean)
    excess = np.maximum(smooth(of_noisy - of_clean), 0.02 * smooth(of_noisy))
    excess[0, 0] = (excess[0, 1] + excess[1, 0]) / 2
    streaks = find_streaks(clean, noisy)
    yield
    if streaks is not None:
        excess = off_ridge(excess, streaks)
    level = in_bands(excess, weights)
    rings = np.exp(np.tensordot(np.log(level), weights, 1))
    form = np.clip(smooth(excess / rings, 1.0), 0.1, 10)
    darkest = float(np.quantile(clean, 0.001))
    signal = float(np.mean((clean - darkest + _BELOW) ** 2))
    start = np.concatenate([np.log(0.5 * level), np.log(0.5 * level / signal), [_BELOW]])
    some = clean[_spread(len(clean))]
    random = numpy_generator("noise fit", seed)
    white = np.fft.rfft2(random.standard_normal((2, *some.shape)))
    strikes = None
    if streaks is not None:
        half = np.log(0.5 * streaks.added**2)
        start = np.concatenate([start, [half, half - np.log(signal)]])
        strikes = strikes_of(streaks, some.shape, seed)
    edges = _edges(noisy)
    yield

    def statistics(windows: Array, spectrum: Array) -> Array:
        found = _statistics(windows, edges, spectrum, weights)
        if streaks is None:
            return found
        return np.concatenate([found, _streakiness(windows, edges, streaks)])

    goal = statistics(noisy, of_noisy)
    yield

    def model(powers: Array) -> NoiseModel:
        floor = darkest - max(0.0, float(powers[2 * BANDS]))
        added, gained = powers[:BANDS], powers[BANDS : 2 * BANDS]
        if streaks is None:
            return NoiseModel(floor, added, gained, form)
        a, g = np.exp(powers[2 * BANDS + 1 :] / 2)
        return NoiseModel(floor, added, gained, form, replace(streaks, added=a, gained=g))

    def miss(powers: Array) -> Array:
        made = model(powers).apply(some, white, strikes)
        return statistics(made, power(made)) - goal

    found = _Fit(start, miss(start), start)
    damping = 1.0
    for _ in range(_ROUNDS):
        columns = []
        for unit in np.eye(len(start)):
            columns.append((miss(found.powers + _NUDGE * unit) - found.missed) / _NUDGE)
            yield
        slope = np.stack(columns, axis=1)
        for _ in range(_TRIALS):
            step = np.linalg.solve(
                slope.T @ slope + (_HOLD + damping) * np.eye(len(start)),
                -slope.T @ found.missed - _HOLD * (found.powers - start),
            )
            powers = found.powers + np.clip(step, -_STRIDE, _STRIDE)
            other = _Fit(powers, miss(powers), start)
            yield
            if other.cost < found.cost:
                found, damping = other, damping / 3
                break
            damping *= 4
    fitted = model(found.powers)
    if fitted.streaks is not None:

        def struck(streaks: Streaks) -> Array:
            return fitted.apply(some, white, strikes_of(streaks, some.shape, seed))

        chosen = yield from choose_strikes(fitted.streaks, struck, noisy)
        fitted = replace(fitted, streaks=chosen)
    return fitted, float(np.sqrt(np.mean(found.missed**2)))


def _power(windows: Array) -> Generator[None, None, Array]:
    """Return the mean power of all windows, piece by piece."""
    total = np.zeros(windows.shape[1:])
    for part in np.array_split(windows, max(1, len(windows) // 32)):
        total += power(part) * len(part)
        yield
    return total / len(windows)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A point on the way down."""

    powers: Array
    missed: Array
    start: Array

    @property
    def cost(self) -> float:
        held = _HOLD * float(((self.powers - self.start) ** 2).sum())
        return float((self.missed**2).sum()) + held


def _spread(count: int) -> Array:
    return np.unique(np.linspace(0, count - 1, min(count, _WINDOWS)).round().astype(int))


def _blurred(windows: Array) -> list[Array]:
    # Products of matrices are several times as fast as filters of windows that are this small.
    filters = [_filter(windows.shape[-1], scale) for scale in _SCALES[1:]]
    return [windows, *(one @ (windows @ one.T) for one in filters)]


@lru_cache(maxsize=2 * len(_SCALES))
def _filter(n: int, scale: float) -> Array:
    """Return the matrix of a Gaussian filter of ``n`` values."""
    from scipy.ndimage import gaussian_filter1d

    matrix: Array = gaussian_filter1d(np.eye(n), scale, axis=0)
    return matrix


def _edges(windows: Array) -> Array:
    """Return the levels of brightness that part the pixels into equal shares."""
    edges: Array = np.quantile(_blurred(windows)[_LEVEL_SCALE], np.arange(1, _LEVELS) / _LEVELS)
    return edges


def _statistics(windows: Array, edges: Array, spectrum: Array, weights: Array) -> Array:
    blurred = _blurred(windows)
    level = np.digitize(blurred[_LEVEL_SCALE], edges).ravel()
    count = np.bincount(level, minlength=_LEVELS)
    energies = [
        np.bincount(level, ((fine - coarse) ** 2).ravel(), minlength=_LEVELS) / np.maximum(count, 1)
        for fine, coarse in pairwise(blurred)
    ]
    return np.concatenate(
        [
            np.log(np.concatenate(energies) + 1e-9),
            np.log(count / count.sum() + 1e-3),
            2 * np.log(in_bands(spectrum, weights) + 1e-9),
        ]
    )


def _streakiness(windows: Array, edges: Array, streaks: Streaks) -> Array:
    """Return logarithms of the energy along the streaks, where the image is dark to bright."""
    width = max(2, round(streaks.tail / 2))
    fine = along(across(windows, streaks.axis), width)
    level = along(across(windows, streaks.axis, centre=True), width)
    place = np.digitize(level, edges).ravel()
    count = np.bincount(place, minlength=_LEVELS)
    energies = np.bincount(place, (fine**2).ravel(), minlength=_LEVELS)
    found: Array = np.log(energies / np.maximum(count, 1) + 1e-9)
    return found
