"""Noise that neighbours share: film, charging, streaks, grain.

Blind-spot methods cannot see such noise, since it can be predicted from the pixels around. Each
function takes an image ``(y, x)`` or a stack ``(z, y, x)``, whose planes get draws of their own,
and returns a float32 copy of the same shape; strengths are in units of the image's contrast (its
standard deviation), so that they mean the same for any grey values.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.simulate._convolve import as_array

FloatImage = NDArray[np.float32]
_Plane = NDArray[np.float64]


def correlated_noise(
    image: ArrayLike, *, strength: float = 0.3, grain: float = 1.5, seed: int = 0
) -> FloatImage:
    r"""Add stationary Gaussian noise that is smooth over a few pixels.

    .. math:: y = x + s\, c\, g_\ell,
              \qquad g_\ell = \frac{k_\ell * w}{\operatorname{std}(k_\ell * w)}

    with white noise w, a Gaussian :math:`k_\ell` of standard deviation :math:`\ell`, and the
    contrast c of the image. The correlation of two pixels at distance r is
    :math:`\exp(-r^2 / 4 \ell^2)`.

    Parameters
    ----------
    image
        Image or stack of any real type; it is not changed.
    strength
        s, standard deviation of the noise over the contrast.
    grain
        :math:`\ell`, pixels; 0 is white noise.
    seed
        Of the noise.

    Raises
    ------
    InputError
        If the image is not real-valued, finite and with contrast, or a number is out of range.
    """
    x, contrast = _checked(image, strength=strength, grain=grain)
    for plane, random in _planes(x, "correlated", seed):
        plane += strength * contrast * _field(plane.shape, grain, random)
    return x.astype(np.float32)


def film_noise(
    image: ArrayLike,
    *,
    strength: float = 0.5,
    grain: float = 6.0,
    speckle: float = 0.3,
    seed: int = 0,
) -> FloatImage:
    r"""Add the texture of a supporting film: mid-frequency mottle and fine speckle.

    .. math:: y = x + s\, c \left( \sqrt{1 - q}\; \frac{g_\ell - g_{3 \ell}}
              {\operatorname{std}(g_\ell - g_{3 \ell})} + \sqrt{q}\; g_{0.7} \right)

    with :math:`g_\ell` as in :func:`correlated_noise`, both of the same white noise.

    Parameters
    ----------
    image
        Image or stack of any real type; it is not changed.
    strength
        s, standard deviation of the noise over the contrast.
    grain
        :math:`\ell`, size of the mottle in pixels.
    speckle
        q, share of the variance that is fine.
    seed
        Of the noise.

    Raises
    ------
    InputError
        If the image is not real-valued, finite and with contrast, or a number is out of range.
    """
    x, contrast = _checked(image, strength=strength, grain=grain, speckle=speckle)
    for plane, random in _planes(x, "film", seed):
        white = random.standard_normal(plane.shape)
        mottle = _unit(_smooth(white, grain) - _smooth(white, 3 * grain))
        fine = _field(plane.shape, 0.7, random)
        plane += strength * contrast * (np.sqrt(1 - speckle) * mottle + np.sqrt(speckle) * fine)
    return x.astype(np.float32)


def charge_noise(
    image: ArrayLike,
    *,
    strength: float = 0.25,
    grain: float = 24.0,
    tail: float = 30.0,
    streaks: float = 0.15,
    seed: int = 0,
) -> FloatImage:
    r"""Multiply by the gain of a charging specimen: smooth, with tails along the scan lines.

    .. math:: y = m + (x - m) \exp(s\, v), \qquad
              v = \sqrt{1 - q}\, g_\ell + \sqrt{q}\, h, \qquad
              h_{r,c} = \sum_{c' \le c} e^{-(c - c') / \tau}\, n_{r,c'}

    where m is the smallest grey value, :math:`g_\ell` as in :func:`correlated_noise`, n are rare
    discharges (one a line on average, of either sign), each of which decays along its scan line,
    and h has unit variance.

    Parameters
    ----------
    image
        Image or stack of any real type, scanned along its last axis; it is not changed.
    strength
        s, standard deviation of the logarithm of the gain.
    grain
        :math:`\ell`, size of the charged areas in pixels.
    tail
        :math:`\tau`, length of the tails in pixels.
    streaks
        q, share of the variance in tails.
    seed
        Of the noise.

    Raises
    ------
    InputError
        If the image is not real-valued, finite and with contrast, or a number is out of range.
    """
    x, _ = _checked(image, strength=strength, grain=grain, speckle=streaks)
    if not (np.isfinite(tail) and tail > 0):
        raise InputError(f"Tails of {tail:g} pixels are impossible.", hint="Give a length above 0.")
    from scipy.signal import lfilter

    lowest = x.min()
    for plane, random in _planes(x, "charge", seed):
        struck = random.random(plane.shape) < 1 / plane.shape[1]
        lines = struck * random.standard_normal(plane.shape)
        lines = lfilter([1.0], [1.0, -np.exp(-1 / tail)], lines, axis=1)
        gain = np.sqrt(1 - streaks) * _field(plane.shape, grain, random)
        gain += np.sqrt(streaks) * _unit(lines)
        plane -= lowest
        plane *= np.exp(strength * gain)
        plane += lowest
    return x.astype(np.float32)


def streak_noise(
    image: ArrayLike, *, strength: float = 0.3, number: int = 60, width: float = 0.8, seed: int = 0
) -> FloatImage:
    r"""Add straight streaks across the image, as starved rays leave them in CT.

    .. math:: y = x + s\, c\, \frac{t}{\operatorname{std}(t)}, \qquad
              t(p) = \sum_k a_k \exp\left( -\frac{(p \cdot u_k - d_k)^2}{2 w^2} \right)

    with normal amplitudes :math:`a_k`, directions :math:`u_k` and distances :math:`d_k` uniform
    over half a turn and over the diagonal of the image.

    Parameters
    ----------
    image
        Image or stack of any real type; it is not changed.
    strength
        s, standard deviation of the noise over the contrast.
    number
        Streaks a plane.
    width
        w, standard deviation across a streak in pixels.
    seed
        Of the noise.

    Raises
    ------
    InputError
        If the image is not real-valued, finite and with contrast, or a number is out of range.
    """
    x, contrast = _checked(image, strength=strength, grain=width)
    if number < 1 or width <= 0:
        raise InputError(
            f"{number} streaks of width {width:g} are impossible.",
            hint="Give at least one streak and a width above 0.",
        )
    for plane, random in _planes(x, "streaks", seed):
        rows, columns = np.indices(plane.shape, dtype=float)
        rows -= (plane.shape[0] - 1) / 2
        columns -= (plane.shape[1] - 1) / 2
        reach = np.hypot(*plane.shape) / 2
        total = np.zeros(plane.shape)
        for angle, place, height in zip(
            random.uniform(0, np.pi, number),
            random.uniform(-reach, reach, number),
            random.standard_normal(number),
            strict=True,
        ):
            across = columns * np.cos(angle) + rows * np.sin(angle) - place
            total += height * np.exp(-(across**2) / (2 * width**2))
        plane += strength * contrast * _unit(total)
    return x.astype(np.float32)


def _checked(
    image: ArrayLike, *, strength: float, grain: float, speckle: float = 0.0
) -> tuple[NDArray[np.float64], float]:
    """Return a float64 copy and its contrast."""
    x = np.array(as_array(image, "image"), dtype=np.float64)
    if x.ndim not in (2, 3):
        raise InputError(
            f"An image or a stack of images is expected, not an array of shape {x.shape}.",
            hint="Give (y, x) or (z, y, x).",
        )
    if not (strength >= 0 and np.isfinite(strength)):
        raise InputError(f"The strength {strength:g} is impossible.", hint="Give 0 or more.")
    if not (grain >= 0 and np.isfinite(grain)):
        raise InputError(f"The size {grain:g} is impossible.", hint="Give 0 pixels or more.")
    if not 0 <= speckle <= 1:
        raise InputError(f"The share {speckle:g} is impossible.", hint="Give 0 to 1.")
    contrast = float(x.std())
    if not contrast > 0:
        raise InputError("The image is constant.", hint="Choose an image with contrast.")
    return x, contrast


def _planes(
    x: NDArray[np.float64], kind: str, seed: int
) -> Iterator[tuple[_Plane, np.random.Generator]]:
    """Yield views of the planes, each with a generator of its own."""
    for index, plane in enumerate(x if x.ndim == 3 else x[None]):
        yield plane, numpy_generator("structured", kind, seed, index)


def _field(shape: tuple[int, ...], grain: float, random: np.random.Generator) -> _Plane:
    return _unit(_smooth(random.standard_normal(shape), grain))


def _smooth(white: _Plane, grain: float) -> _Plane:
    from scipy.ndimage import gaussian_filter

    smooth: _Plane = gaussian_filter(white, grain, mode="wrap") if grain else white
    return smooth


def _unit(field: _Plane) -> _Plane:
    """Return the field with mean 0 and variance 1; a constant one as zeros."""
    field = field - field.mean()
    spread = field.std()
    return field / spread if spread > 0 else field
