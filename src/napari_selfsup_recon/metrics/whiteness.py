"""Whether a residual is white: no structure of the measurement left in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import Image, as_image

_FEWEST = 64  # pixels below which sums are not near enough to normal


@dataclass(frozen=True)
class Whiteness:
    """How a residual compares with white noise of the same size."""

    ratio: float
    """Energy of the autocorrelation away from lag 0 over what white noise has; 1 if white. It grows
    with the number of pixels, since more of them see fainter structure."""
    score: float
    """The same in standard deviations from what white noise has; 0 if white."""
    p_value: float
    """Probability that white noise is as structured as this, all lags taken together."""
    correlation: float
    """Root mean square coefficient of correlation between a pixel and its neighbours within reach,
    beyond what chance gives; 0 if white, whatever the size of the image."""
    lags: int
    """Lags that were looked at, each with its mirror image."""
    level: float
    """Root mean square of the residual over ``sigma`` (1 where the model explains the measurement
    down to its noise); in grey values where ``sigma`` was not given."""

    def is_white(self, level: float = 0.05) -> bool:
        """Return whether whiteness is not rejected at this level of significance."""
        return self.p_value >= level


def residual_whiteness(
    residual: ArrayLike,
    *,
    sigma: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    reach: int | Sequence[int] = 5,
) -> Whiteness:
    """Return how far the residual of a reconstruction is from white noise.

    With z the residual over ``sigma`` less its mean (zero outside the mask), and the lags d up to
    ``reach`` along each axis without their mirror images::

        Q = sum_d ( sum_i z_i z_{i+d} )^2 / sum_i z_i^2 z_{i+d}^2

    For independent noise each term is the square of a number that is nearly standard normal, also
    where the noise level changes over the image (the denominator is the variance of the sum, as in
    tests that are robust to heteroscedasticity), so Q follows chi-squared with as many degrees of
    freedom as there are lags, K. Returned are Q / K, (Q - K) / sqrt(2 K), and the probability of a
    larger Q; many lags are thus accounted for.

    A method that fitted the measurement has taken some of its noise, and a good fit of many
    unknowns leaves a residual that is slightly *anti*-correlated: a large score says that something
    is wrong, either structure that was left or noise that was fitted, and not which.

    Parameters
    ----------
    residual
        ``y - A(x)``, any number of axes; values outside the mask may be anything.
    sigma
        Standard deviation of the noise, one number or one a pixel. Not needed for the noise to vary
        over the image, but the test sees more with it.
    mask
        True where the residual counts: without saturated and repaired pixels, or on held-out ones.
    reach
        Longest lag in pixels, one number or one an axis; at most a quarter of the axis is used.

    Raises
    ------
    InputError
        If shapes differ, values are not finite, ``sigma`` is not positive, the residual is
        constant, or fewer than 64 pixels are left.
    """
    inside = _mask(residual, mask)
    raw = np.where(inside, residual, 0) if inside is not None else residual
    values = as_image(raw, "residual")
    z = values / _sigma(sigma, values.shape, inside)
    count = values.size if inside is None else int(np.count_nonzero(inside))
    if count < _FEWEST:
        raise InputError(
            f"The residual has {count} pixels that count; {_FEWEST} are needed.",
            hint="Use a larger image, or mask fewer pixels.",
        )
    level = math.sqrt(float((z * z).sum()) / count)
    z = z - float(z.sum()) / count
    if inside is not None:
        z *= inside
    spread = math.sqrt(float((z * z).sum()) / count)
    if spread <= 1e-12 * max(level, float(np.abs(z).max())) or spread == 0:
        raise InputError(
            "The residual is constant, so it holds no noise.", hint="Check what was subtracted."
        )
    z /= spread
    lags = _lags(z.shape, reach)
    sums, variances = _autocorrelation(z, lags), _autocorrelation(z * z, lags)
    # A lag needs pairs enough for their sum to be nearly normal.
    seen = variances > 1e-6 * count
    q, k = float((sums[seen] ** 2 / variances[seen]).sum()), int(np.count_nonzero(seen))
    if k == 0:
        raise InputError(
            f"No two pixels of the residual {values.shape} are near enough to be compared.",
            hint="Use a larger image, a longer reach, or mask fewer pixels.",
        )

    from scipy.special import gammaincc  # slow to import, so only where it is used

    return Whiteness(
        ratio=q / k,
        score=(q - k) / math.sqrt(2 * k),
        p_value=float(gammaincc(k / 2, q / 2)),
        correlation=math.sqrt(max(0.0, q / k - 1) / count),
        lags=k,
        level=level,
    )


def _mask(residual: ArrayLike, mask: ArrayLike | None) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    inside = np.asarray(mask)
    if inside.dtype.kind != "b" or inside.shape != np.shape(residual):
        raise InputError(
            f"A mask of {inside.dtype} values of the shape {inside.shape} does not fit a residual "
            f"of the shape {np.shape(residual)}.",
            hint="Give true and false, one for each pixel.",
        )
    return inside


def _sigma(
    sigma: ArrayLike | None, shape: tuple[int, ...], inside: NDArray[np.bool_] | None
) -> Image | float:
    if sigma is None:
        return 1.0
    given = np.asarray(sigma)
    if given.ndim and given.shape != shape:
        raise InputError(
            f"A noise level of the shape {given.shape} does not fit a residual of the shape "
            f"{shape}.",
            hint="Give one number, or one for each pixel.",
        )
    if inside is not None and given.ndim:
        given = np.where(inside, given, 1)
    level = as_image(given, "noise level")
    if float(level.min()) <= 0:
        raise InputError(
            f"The noise level goes down to {float(level.min()):g}.",
            hint="Give standard deviations above 0.",
        )
    return level


def _lags(shape: tuple[int, ...], reach: int | Sequence[int]) -> NDArray[np.intp]:
    """Return one of each pair of opposite lags, ``(lags, axes)``."""
    try:
        wanted = np.broadcast_to(np.asarray(reach), len(shape))
    except ValueError:
        wanted = np.zeros(1)
    if wanted.dtype.kind not in "ui" or (wanted < 1).any():
        raise InputError(
            f"The reach {reach} does not fit a residual of {len(shape)} axes.",
            hint="Give a number of pixels, 1 or more, or one for each axis.",
        )
    far = [min(int(r), n // 4) for r, n in zip(wanted, shape, strict=True)]
    grid = np.meshgrid(*(np.arange(-r, r + 1) for r in far), indexing="ij")
    every = np.stack([g.ravel() for g in grid], axis=1)
    return np.asarray(every[len(every) // 2 + 1 :], dtype=np.intp)


def _autocorrelation(z: Image, lags: NDArray[np.intp]) -> Image:
    """Return ``sum_i z_i z_{i+d}`` for each lag, nothing wrapped around."""
    from scipy import fft

    far = np.abs(lags).max(axis=0, initial=0)
    padded = [fft.next_fast_len(int(n + r), real=True) for n, r in zip(z.shape, far, strict=True)]
    spectrum = fft.rfftn(z, s=padded)
    whole = fft.irfftn(spectrum.real**2 + spectrum.imag**2, s=padded)
    return np.asarray(whole[tuple(lags.T)], dtype=np.float64)
