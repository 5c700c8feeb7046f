"""PSFs for stacks whose planes slide sideways: a stage that moves at an angle to the sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel, in_words
from napari_selfsup_recon.physics.psf._resample import LARGEST, resample

Lateral = Literal["y", "x"]


def shear(psf: ArrayLike, shift: float, axis: Lateral = "x") -> Kernel:
    """Return the PSF with each plane moved sideways against the one before.

    The plane ``n // 2`` stays where it is. The array grows along ``axis``, so that nothing is lost;
    between pixels the planes are interpolated with quintic splines.

    Parameters
    ----------
    psf
        (z, y, x), centre at ``n // 2``.
    shift
        In pixels a plane; positive moves later planes to larger indices.
    axis
        Along which the planes move.

    Returns
    -------
    array
        float64, odd along ``axis``, with the centre at ``n // 2`` and the sum of ``psf``.

    Raises
    ------
    InputError
        If the PSF has no three axes, the axis is none of them, or the result would be unreasonably
        large.
    """
    from scipy import ndimage

    kernel = as_kernel(psf)
    if kernel.ndim != 3 or axis not in ("y", "x"):
        raise InputError(
            f"A PSF with {kernel.ndim} axes cannot be sheared along {axis!r}.",
            hint="Give a PSF (z, y, x), and y or x.",
        )
    along = "zyx".index(axis)
    planes, n = kernel.shape[0], kernel.shape[along]
    reach = abs(float(shift)) * (planes // 2)
    half = math.ceil(reach + n // 2) if math.isfinite(reach) and reach < LARGEST else LARGEST
    if (2 * half + 1) * kernel.size / n > LARGEST:
        raise InputError(
            f"Sheared by {shift:g} pixels a plane, the PSF would be too large to use.",
            hint="Check the shift: it is in pixels of the image a plane.",
        )
    widths = [(0, 0)] * 3
    widths[along] = (half - n // 2, half - (n - 1 - n // 2))
    sheared: Kernel = np.pad(kernel, widths)
    for plane in range(planes):
        offset = [0.0, 0.0]
        offset[along - 1] = shift * (plane - planes // 2)
        if offset != [0.0, 0.0]:
            moved = ndimage.shift(sheared[plane], offset, order=5, mode="constant")
            sheared[plane] = moved if kernel.min() < 0 else moved.clip(min=0.0)
    total = sheared.sum()
    return sheared * (kernel.sum() / total) if total > 0 < kernel.sum() else sheared


def to_sheared_grid(
    psf: ArrayLike,
    psf_scale: Sequence[float],
    *,
    plane_spacing: float,
    shift: float,
    axis: Lateral = "x",
    pixel: Sequence[float] | None = None,
) -> tuple[Kernel, Finding]:
    r"""Return a PSF that was recorded on a straight grid as it looks in a sheared stack.

    Light-sheet microscopes that move the stage at an angle :math:`\vartheta` to the sheet by s
    between planes record planes that are :math:`s \sin\vartheta` apart and slide by
    :math:`s \cos\vartheta`. Such a stack is best deconvolved as it is: bringing it to a straight
    grid beforehand interpolates, and makes the noise of neighbours alike.

    Parameters
    ----------
    psf
        (z, y, x) with its centre at ``n // 2``, without background: prepare it first.
    psf_scale
        Its voxel size.
    plane_spacing
        Distance of the planes of the stack, perpendicular to them, in the same unit.
    shift
        By how many of its pixels a resting point moves from one plane of the stack to the next.
    axis
        Along which it moves.
    pixel
        Pixel size (y, x) of the stack; None: that of the PSF.

    Returns
    -------
    tuple
        The PSF, with the sum it had, and what was done.

    Raises
    ------
    InputError
        If a size is not positive, or the PSF has no three axes.
    """
    kernel = as_kernel(psf)
    scale = tuple(float(s) for s in psf_scale)
    lateral = scale[1:] if pixel is None else tuple(float(p) for p in pixel)
    sizes = (*scale, *lateral, float(plane_spacing))
    if kernel.ndim != 3 or len(sizes) != 6 or any(not math.isfinite(s) or s <= 0 for s in sizes):
        raise InputError(
            f"A PSF with {kernel.ndim} axes and voxels of {scale} cannot be brought to planes "
            f"{plane_spacing} apart with pixels of {lateral}.",
            hint="Give a PSF (z, y, x), its voxel size (z, y, x), and positive sizes.",
        )
    flat, _ = resample(kernel, scale, (scale[0], *lateral))
    sheared = shear(_planes_at(flat, float(plane_spacing) / scale[0]), shift, axis)
    sheared *= kernel.sum() / sheared.sum() if sheared.sum() > 0 else 1.0
    return sheared, Finding(
        "voxel size",
        f"The PSF was brought from voxels of {in_words(scale)} to planes {plane_spacing:.3g} apart "
        f"that slide by {shift:.3g} pixels along {axis} ({in_words(sheared.shape)} voxels).",
        "repaired",
    )


def _planes_at(kernel: Kernel, step: float) -> Kernel:
    """Return the planes at multiples of ``step`` planes from the middle, by cubic splines."""
    from scipy.interpolate import make_interp_spline

    n, margin = kernel.shape[0], 3  # dark planes beyond let the spline fall to zero
    padded = np.pad(kernel, ((margin, margin), (0, 0), (0, 0)))
    spline = make_interp_spline(np.arange(-margin, n + margin) - n // 2, padded, k=3, axis=0)
    half = math.floor((n // 2) / step)
    planes: Kernel = np.asarray(spline(step * np.arange(-half, half + 1)))
    return planes if kernel.min() < 0 else planes.clip(min=0.0)
