"""Point spread functions from theory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._debye import Real
from napari_selfsup_recon.physics.psf._finding import Kernel, in_words
from napari_selfsup_recon.physics.psf._light import (
    even_spline,
    radial_light,
    radial_step,
    shortest_wavelength,
)
from napari_selfsup_recon.physics.psf._optics import (
    ENOUGH,
    checked_voxels,
    planes_needed,
    resolution,
)
from napari_selfsup_recon.physics.psf.microscope import Microscope

LARGEST = 2**26  # voxels
COMFORTABLE = 2**23  # voxels of an automatic shape; beyond, it holds less light
_BLOCK = 2**21  # values of the spline held at once


def theoretical(
    microscope: Microscope,
    *,
    shape: Sequence[int] | None = None,
    voxel_size: Sequence[float] | None,
) -> Kernel:
    """Return the PSF of an ideal microscope.

    The integrals are taken in double precision. Cameras (widefield, light-sheet) collect the light
    of a whole pixel, so it is integrated over the pixel in y and x; a confocal microscope is
    sampled at the voxel's centre, as are the planes of all. Planes follow each other with the focus
    going deeper; where sample and immersion differ, the brightest plane is put in the middle.

    Parameters
    ----------
    microscope
        What is printed on it.
    shape
        (z, y, x) for a volume, (y, x) for an image in focus; None: odd, and large enough for all
        planes brighter than 1 % of the peak and 99 % of the light in them (less, up to 10 % and
        90 %, where that would be more than 8 million voxels).
    voxel_size
        In micrometers, one value an axis.

    Returns
    -------
    array
        float64, centre at ``n // 2`` of each axis, sum 1.

    Raises
    ------
    InputError
        If the voxel size is missing or cannot be in micrometers, the shape does not fit it, or the
        PSF would be unreasonably large.
    """
    sizes = checked_voxels(microscope, voxel_size)
    if shape is None:
        lengths = _fitting(microscope, sizes)
    else:
        lengths = tuple(int(n) for n in shape)
        if len(lengths) != len(sizes) or min(lengths) < 1:
            raise InputError(
                f"The shape is {lengths}, the voxel size {in_words(sizes)} µm.",
                hint="Give one length and one size an axis: (z, y, x), or (y, x).",
            )
    if math.prod(lengths) > LARGEST:
        raise InputError(
            f"The PSF would be {in_words(lengths)} voxels large.",
            hint="Check the voxel size, or give a smaller shape.",
        )
    planes, spacing = (lengths[0], sizes[0]) if len(lengths) == 3 else (1, 0.0)
    z = spacing * (np.arange(planes, dtype=np.float64) - planes // 2)
    kernel = _on_pixels(microscope, z, lengths[-2:], sizes[-2:])
    if len(lengths) == 2:
        kernel = kernel[0]
    kernel /= kernel.sum()
    return kernel


def _on_pixels(
    microscope: Microscope, z: Real, shape: tuple[int, ...], pixel: tuple[float, ...]
) -> Kernel:
    """Return the light (z, y, x) that falls on pixels around the axis at ``n // 2``."""
    reach = math.hypot(*((n // 2 + 1) * a for n, a in zip(shape, pixel, strict=True)))
    radii, light = radial_light(microscope, int(reach / radial_step(microscope)) + 4, z)
    spline = even_spline(radii, light)
    y, x = (
        _points(n // 2 + 1, a, _order(microscope, a)) for n, a in zip(shape, pixel, strict=True)
    )
    # One quarter; the rest is its mirror image.
    quarter = np.empty((z.size, len(y[0]), len(x[0])))
    share = y[1][:, None] * x[1][None]
    rows = max(1, _BLOCK // (x[0].size * y[1].size * z.size))
    for start in range(0, len(y[0]), rows):
        block = y[0][start : start + rows]
        radius = np.hypot(block[:, :, None, None], x[0])  # (y, point in y, x, point in x)
        values = spline(radius)
        quarter[:, start : start + rows] = np.einsum("yaxbz,ab->zyx", values, share)
    rows_of, columns_of = (np.abs(np.arange(n) - n // 2) for n in shape)
    whole: Kernel = quarter[:, rows_of[:, None], columns_of[None]]
    return whole.clip(min=0.0)


def _order(microscope: Microscope, pixel: float) -> int:
    """Return how many points across a pixel integrate its finest fringes."""
    if microscope.kind == "confocal":
        return 1
    turn = 2 * np.pi * microscope.numerical_aperture * pixel / shortest_wavelength(microscope)
    return math.ceil(turn / 2) + 3


def _points(count: int, pixel: float, order: int) -> tuple[Real, Real]:
    """Return positions (pixel, point) in pixels 0 to ``count - 1``, and the weight of a point."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return pixel * (np.arange(count)[:, None] + nodes / 2), weights / 2


def _fitting(microscope: Microscope, sizes: tuple[float, ...]) -> tuple[int, ...]:
    """Return odd lengths that hold the light: see ``shape`` of :func:`theoretical`."""
    for dark in (ENOUGH, 3 * ENOUGH, 10 * ENOUGH):
        lengths = _holding(microscope, sizes, dark)
        if math.prod(lengths) <= COMFORTABLE:
            break
    return lengths


def _holding(microscope: Microscope, sizes: tuple[float, ...], dark: float) -> tuple[int, ...]:
    _, lateral = resolution(microscope)
    if len(sizes) == 3:
        planes = planes_needed(microscope, sizes[0], dark)
        z = sizes[0] * (np.arange(planes, dtype=np.float64) - planes // 2)
        z = z[:: max(1, planes // 64)]
    else:
        planes, z = 1, np.zeros(1)
    n, aperture = microscope.immersion_index, microscope.numerical_aperture
    # Far from the focus the light fills a cone; around it are the rings of the Airy pattern.
    reach = 2 * (np.abs(z).max() * min(aperture / math.sqrt(n**2 - aperture**2), 8) + 24 * lateral)
    radii, light = radial_light(microscope, int(reach / radial_step(microscope)), z)
    within = np.cumsum(light.sum(axis=0) * radii)
    radius = radii[int(np.searchsorted(within, (1 - dark) * within[-1]))]
    sides = tuple(2 * max(1, math.ceil(radius / a - 0.5)) + 1 for a in sizes[-2:])
    return (planes, *sides) if len(sizes) == 3 else sides
