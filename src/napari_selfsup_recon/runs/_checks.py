"""Is a result plausible? What is said of it otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_FLUX_TOLERANCE = 0.3


def doubts(
    image: np.ndarray[Any, Any], measured: np.ndarray[Any, Any], background: float = 0.0
) -> Iterator[str]:
    """Yield what is suspicious about ``image``, the restoration of ``measured``.

    The total intensity is compared where the measurement has one, that is, where it is mostly
    positive; with or without ``background``, the grey value without light, since methods may keep
    it or take it off.
    """
    finite = np.isfinite(image)
    bad = image.size - int(np.count_nonzero(finite))
    if bad:
        yield f"The result holds {bad} voxels that are NaN or infinite."
        return
    if image.min() == image.max():
        yield f"The result is constant (every voxel is {float(image.min()):g})."
        return
    after = float(image.sum(dtype=np.float64))
    changes = [
        after / before - 1
        for before in (_total(measured), _total(measured, background))
        if before is not None
    ]
    if changes and (change := min(changes, key=abs)) and abs(change) > _FLUX_TOLERANCE:
        word = "lost" if change < 0 else "gained"
        yield f"The result {word} {abs(change):.0%} of the total intensity."


def _total(measured: np.ndarray[Any, Any], background: float = 0.0) -> float | None:
    """Return the intensity above ``background``, None where it is mostly noise around zero."""
    values = measured.astype(np.float64) - background
    total, size = float(values.sum()), float(np.abs(values).sum())
    return total if total > 0.5 * size else None
