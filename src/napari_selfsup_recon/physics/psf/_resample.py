"""Bringing a PSF to the voxel size of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel, in_words

LARGEST = 2**27  # voxels; larger means wrong units
TOLERANCE = 0.01


def resample(
    psf: ArrayLike, psf_scale: Sequence[float], image_scale: Sequence[float]
) -> tuple[Kernel, Finding]:
    r"""Return the PSF on voxels of another size; centre (``n // 2``) and sum are kept.

    Along each axis a cubic spline through the values is averaged over windows of width
    :math:`\sqrt{\max(0, b^2 - a^2)}`, where a is the old and b the new voxel size: the values were
    already averaged over voxels of size a, so that the result is as wide as if it had been recorded
    with voxels of size b.

    Parameters
    ----------
    psf
        Point spread function with its centre at ``n // 2``.
    psf_scale, image_scale
        Old and new voxel size, one value an axis, in the same units.

    Raises
    ------
    InputError
        If a voxel size is not positive, or the result would be unreasonably large.
    """
    kernel = as_kernel(psf)
    old, new = _checked(psf_scale, kernel.ndim, "PSF"), _checked(image_scale, kernel.ndim, "image")
    if all(abs(a / b - 1) <= TOLERANCE for a, b in zip(old, new, strict=True)):
        return kernel, Finding("voxel size", f"PSF and image have voxels of {in_words(new)}.")
    reach = [(n // 2 + 0.5) * a / b for n, a, b in zip(kernel.shape, old, new, strict=True)]
    shape = [2 * math.ceil(r - 0.5) + 1 if r < LARGEST else LARGEST for r in reach]
    if math.prod(shape) > LARGEST:
        raise InputError(
            f"Voxels of the PSF are {in_words(old)}, of the image {in_words(new)}: resampled, the "
            "PSF would be too large to use.",
            hint="Check the units of both voxel sizes.",
        )
    total = kernel.sum()
    result = kernel
    for axis, (a, b, n) in enumerate(zip(old, new, shape, strict=True)):
        if abs(a / b - 1) > TOLERANCE:
            result = _along(result, axis, a / b, n)
    if result.sum() > 0 and total > 0:
        result = result * (total / result.sum())
    return result, Finding(
        "voxel size",
        f"PSF voxels are {in_words(old)}, image voxels {in_words(new)}: the PSF was resampled "
        f"from {in_words(kernel.shape)} to {in_words(result.shape)} voxels.",
        "repaired",
    )


def _along(kernel: Kernel, axis: int, ratio: float, length: int) -> Kernel:
    """Resample one axis; ``ratio`` is old voxel size / new voxel size."""
    from scipy.interpolate import make_interp_spline

    n = kernel.shape[axis]
    margin = 3  # dark voxels beyond the array let the spline fall to zero
    padded = np.pad(kernel, [(margin, margin) if a == axis else (0, 0) for a in range(kernel.ndim)])
    positions = np.arange(-margin, n + margin, dtype=np.float64) - n // 2
    spline = make_interp_spline(positions, padded, k=3, axis=axis)
    targets = (np.arange(length) - length // 2) / ratio
    window = math.sqrt(max(0.0, 1.0 / ratio**2 - 1.0))
    first, last = positions[0], positions[-1]
    if window > 0.05:
        integral = spline.antiderivative()
        ends = [np.clip(targets + s * window / 2, first, last) for s in (1, -1)]
        values = (integral(ends[0]) - integral(ends[1])) / window
    else:
        values = spline(np.clip(targets, first, last))
    moved: Kernel = np.asarray(values)
    # The spline rings below zero beside steep slopes; only what was there before may stay.
    return moved if kernel.min() < 0 else moved.clip(min=0.0)


def _checked(scale: Sequence[float], ndim: int, whose: str) -> tuple[float, ...]:
    values = tuple(float(s) for s in scale)
    if len(values) != ndim or any(not math.isfinite(v) or v <= 0 for v in values):
        raise InputError(
            f"The voxel size of the {whose} is {values}.",
            hint=f"Give {ndim} positive numbers, one an axis.",
        )
    return values
