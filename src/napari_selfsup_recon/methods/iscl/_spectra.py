"""Power spectra of windows, and bands of them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

BANDS = 7


def power(windows: Array) -> Array:
    r"""Return the mean power :math:`|\mathcal F(w (x - \bar x))|^2 / n^2` of square windows.

    Parameters
    ----------
    windows
        ``(number, n, n)``. They are tapered by a Hann window w of unit mean square.

    Returns
    -------
    array
        ``(n, n)``, zero frequency first; its mean is the variance.
    """
    n = windows.shape[-1]
    taper = np.outer(np.hanning(n), np.hanning(n))
    taper /= np.sqrt(np.mean(taper**2))
    half = np.zeros((n, n // 2 + 1))
    for window in windows:
        seen = np.fft.rfft2((window - window.mean()) * taper)
        half += seen.real**2 + seen.imag**2
    # The other half is its mirror image.
    rest = np.roll(half[::-1], 1, axis=0)[:, (n - 1) // 2 : 0 : -1]
    mean: Array = np.concatenate([half, rest], axis=1) / (len(windows) * n * n)
    return mean


def smooth(spectrum: Array, width: float = 0.8) -> Array:
    """Return the spectrum, averaged over neighbouring frequencies."""
    from scipy.ndimage import gaussian_filter

    averaged: Array = gaussian_filter(spectrum, width, mode="wrap")
    return averaged


def bands(n: int) -> Array:
    """Return weights ``(BANDS, n, n)`` of rings, one octave or so apart, that sum to one."""
    frequency = np.fft.fftfreq(n) * n
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    centres = np.log(np.geomspace(1.0, 0.47 * n, BANDS))
    place = np.log(np.maximum(radius, 1.0))
    return np.stack([np.interp(place, centres, row) for row in np.eye(BANDS)])


def in_bands(spectrum: Array, weights: Array) -> Array:
    """Return the mean of a spectrum in each band."""
    means: Array = (weights * spectrum).sum((1, 2)) / weights.sum((1, 2))
    return means
