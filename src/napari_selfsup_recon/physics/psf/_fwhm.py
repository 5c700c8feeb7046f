"""The width of a PSF, measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.physics.psf._finding import Kernel, as_kernel


def fwhm(psf: ArrayLike, scale: float | Sequence[float] = 1.0) -> tuple[float, ...]:
    """Return the full width at half maximum along each axis.

    It is read off the lines through the brightest voxel, with straight lines between voxels. A
    background must be subtracted before.

    Parameters
    ----------
    psf
        Point spread function, any number of axes.
    scale
        Voxel size, one value or one an axis; the result has its unit.

    Returns
    -------
    tuple of float
        One width an axis; NaN where the PSF does not fall to half within the array.

    Raises
    ------
    InputError
        If the PSF is empty, zero, constant or not finite.
    """
    kernel = as_kernel(psf)
    steps = np.broadcast_to(np.asarray(scale, dtype=np.float64), kernel.ndim)
    peak = np.unravel_index(int(np.argmax(kernel)), kernel.shape)
    widths = []
    for axis in range(kernel.ndim):
        line = kernel[tuple(slice(None) if a == axis else peak[a] for a in range(kernel.ndim))]
        top = int(peak[axis])
        width = _to_half(line[top:]) + _to_half(line[top::-1])
        widths.append(float(width * steps[axis]))
    return tuple(widths)


def _to_half(line: Kernel) -> float:
    """Return the distance from the first value to where the line falls to half of it."""
    if line.size == 1:
        return float("nan")
    below = np.flatnonzero(line <= line[0] / 2)
    if below.size == 0:
        return float("nan")
    k = int(below[0])
    return k - 1 + float((line[k - 1] - line[0] / 2) / (line[k - 1] - line[k]))
