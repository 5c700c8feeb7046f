"""The PSF of an ideal, index-matched microscope, plane by plane through the focus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError

_RHO_SAMPLES = 400


def defocus_psf(
    shape: tuple[int, int, int] = (17, 17, 17),
    *,
    numerical_aperture: float = 0.8,
    wavelength: float = 0.6,
    refractive_index: float = 1.33,
    magnification: float = 16.0,
    pixel: float = 0.406,
    step: float | None = None,
    focus_plane: float | None = None,
) -> NDArray[np.float64]:
    """Return the intensity of a point source in planes around the focus, with sum 1.

    The scalar Debye integral, which Gibson and Lanni's model becomes where all refractive indices
    match, with k = 2 pi / wavelength and NA' = NA M / sqrt(M**2 + NA**2)::

        A(r, z) = integral_0^1 J0(k NA' r rho) exp(i k z sqrt(n**2 - NA**2 rho**2)) rho d(rho)
        I(r, z) = |A|**2

    taken at multiples of half a pixel in r and interpolated linearly between them, as the PSF of
    the published SSI figures is.

    Parameters
    ----------
    shape
        Planes, rows and columns. The optical axis runs through the pixel ``(n - 1) / 2`` of rows
        and columns, so odd numbers put it in the middle of a pixel.
    numerical_aperture
        Of the objective, below ``refractive_index``.
    wavelength
        Of the emitted light, in micrometers.
    refractive_index
        Of immersion and sample.
    magnification
        Of the objective.
    pixel
        Side of a pixel in the sample, in micrometers.
    step
        Distance of the planes, in micrometers; ``pixel`` if not given.
    focus_plane
        Index, not necessarily whole, of the plane in focus; ``shape[0] // 2`` if not given, which
        is the centre that the operators of this package assume.

    Returns
    -------
    ndarray
        float64 of the given shape.

    Raises
    ------
    InputError
        If a length is not positive or the aperture is not below the refractive index.
    """
    spacing = pixel if step is None else step
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(
            f"A PSF of the shape {tuple(shape)} cannot be made.",
            hint="Give the numbers of planes, rows and columns, each at least 1.",
        )
    lengths = {
        "pixel": pixel,
        "step": spacing,
        "wavelength": wavelength,
        "magnification": magnification,
    }
    for name, value in lengths.items():
        if not value > 0:
            raise InputError(f"The {name} is {value}.", hint="Give a positive number.")
    if not 0 < numerical_aperture < refractive_index:
        raise InputError(
            f"A numerical aperture of {numerical_aperture} is impossible in a medium of refractive "
            f"index {refractive_index}.",
            hint="Give an aperture between 0 and the refractive index.",
        )
    planes, rows, columns = shape
    focus = planes // 2 if focus_plane is None else focus_plane
    radius = pixel * np.hypot(
        (np.arange(rows) - (rows - 1) / 2)[:, None], (np.arange(columns) - (columns - 1) / 2)[None]
    )
    count = int(np.ceil(2 * radius.max() / pixel)) + 2
    r = np.arange(count, dtype=np.float64) * (pixel / 2)
    z = (np.arange(planes, dtype=np.float64) - focus) * spacing
    profile = _radial(r, z, numerical_aperture, wavelength, refractive_index, magnification)
    psf = np.stack([np.interp(radius, r, intensity) for intensity in profile])
    return _normalised(psf)


def published_psf_3d() -> NDArray[np.float64]:
    """Return the 17 x 17 x 17 PSF of the published 3D demo.

    Its focus lies between the planes 7 and 8, half a plane off the centre of the array, and the 3D
    results published with it carry that shift.
    """
    return defocus_psf(focus_plane=7.5)


def published_psf_2d() -> NDArray[np.float64]:
    """Return the 17 x 17 PSF of the published 2D demo and benchmark.

    It is the first plane of :func:`published_psf_3d` over its sum: a ring, 3.045 um out of focus.
    """
    return _normalised(published_psf_3d()[0])


def _normalised(psf: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = psf / psf.sum()
    return unit


def _radial(
    r: NDArray[np.float64],
    z: NDArray[np.float64],
    aperture: float,
    wavelength: float,
    index: float,
    magnification: float,
) -> NDArray[np.float64]:
    """Return |A(r, z)|**2 as an array (z, r)."""
    from scipy.special import j0

    nodes, weights = np.polynomial.legendre.leggauss(_RHO_SAMPLES)
    rho, weight = (nodes + 1) / 2, weights / 2
    k = 2 * np.pi / wavelength
    behind = aperture * magnification / np.hypot(magnification, aperture)
    bessel = j0(k * behind * np.outer(rho, r))
    phase = np.exp(1j * k * np.outer(z, np.sqrt(index**2 - aperture**2 * rho**2)))
    amplitude = (phase * (weight * rho)) @ bessel
    intensity: NDArray[np.float64] = np.abs(amplitude) ** 2
    return intensity
