"""Convolution by FFT, in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError


def as_array(image: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return ``image`` in double precision.

    Raises
    ------
    InputError
        If it is no array of finite real numbers with one axis or more, or is empty.
    """
    array = np.asarray(image)
    if array.dtype.kind not in "uifb" or array.ndim == 0 or array.size == 0:
        raise InputError(
            f"The {what} has the shape {array.shape} and holds {array.dtype} values.",
            hint="Give a real-valued image.",
        )
    values = array.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        raise InputError(f"The {what} holds NaN or infinite values.", hint="Replace them first.")
    return values


def as_psf(psf: ArrayLike, ndim: int) -> NDArray[np.float64]:
    """Return ``psf`` in double precision.

    Raises
    ------
    InputError
        If it is not finite, has not ``ndim`` axes, has an even side, or a sum that is not positive.
    """
    kernel = as_array(psf, "PSF")
    if kernel.ndim != ndim:
        raise InputError(
            f"The PSF has {kernel.ndim} axes and the image {ndim}.",
            hint="Give a 2D PSF for an image and a 3D PSF for a volume.",
        )
    if any(n % 2 == 0 for n in kernel.shape):
        raise InputError(
            f"The PSF has the shape {kernel.shape}; the published convolution needs odd sides.",
            hint="Pad or crop the PSF by one pixel so that its centre is the middle pixel.",
        )
    if not kernel.sum() > 0:
        raise InputError("The PSF does not sum to a positive number.", hint="Use another PSF.")
    return kernel


def same(image: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convolution with zeros beyond the border, of the shape of ``image``."""
    from scipy.signal import fftconvolve

    full = fftconvolve(image, kernel, mode="full")
    inner = tuple(slice(n // 2, n // 2 + m) for n, m in zip(kernel.shape, image.shape, strict=True))
    return _exact_zeros(full[inner], image, kernel)


def valid(image: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convolution where no pixel beyond the border is needed."""
    from scipy.signal import fftconvolve

    full = fftconvolve(image, kernel, mode="full")
    inner = tuple(slice(n - 1, m) for n, m in zip(kernel.shape, image.shape, strict=True))
    return _exact_zeros(full[inner], image, kernel)


def _exact_zeros(
    result: NDArray[np.float64], image: NDArray[np.float64], kernel: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Light cannot be negative; the rounding of the FFT can.
    if image.min() >= 0 and kernel.min() >= 0:
        result = np.maximum(result, 0.0)
    return result
