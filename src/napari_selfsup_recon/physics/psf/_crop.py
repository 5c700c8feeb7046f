"""Cropping a PSF to what carries its light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel, in_words


def crop_energy(
    psf: ArrayLike, keep: float = 0.995, max_shape: Sequence[int] | None = None
) -> tuple[Kernel, Finding]:
    """Return the middle of the PSF that holds ``keep`` of its light.

    Along each axis the fewest planes around ``n // 2`` are kept that lose no more than an equal
    part of ``1 - keep``; the box as a whole then keeps ``keep`` or more if no value is negative.

    Parameters
    ----------
    psf
        Point spread function with its centre at ``n // 2``.
    keep
        Share of the light to keep, in (0, 1].
    max_shape
        Largest shape to return, even if less light is kept.

    Returns
    -------
    tuple
        The PSF (odd sides where it was cropped; its sum is not made 1 again) and the kept share.

    Raises
    ------
    InputError
        If ``keep`` is not in (0, 1], the shape does not fit, or the PSF sums to nothing positive.
    """
    kernel = as_kernel(psf)
    if not 0 < keep <= 1:
        raise InputError(f"The share to keep is {keep}.", hint="Give a number in (0, 1].")
    if max_shape is not None and (len(max_shape) != kernel.ndim or min(max_shape) < 1):
        raise InputError(
            f"The PSF has {kernel.ndim} axes, its largest shape is {tuple(max_shape)}.",
            hint="Give one positive length an axis.",
        )
    total = float(kernel.sum())
    if not total > 0:
        raise InputError(
            "The PSF sums to nothing positive.", hint="Subtract its background, or choose another."
        )
    limits = kernel.shape if max_shape is None else tuple(int(n) for n in max_shape)
    box = tuple(
        _box(kernel, axis, total, (1 - keep) / kernel.ndim, limits[axis])
        for axis in range(kernel.ndim)
    )
    cropped = kernel[box].copy()
    if cropped.shape == kernel.shape:
        return cropped, Finding("size", f"The PSF is {in_words(kernel.shape)} voxels large.")
    share = float(cropped.sum()) / total
    return cropped, Finding(
        "size",
        f"PSF cropped to {_share(share)} of its light ({in_words(cropped.shape)} voxels).",
        "repaired" if share >= min(keep, 0.98) else "warning",
    )


def _box(kernel: Kernel, axis: int, total: float, loss: float, limit: int) -> slice[Any, Any, Any]:
    n, middle = kernel.shape[axis], kernel.shape[axis] // 2
    profile = kernel.sum(axis=tuple(a for a in range(kernel.ndim) if a != axis))
    cumulated = np.concatenate([[0.0], np.cumsum(profile)])
    halves = np.arange(middle + 1)
    kept = cumulated[np.minimum(middle + halves + 1, n)] - cumulated[middle - halves]
    enough = np.flatnonzero(kept >= (1 - loss) * total * (1 - 1e-12))
    half = int(enough[0]) if enough.size else middle
    if half == middle and n <= limit:  # nothing to gain; an even array stays even
        return slice(0, n)
    half = min(half, (limit - 1) // 2)
    return slice(middle - half, min(middle + half + 1, n))


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"
