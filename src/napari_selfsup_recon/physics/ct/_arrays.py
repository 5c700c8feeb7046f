"""What all steps of the preparation share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError

Floats = NDArray[np.float32]


def as_floats(values: ArrayLike, what: str, *, ndim: tuple[int, ...] = (2, 3)) -> Floats:
    """Return ``values`` as a new float32 array.

    Raises
    ------
    InputError
        If they are not real numbers, none, not finite, or have other than ``ndim`` axes.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.ndim not in ndim or array.size == 0 or array.dtype.kind not in "uifb":
        raise InputError(
            f"The {what} has the shape {array.shape} and holds {array.dtype} values.",
            hint=f"Give a real-valued array with {' or '.join(map(str, ndim))} axes.",
        )
    with np.errstate(over="ignore"):
        floats = np.array(array, dtype=np.float32)
    bad = floats.size - int(np.count_nonzero(np.isfinite(floats)))
    if bad:
        raise InputError(
            f"The {what} holds {bad} values that are NaN or infinite.",
            hint="Replace them (for example with numpy.nan_to_num) first.",
        )
    return floats


def percent(share: float) -> str:
    """Return a share for people: ``"0.3 %"``."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def listed(numbers: NDArray[Any], most: int = 8) -> str:
    """Return numbers in a row, the first of them where there are many."""
    words = [str(int(n)) for n in numbers[:most]]
    return ", ".join(words) + (f" and {len(numbers) - most} more" if len(numbers) > most else "")
