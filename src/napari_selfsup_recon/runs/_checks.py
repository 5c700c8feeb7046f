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

    ``background`` is the grey value without light that the method took off, if any. The total
    intensity is compared where the measurement has one, that is, where it is mostly positive.
    """
    finite = np.isfinite(image)
    bad = image.size - int(np.count_nonzero(finite))
    if bad:
        yield f"The result holds {bad} voxels that are NaN or infinite."
        return
    if image.min() == image.max():
        yield f"The result is constant (every voxel is {float(image.min()):g})."
        return
    before = float(measured.sum(dtype=np.float64)) - background * measured.size
    size = float(np.abs(measured - background).sum(dtype=np.float64))
    after = float(image.sum(dtype=np.float64))
    if before > 0.5 * size:
        change = after / before - 1
        if abs(change) > _FLUX_TOLERANCE:
            word = "lost" if change < 0 else "gained"
            yield f"The result {word} {abs(change):.0%} of the total intensity."
