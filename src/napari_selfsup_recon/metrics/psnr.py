"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.metrics._check import as_pair, check_range


def psnr(truth: ArrayLike, test: ArrayLike, *, data_range: float = 1.0) -> float:
    """Return ``10 log10(data_range**2 / MSE)`` in dB; higher is better.

    Parameters
    ----------
    truth, test
        Real-valued images of one shape, any number of axes.
    data_range
        Largest minus smallest possible value. The published SSI figures use 1.

    Returns
    -------
    float
        Infinite for equal images.

    Raises
    ------
    InputError
        If the images differ in shape, are empty or not finite, or the range is not positive.
    """
    peak = check_range(data_range)
    a, b = as_pair(truth, test)
    difference = (a - b).ravel()
    error = float(np.dot(difference, difference)) / difference.size
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)
