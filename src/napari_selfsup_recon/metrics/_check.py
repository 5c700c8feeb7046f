"""What every metric asks of its two images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError

Image = NDArray[np.float64]


def as_image(image: ArrayLike, what: str) -> Image:
    """Return ``image`` in double precision (a float64 array is handed on as it is, never changed).

    Raises
    ------
    InputError
        If it is no array of real numbers, is empty, or holds NaN or infinite values.
    """
    try:
        array = np.asarray(image)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The {what} is no image: {error}.", hint="Pass an array on the CPU."
        ) from error
    if array.dtype.kind not in "uifb":
        raise InputError(
            f"The {what} holds {array.dtype} values.",
            hint="Convert it to a real-valued image first.",
        )
    if array.size == 0:
        raise InputError(f"The {what} is empty (shape {array.shape}).", hint="Use another image.")
    values = array.astype(np.float64, copy=False)
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        raise InputError(
            f"The {what} holds {bad} values that are NaN or infinite.",
            hint="Replace them (for example with numpy.nan_to_num) before comparing.",
        )
    return values


def as_pair(truth: ArrayLike, test: ArrayLike) -> tuple[Image, Image]:
    """Return both images in double precision.

    Raises
    ------
    InputError
        If one is no finite, real-valued image or their shapes differ.
    """
    a, b = as_image(truth, "true image"), as_image(test, "test image")
    if a.shape != b.shape:
        raise InputError(
            f"The true image has the shape {a.shape} and the test image {b.shape}.",
            hint="Crop or resample one of them so that both cover the same pixels.",
        )
    return a, b


def check_range(data_range: float) -> float:
    """Return ``data_range`` if it is a positive, finite number.

    Raises
    ------
    InputError
        If it is not.
    """
    if not (math.isfinite(data_range) and data_range > 0):
        raise InputError(
            f"The data range is {data_range}.",
            hint="Give the distance between the smallest and the largest possible value, such as "
            "1.0 for images scaled to [0, 1] or 255 for 8 bits.",
        )
    return float(data_range)
