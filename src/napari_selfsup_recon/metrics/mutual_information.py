"""Normalised mutual information of two images and of their spectra, as SSI publishes them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import Image, as_pair


def mutual_information(truth: ArrayLike, test: ArrayLike, *, bins: int = 256) -> float:
    """Return the mutual information over the joint entropy, in [0, 1]; 1 for identical images.

    From the joint histogram p of both images (Kobayashi et al. 2020, arXiv 2006.06156)::

        I = sum p log2( p / (p_a p_b) ),    H = -sum p log2 p,    MI = I / H

    Parameters
    ----------
    truth, test
        Real-valued images of one shape, any number of axes.
    bins
        Equal bins for each image between its own minimum and maximum.

    Raises
    ------
    InputError
        If the images differ in shape, are empty or not finite, or are both constant.
    """
    a, b = as_pair(truth, test)
    return _normalised(a.ravel(), b.ravel(), bins)


def spectral_mutual_information(
    truth: ArrayLike,
    test: ArrayLike,
    *,
    bins: int = 256,
    axes: tuple[int, ...] = (0, 1),
) -> float:
    """Return :func:`mutual_information` of the cosine spectra of two images.

    Each image is divided by its Euclidean norm and goes through the unnormalised type-II discrete
    cosine transform along ``axes``; the signed coefficients are compared, the mean included.

    Compare, but do not choose by it: the mean stretches the bins so far that nearly all
    coefficients share one of them, and an offset of 0.001 can change the figure fivefold.

    Parameters
    ----------
    truth, test
        Real-valued images of one shape with two axes or more.
    bins
        Equal bins for each spectrum between its own minimum and maximum.
    axes
        Axes that are transformed. The published figures transform the first two, of volumes too.

    Raises
    ------
    InputError
        If the images differ in shape, are empty or not finite, have no such axes, or have no
        contrast at all.
    """
    a, b = as_pair(truth, test)
    if any(not -a.ndim <= axis < a.ndim for axis in axes) or not axes:
        raise InputError(
            f"Images of the shape {a.shape} have no axes {axes} to transform.",
            hint="Give images with two axes or more, or name other axes.",
        )

    from scipy import fft  # slow to import, so only where it is used

    def spectrum(image: Image) -> Image:
        norm = float(np.linalg.norm(image))
        coefficients: Image = fft.dctn(image / (norm or 1.0), type=2, axes=axes)
        return coefficients.ravel()

    return _normalised(spectrum(a), spectrum(b), bins)


def _normalised(a: Image, b: Image, bins: int) -> float:
    if bins < 2:
        raise InputError(
            f"{bins} bins carry no information.", hint="Use 2 bins or more; 256 is usual."
        )
    joint = _histogram(a, b, bins)
    together = _entropy(joint.ravel())
    if together == 0:
        raise InputError(
            "Both images are constant, so neither tells anything about the other.",
            hint="Compare images with contrast.",
        )
    shared = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0)) - together
    return max(0.0, shared) / together


def _histogram(a: Image, b: Image, bins: int) -> NDArray[np.float64]:
    counts, _, _ = np.histogram2d(a, b, bins=bins)
    return np.asarray(counts, dtype=np.float64)


def _entropy(counts: NDArray[np.float64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return max(0.0, -math.fsum(p * np.log2(p)))
