"""Normalised root mean square error."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import as_pair

Normalisation = Literal["euclidean", "range", "mean"]


def nrmse(
    truth: ArrayLike, test: ArrayLike, *, normalisation: Normalisation = "euclidean"
) -> float:
    """Return the root mean square error over a size of the truth; 0 is best.

    Parameters
    ----------
    truth, test
        Real-valued images of one shape, any number of axes.
    normalisation
        What the error is divided by: the root mean square of the truth (``"euclidean"``, so the
        result is ``|test - truth| / |truth|``), its range, or the magnitude of its mean.

    Raises
    ------
    InputError
        If the images differ in shape, are empty or not finite, or the truth has no such size
        (it is all zero, constant, or of zero mean).
    """
    a, b = as_pair(truth, test)
    if normalisation == "euclidean":
        size, why = math.sqrt(float(np.mean(a * a))), "is zero everywhere"
    elif normalisation == "range":
        size, why = float(a.max() - a.min()), "is constant"
    elif normalisation == "mean":
        size, why = abs(float(a.mean())), "has the mean 0"
    else:
        raise InputError(
            f"There is no normalisation {normalisation!r}.",
            hint="Choose 'euclidean', 'range' or 'mean'.",
        )
    if size == 0:
        raise InputError(
            f"The true image {why}, so an error relative to it has no meaning.",
            hint="Choose another normalisation or another image.",
        )
    return math.sqrt(float(np.mean((a - b) ** 2))) / size
