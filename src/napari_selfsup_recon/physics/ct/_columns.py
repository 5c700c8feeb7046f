"""Dead columns of the detector: found by what they do over all views, and repaired."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct._arrays import Floats, as_floats, listed
from napari_selfsup_recon.physics.psf import Finding

_WINDOW = 5
_THRESHOLD = 12.0
_MOST = 0.3


def dead_columns(sinogram: ArrayLike) -> NDArray[np.intp]:
    """Return the columns of ``(angle, column)`` that do not see what their neighbours see.

    Such a column says the same in all views while its neighbours change, or differs from the
    median of five columns by far more than columns do. Stripes that merely shine through are
    no dead columns: :func:`remove_stripes` is for them.
    """
    from scipy.ndimage import median_filter  # slow to import, so only where it is used

    values = as_floats(sinogram, "sinogram", ndim=(2,)).astype(np.float64)
    if values.shape[1] < _WINDOW or len(values) < 4:
        return np.empty(0, dtype=np.intp)
    change = np.abs(np.diff(values, axis=0)).mean(axis=0)
    around = median_filter(change, _WINDOW, mode="nearest")
    stuck = change < 0.02 * around
    # The typical misfit of one view, not the sum over views: one bright view makes no dead column.
    misfit = np.median(np.abs(values - median_filter(values, (1, _WINDOW), mode="nearest")), axis=0)
    usual = float(np.median(misfit))
    spread = float(np.median(np.abs(misfit - usual)))
    extent = float(np.ptp(np.quantile(values, (0.01, 0.99))))
    # Edges of the object are no defects: what is compared is what is usual around a column, too.
    near = median_filter(misfit, 3 * _WINDOW, mode="nearest")
    odd = misfit > 3 * np.maximum(near, usual) + _THRESHOLD * spread + 0.3 * extent
    return np.flatnonzero(stuck | odd)


def repair_columns(sinograms: ArrayLike) -> tuple[Floats, Finding]:
    """Return ``(..., angle, column)`` with dead columns interpolated, slice by slice.

    Raises
    ------
    InputError
        If three of ten columns or more are dead in a slice.
    """
    values = as_floats(sinograms, "sinogram")
    stack = values.reshape(-1, *values.shape[-2:])
    repaired: set[int] = set()
    columns = np.arange(stack.shape[-1])
    for number, sinogram in enumerate(stack):
        dead = dead_columns(sinogram)
        if dead.size == 0:
            continue
        if dead.size > _MOST * columns.size:
            raise InputError(
                f"{dead.size} of the {columns.size} columns of the detector are dead (slice "
                f"{number}).",
                hint="Is the sinogram transposed, or are there no data in it?",
            )
        good = np.setdiff1d(columns, dead)
        for view in sinogram:  # a view into ``values``
            view[dead] = np.interp(dead, good, view[good])
        repaired.update(dead.tolist())
    if not repaired:
        return values, Finding("columns", "No column of the detector is dead.")
    which = np.array(sorted(repaired))
    plural = "s" if which.size > 1 else ""
    return values, Finding(
        "columns",
        f"{which.size} dead column{plural} of the detector ({listed(which)}) were replaced by "
        "what their neighbours see."
        if plural
        else f"1 dead column of the detector ({listed(which)}) was replaced by what its "
        "neighbours see.",
        "repaired",
    )
