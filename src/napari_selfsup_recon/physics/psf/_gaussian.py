"""Gaussian point spread functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._finding import Kernel

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
LARGEST = 2**24  # voxels; a larger Gaussian is a wrong unit


def gaussian(
    fwhm: float | Sequence[float],
    scale: float | Sequence[float] = 1.0,
    *,
    ndim: int | None = None,
    truncate: float = 4.0,
) -> Kernel:
    r"""Return a Gaussian PSF, integrated over the voxels.

    Along each axis, with :math:`\sigma = \text{fwhm} / (2 \sqrt{2 \ln 2})` and voxel size a,

    .. math:: h_k \propto \Phi\left(\tfrac{(k + 1/2) a}{\sigma}\right)
              - \Phi\left(\tfrac{(k - 1/2) a}{\sigma}\right).

    The integral, and not a sample at the voxel's centre, is what a camera records, and stays right
    where the blur is smaller than a voxel.

    Parameters
    ----------
    fwhm
        Full width at half maximum in physical units, one value or one an axis (z, y, x). 0 is no
        blur along that axis.
    scale
        Voxel size in the same units, one value or one an axis.
    ndim
        Number of axes; by default that of ``fwhm`` or ``scale``, else 2.
    truncate
        Half width of the array in standard deviations.

    Returns
    -------
    array
        float64, odd sides, centre in the middle voxel, sum 1.

    Raises
    ------
    InputError
        If a width is negative, a voxel size is not positive, their numbers differ, or the PSF would
        be larger than 16 million voxels.
    """
    lengths = {len(v) for v in (fwhm, scale) if isinstance(v, Sequence | np.ndarray)}
    axes = ndim or (max(lengths) if lengths else 2)
    if lengths - {axes}:
        raise InputError(
            f"The FWHM is {fwhm}, the voxel size {scale}, for {axes} axes.",
            hint="Give one value, or one for each axis.",
        )
    widths = np.broadcast_to(np.asarray(fwhm, dtype=np.float64), axes)
    steps = np.broadcast_to(np.asarray(scale, dtype=np.float64), axes)
    if not np.isfinite(widths).all() or widths.min() < 0:
        raise InputError(f"The FWHM is {fwhm}.", hint="Give widths of 0 or more.")
    if not np.isfinite(steps).all() or steps.min() <= 0:
        raise InputError(f"The voxel size is {scale}.", hint="Give positive numbers.")
    if not truncate > 0:
        raise InputError(f"The Gaussian is cut at {truncate} sigma.", hint="Give a value above 0.")
    sigmas = widths / FWHM_PER_SIGMA / steps
    halves = np.ceil(np.minimum(truncate * sigmas - 0.5, LARGEST)).clip(0).astype(int)
    if math.prod(int(2 * h + 1) for h in halves) > LARGEST:
        raise InputError(
            f"A Gaussian of FWHM {fwhm} with voxels of {scale} would be "
            f"{' x '.join(str(2 * h + 1) for h in halves)} voxels large.",
            hint="Check the units of the FWHM and of the voxel size.",
        )
    psf: Kernel = np.ones((1,) * axes)
    for axis, (sigma, half) in enumerate(zip(sigmas, halves, strict=True)):
        profile = _profile(float(sigma), int(half))
        psf = psf * profile.reshape([-1 if a == axis else 1 for a in range(axes)])
    psf /= psf.sum()
    return psf


def _profile(sigma: float, half: int) -> Kernel:
    if half == 0:
        return np.ones(1)
    # Differences of erfc of positive arguments keep the far tails exact.
    edges = (np.arange(half + 1) + 0.5) / (sigma * math.sqrt(2.0))
    tails = np.array([math.erfc(edge) for edge in edges])
    side = (tails[:-1] - tails[1:]) / 2
    return np.concatenate([side[::-1], [1.0 - tails[0]], side])
