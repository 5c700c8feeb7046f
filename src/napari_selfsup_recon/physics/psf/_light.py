"""What each kind of microscope makes of the light around its focus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_selfsup_recon.physics.psf._debye import Real, intensity
from napari_selfsup_recon.physics.psf.microscope import Microscope

NM = 1e-3  # micrometers
_FINER = 4  # rings to a radial step, for the pinhole
_BLOCK = 2**21  # values of a matrix held at once


def airy_unit(microscope: Microscope) -> float:
    """Return 1.22 wavelengths / NA, the diameter of the Airy disc, in micrometers."""
    return 1.22 * microscope.wavelength * NM / microscope.numerical_aperture


def radial_step(microscope: Microscope) -> float:
    """Return the distance of radii, in micrometers, at which a cubic spline is exact to 1e-5."""
    return shortest_wavelength(microscope) / microscope.numerical_aperture / 64


def shortest_wavelength(microscope: Microscope) -> float:
    """Return the shortest wavelength that shapes the PSF, in micrometers."""
    if microscope.kind == "confocal":
        return NM * min(microscope.wavelength, microscope.excitation)
    return NM * microscope.wavelength


def radial_light(microscope: Microscope, count: int, z: Real) -> tuple[Real, Real]:
    r"""Return ``count`` radii from 0 on, and the light (z, r) that is detected there.

    With the intensities E at the emission and X at the excitation wavelength: widefield E;
    light-sheet :math:`E \, e^{-4 \ln 2\, z^2 / w^2}` with the thickness w of the sheet; confocal
    :math:`X \cdot (E * \text{pinhole})`, the pinhole as it appears in the sample.
    """
    step = radial_step(microscope)
    r = step * np.arange(count, dtype=np.float64)
    emission = NM * microscope.wavelength
    if microscope.kind != "confocal":
        light = intensity(microscope, emission, r, z)
        if microscope.kind == "light-sheet":
            light *= np.exp(-4 * np.log(2) * (z / microscope.sheet_fwhm) ** 2)[:, None]
        return r, light
    excited = intensity(microscope, NM * microscope.excitation, r, z)
    hole = microscope.pinhole * airy_unit(microscope) / 2
    if hole < step / 2:
        return r, excited * intensity(microscope, emission, r, z)
    beyond = int(np.ceil(hole / step)) + 3
    further = step * np.arange(count + beyond, dtype=np.float64)
    emitted = intensity(microscope, emission, further, z)
    return r, excited * _through_pinhole(further, emitted, hole, r)


def _through_pinhole(radii: Real, light: Real, hole: float, r: Real) -> Real:
    """Return the mean of ``light`` (z, radii) over a disc of radius ``hole`` around each ``r``.

    The light is cut into thin rings; a ring counts with the part of it that lies in the disc.
    """
    rings = int(np.ceil((r[-1] + hole) / (radii[1] / _FINER)))
    edges = np.linspace(0.0, r[-1] + hole, rings + 1)
    ring_light = even_spline(radii, light)((edges[1:] + edges[:-1]) / 2)  # (ring, z)
    total: Real = np.empty((light.shape[0], r.size))
    step = max(1, _BLOCK // edges.size)
    for start in range(0, r.size, step):
        block = slice(start, start + step)
        share = np.diff(_common_area(edges[None], hole, r[block, None]), axis=1)
        total[:, block] = (share @ ring_light).T / (np.pi * hole**2)
    return total


def _common_area(one: Real, other: float, apart: Real) -> Real:
    """Return the area that discs of the radii ``one`` and ``other`` have in common."""
    a, b, d = np.broadcast_arrays(one, other, apart)
    area: Real = np.pi * np.minimum(a, b) ** 2
    area[d >= a + b] = 0.0
    lens = (d > np.abs(a - b)) & (d < a + b)
    a, b, d = a[lens], b[lens], d[lens]
    corners = (a + b - d) * (d + a - b) * (d - a + b) * (d + a + b)
    area[lens] = (
        a**2 * np.arccos(np.clip((d**2 + a**2 - b**2) / (2 * d * a), -1, 1))
        + b**2 * np.arccos(np.clip((d**2 + b**2 - a**2) / (2 * d * b), -1, 1))
        - 0.5 * np.sqrt(corners.clip(min=0.0))
    )
    return area


def even_spline(radii: Real, light: Real) -> Callable[[Real], Real]:
    """Return the cubic spline through ``light`` (z, radii); it gives (..., z) for radii (...)."""
    from scipy.interpolate import CubicSpline

    flat_at_zero = (1, np.zeros(light.shape[0]))
    spline: Callable[[Real], Real] = CubicSpline(
        radii, light.T, bc_type=(flat_at_zero, "not-a-knot")
    )
    return spline
