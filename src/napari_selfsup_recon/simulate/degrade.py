"""The degradation of the published SSI demo and benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate._convolve import as_array, as_psf, same

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Degraded:
    """A truth in [0, 1] and what became of it; float32 arrays of one shape."""

    truth: FloatImage
    blurred: FloatImage
    noisy: FloatImage


def rescale(image: ArrayLike) -> FloatImage:
    """Return ``image`` scaled linearly so that it spans [0, 1].

    Raises
    ------
    InputError
        If it is not real-valued and finite, or constant.
    """
    values = as_array(image, "image").astype(np.float32)
    low, high = values.min(), values.max()
    if low == high:
        raise InputError(
            f"The image is constant (every pixel is {float(low):g}).",
            hint="Choose an image with contrast.",
        )
    scaled: FloatImage = (values - low) / (high - low)
    return scaled


def degrade(
    image: ArrayLike,
    psf: ArrayLike,
    *,
    seed: int = 0,
    alpha: float = 0.001,
    sigma: float = 0.1,
    impulses: float = 0.01,
    levels: int = 1024,
) -> Degraded:
    """Blur and spoil ``image`` as the published SSI figures do (arXiv 2006.06156, its code).

    With x the image scaled to [0, 1] and n, s, u drawn in this order over the whole image::

        b = psf * x                               zeros beyond the border
        y = b + sqrt(alpha b + sigma**2) n        n normal
        y = u where s                             s true with probability ``impulses``, u uniform
        y = clip(round(levels y) / levels, 0, 1)

    The draws come from NumPy's legacy generator with its own state, since that stream is part of
    the published figures; the global generator is neither read nor moved.

    Parameters
    ----------
    image
        Image or volume of any real type; it is not changed.
    psf
        Same number of axes, odd sides, used as it is (not normalised).
    seed
        Of the noise; the published figures use 0.
    alpha
        Variance per unit of intensity (photon noise).
    sigma
        Standard deviation of the noise in the dark.
    impulses
        Share of the pixels that are replaced by a uniform random value.
    levels
        Steps per unit of intensity that the camera resolves.

    Raises
    ------
    InputError
        If image or PSF are not finite and real-valued or do not fit each other, the image is
        constant, or a noise parameter is out of its range.
    """
    if not (alpha >= 0 and sigma >= 0 and 0 <= impulses <= 1 and levels >= 1):
        raise InputError(
            f"The noise (alpha {alpha}, sigma {sigma}, impulses {impulses}, levels {levels}) is "
            "impossible.",
            hint="alpha and sigma must not be negative, impulses must lie in [0, 1], and levels "
            "must be 1 or more.",
        )
    truth = rescale(image)
    kernel = as_psf(psf, truth.ndim)
    blurred = same(truth.astype(np.float64), kernel).astype(np.float32)
    b = blurred.astype(np.float64)

    generator = np.random.RandomState(seed)
    normal = generator.normal(size=b.shape)
    struck = generator.uniform(size=b.shape) < impulses
    uniform = generator.uniform(size=b.shape)

    # A PSF with negative lobes may push the intensity, and with it the variance, below zero.
    noisy = b + np.sqrt(np.maximum(alpha * b + sigma**2, 0.0)) * normal
    noisy = np.where(struck, uniform, noisy)
    noisy = np.clip(np.round(levels * noisy) / levels, 0.0, 1.0)
    return Degraded(truth, blurred, noisy.astype(np.float32))
