"""The light of a point source around the focus, as a function of radius and defocus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.physics.psf.microscope import Microscope

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES = 24  # of each panel of the quadrature
_TURN = 30.0  # radians of phase that one panel may span
_BLOCK = 2**21  # values of a Bessel function held at once


def intensity(microscope: Microscope, wavelength: float, r: Real, z: Real) -> Real:
    r"""Return the intensity at radius r and defocus z, an array (z, r).

    With the angle :math:`\theta` in the immersion, :math:`k = 2\pi/\lambda` and
    :math:`\sin\alpha = \mathrm{NA}/n`, the scalar model is the Debye integral

    .. math:: \Big| \int_0^\alpha J_0(k r n \sin\theta)\, e^{i k z n \cos\theta}
              \sin\theta \cos\theta \, d\theta \Big|^2,

    and the vectorial one (Richards and Wolf 1959), averaged over polarisations,
    :math:`|I_0|^2 + 2 |I_1|^2 + |I_2|^2` with

    .. math:: I_m = \int_0^\alpha f_m(\theta)\, J_m(k r n \sin\theta)\, e^{i k z n \cos\theta}
              \sin\theta \sqrt{\cos\theta} \, d\theta, \quad
              f = (1 + \cos\theta,\ \sin\theta,\ 1 - \cos\theta).

    It holds for the focus of an unpolarised beam as well as for the image of molecules that point
    in all directions. Where the sample has another index, the phase of Gibson and Lanni (1991) and,
    in the vectorial model, the transmission of the interface (Török and Varga 1997) are added;
    rays beyond the critical angle are evanescent in the sample.

    Parameters
    ----------
    microscope
        Its aperture, indices, depth and model.
    wavelength
        In micrometers.
    r
        Radii in micrometers.
    z
        How much deeper than in focus the objective is focused, in micrometers.
    """
    best = _best_focus(microscope, wavelength)
    parts = amplitudes(microscope, wavelength, r, z + best)
    total: Real = np.zeros((z.size, r.size))
    for weight, part in zip((1.0, 2.0, 1.0), parts, strict=False):
        total += weight * (part.real**2 + part.imag**2)
    return total


def amplitudes(microscope: Microscope, wavelength: float, r: Real, z: Real) -> tuple[Complex, ...]:
    """Return the integrals of :func:`intensity` as arrays (z, r): one (scalar) or I0, I1, I2."""
    theta, weight = _quadrature(microscope, wavelength, float(np.max(r)), z)
    k = 2 * np.pi / wavelength
    sine, cosine = np.sin(theta), np.cos(theta)
    factors = _pupil(microscope, sine, cosine)
    phase = np.exp(1j * k * _path(microscope, sine, cosine, z))
    parts = tuple(np.empty((z.size, r.size), dtype=np.complex128) for _ in factors)
    step = max(1, _BLOCK // theta.size)
    for start in range(0, r.size, step):
        block = slice(start, start + step)
        argument = k * microscope.immersion_index * np.outer(sine, r[block])
        for part, factor, bessel in zip(
            parts, factors, _bessel(argument, len(factors)), strict=True
        ):
            part[:, block] = (phase * (factor * weight)) @ bessel
    return parts


def _quadrature(microscope: Microscope, wavelength: float, r: float, z: Real) -> tuple[Real, Real]:
    """Return angles and weights: panels of Gauss-Legendre nodes, each of about the same phase."""
    n, aperture = microscope.immersion_index, microscope.numerical_aperture
    widest = float(np.arcsin(aperture / n))
    critical = float(np.arcsin(min(1.0, (microscope.sample_index or n) / n)))
    if critical >= widest:
        return _panels(microscope, wavelength, r, z, 0.0, widest, lambda s: (s, np.ones_like(s)))
    # The refracted cosine is a square root at the critical angle; in s it is smooth.
    below = _panels(
        microscope, wavelength, r, z, 0.0, critical**0.5, lambda s: (critical - s**2, 2 * s)
    )
    above = _panels(
        microscope,
        wavelength,
        r,
        z,
        0.0,
        (widest - critical) ** 0.5,
        lambda s: (critical + s**2, 2 * s),
    )
    return np.concatenate([below[0], above[0]]), np.concatenate([below[1], above[1]])


def _panels(
    microscope: Microscope,
    wavelength: float,
    r: float,
    z: Real,
    start: float,
    stop: float,
    angle: Callable[[Real], tuple[Real, Real]],
) -> tuple[Real, Real]:
    """Return nodes and weights for ``angle(s)``, s from ``start`` to ``stop``."""
    trial = np.linspace(start, stop, 400)
    theta = angle(trial)[0]
    sine, cosine = np.sin(theta), np.cos(theta)
    path = _path(microscope, sine, cosine, np.array([z.min(), z.max()]))
    steps = np.abs(np.diff(path, axis=1)).max(axis=0)
    steps += r * microscope.immersion_index * np.abs(np.diff(sine))
    # A share of evenly spaced phase keeps panels short where the phase stands still.
    steps = 2 * np.pi / wavelength * steps
    steps += (steps.sum() / 4 + 1.0) / steps.size
    turns = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(np.ceil(turns[-1] / _TURN))
    edges = np.interp(np.linspace(0.0, turns[-1], count + 1), turns, trial)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges) / 2
    s = (edges[:-1, None] + half[:, None] * (nodes + 1)).ravel()
    theta, slope = angle(s)
    return theta, (half[:, None] * weights).ravel() * slope


def _sample_cosine(microscope: Microscope, sine: Real, cosine: Real) -> Any:
    """Return the cosine of the refracted angle; beyond the critical angle it is imaginary."""
    if not microscope.mismatched or microscope.sample_index is None:
        return cosine
    refracted = microscope.immersion_index / microscope.sample_index * sine
    return np.sqrt(1 - refracted.astype(np.complex128) ** 2)


def _path(microscope: Microscope, sine: Real, cosine: Real, z: Real) -> Any:
    """Return the optical path as an array (z, angle).

    The sample's ``depth`` is crossed at its own angle; the objective is brought nearer by so much
    that the paraxial focus lies there, and by z.
    """
    n = microscope.immersion_index
    path = -np.outer(z, n * cosine)
    if not microscope.mismatched or microscope.sample_index is None:
        return path
    sample, depth = microscope.sample_index, microscope.depth
    inside = depth * sample * _sample_cosine(microscope, sine, cosine)
    return path + (inside - depth * n / sample * n * cosine)


def _pupil(microscope: Microscope, sine: Real, cosine: Real) -> tuple[Any, ...]:
    if microscope.model == "scalar":
        return (sine * cosine,)
    n, sample = microscope.immersion_index, microscope.sample_index or microscope.immersion_index
    other = _sample_cosine(microscope, sine, cosine)
    across = 2 * n * cosine / (n * cosine + sample * other)
    along = 2 * n * cosine / (sample * cosine + n * other)
    common = sine * np.sqrt(cosine)
    return (
        common * (across + along * other),
        common * along * (n / sample) * sine,
        common * (across - along * other),
    )


def _bessel(x: Real, count: int) -> tuple[Real, ...]:
    from scipy.special import j0, j1

    zeroth: Real = j0(x)
    if count == 1:
        return (zeroth,)
    first: Real = j1(x)
    small = x < 1e-3  # the recurrence cancels there
    second = 2 * first / np.where(small, 1.0, x) - zeroth
    return zeroth, first, np.where(small, x**2 / 8, second)


def _best_focus(microscope: Microscope, wavelength: float) -> float:
    """Return where the axis is brightest: with other indices, not at the paraxial focus."""
    if not microscope.mismatched or not microscope.depth:
        return 0.0
    n, aperture = microscope.immersion_index, microscope.numerical_aperture
    length = wavelength / (n - float(np.sqrt(n**2 - aperture**2)))
    # Each ray has a focus of its own, where the path changes least with its angle.
    sine = np.linspace(0.02, 0.98, 200) * min(aperture, microscope.sample_index or n) / n
    cosine = np.sqrt(1 - sine**2)
    path = np.real(_path(microscope, sine, cosine, np.zeros(1))[0])
    foci = np.gradient(path, n * cosine)
    low, high, step = foci.min() - 2 * length, foci.max() + 2 * length, length / 8
    axis, centre = np.zeros(1), 0.0
    while step > length / 2000:
        candidates = np.arange(low, high + step, step)
        light = np.concatenate(
            [
                np.abs(amplitudes(microscope, wavelength, axis, part)[0][:, 0])
                for part in np.array_split(candidates, candidates.size // 64 + 1)
            ]
        )
        centre = float(candidates[int(np.argmax(light))])
        low, high, step = centre - step, centre + step, step / 8
    return centre
