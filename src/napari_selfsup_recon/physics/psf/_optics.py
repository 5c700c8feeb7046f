"""What a microscope resolves, and whether voxels and planes suit it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._debye import Real
from napari_selfsup_recon.physics.psf._finding import Finding
from napari_selfsup_recon.physics.psf._light import NM, radial_light
from napari_selfsup_recon.physics.psf.microscope import Microscope

SHORT = 0.05  # of the peak; brighter ends are told
ENOUGH = 0.01  # of the peak; the ends that an array should reach
COARSE, FINE = 20.0, 300.0  # voxels this far from the resolution are a wrong unit
TOLERATED = 1.5  # near the finest period next to nothing passes; a little coarser costs nothing
MOST_PLANES = 4097


def resolution(microscope: Microscope) -> tuple[float, float]:
    """Return the finest periods that pass an ideal widefield objective, (z, y = x) in micrometers.

    :math:`\\lambda / (n - \\sqrt{n^2 - NA^2})` and :math:`\\lambda / 2 NA`; a confocal microscope
    takes its excitation wavelength.
    """
    confocal = microscope.kind == "confocal"
    wavelength = NM * (microscope.excitation if confocal else microscope.wavelength)
    n, aperture = microscope.immersion_index, microscope.numerical_aperture
    return wavelength / (n - math.sqrt(n**2 - aperture**2)), wavelength / (2 * aperture)


def checked_voxels(microscope: Microscope, voxel_size: Sequence[float] | None) -> tuple[float, ...]:
    """Return the voxel size if it can be one in micrometers.

    Raises
    ------
    InputError
        If it is missing, not positive, or far from everything that the objective resolves.
    """
    if voxel_size is None:
        raise InputError(
            "The voxel size is unknown, so that no PSF can be computed.",
            hint="Give it in micrometers: (z, y, x), or (y, x) for an image.",
        )
    sizes = tuple(float(size) for size in voxel_size)
    if len(sizes) not in (2, 3) or any(not math.isfinite(s) or s <= 0 for s in sizes):
        raise InputError(
            f"The voxel size is {sizes}.",
            hint="Give positive numbers in micrometers: (z, y, x), or (y, x) for an image.",
        )
    axial, lateral = resolution(microscope)
    for name, size, period in zip(
        "zyx"[-len(sizes) :], sizes, (axial, lateral, lateral)[-len(sizes) :], strict=True
    ):
        if not period / FINE <= size <= period * COARSE:
            raise InputError(
                f"A voxel of {size:g} µm along {name} does not go with an objective that resolves "
                f"{period:.2g} µm.",
                hint=_other_unit(size, period),
            )
    return sizes


def _other_unit(size: float, period: float) -> str:
    for unit, factor in (("nanometers", 1e-3), ("millimeters", 1e3), ("meters", 1e6)):
        if period / FINE <= size * factor <= 4 * period:
            return f"If it is in {unit}, write {size * factor:.4g}: voxel sizes are in micrometers."
    return "Give it in micrometers, as it is in the sample; check aperture and wavelength."


def check_sampling(
    microscope: Microscope,
    *,
    voxel_size: Sequence[float] | None,
    shape: Sequence[int] | None = None,
) -> tuple[Finding, ...]:
    """Return what is to be said about the voxels and the planes of a theoretical PSF.

    Parameters
    ----------
    microscope
        The microscope.
    voxel_size
        (z, y, x) or (y, x), in micrometers.
    shape
        Of the PSF; None: as large as its light needs, so that no plane can be missing.

    Returns
    -------
    tuple of Finding
        Steps ``"sampling"`` and, for volumes, ``"length"``.

    Raises
    ------
    InputError
        If the voxel size is missing or cannot be in micrometers.
    """
    sizes = checked_voxels(microscope, voxel_size)
    axial, lateral = resolution(microscope)
    needed = (axial / 2, lateral / 2, lateral / 2)[-len(sizes) :]
    wide = [
        f"{name} {size:g} µm (at most {most:.2g})"
        for name, size, most in zip("zyx"[-len(sizes) :], sizes, needed, strict=True)
        if size > TOLERATED * most
    ]
    if wide:
        found = Finding(
            "sampling",
            f"The voxels are too large to catch all that the objective resolves: {', '.join(wide)}."
            " Detail beyond that is lost, or appears as a pattern that is not there.",
            "warning",
        )
    else:
        found = Finding("sampling", "The voxels are small enough for what the objective resolves.")
    if shape is None or len(shape) != 3 or len(sizes) != 3:
        return (found,)
    return found, _length(microscope, int(shape[0]), sizes[0])


def _length(microscope: Microscope, planes: int, spacing: float) -> Finding:
    first, last = -(planes // 2), planes - 1 - planes // 2
    ends = brightest(microscope, spacing * np.array([first, last, 0.0]))
    share = float(ends[:2].max() / ends[2])
    if share <= SHORT:
        return Finding("length", f"The PSF has enough planes ({planes}).")
    return Finding(
        "length",
        f"The PSF is cut in z: its outer planes still have {100 * share:.0f} % of the brightness "
        f"of the focus. {planes_needed(microscope, spacing)} planes of {spacing:g} µm hold it, "
        f"{planes} are there.",
        "warning",
    )


def brightest(microscope: Microscope, z: Real) -> Real:
    """Return the largest value in each of the planes z (micrometers)."""
    _, light = radial_light(microscope, 192, z)  # three Airy discs
    top: Real = light.max(axis=1)
    return top


def planes_needed(microscope: Microscope, spacing: float, share: float = ENOUGH) -> int:
    """Return the odd number of planes beyond which all are darker than ``share`` of the peak."""
    axial, _ = resolution(microscope)
    reach = 4 * axial
    while True:
        half = min(math.ceil(reach / spacing), MOST_PLANES // 2)
        z = spacing * np.arange(-half, half + 1, dtype=np.float64)
        top = brightest(microscope, z)
        bright = np.flatnonzero(top > share * top.max())
        outermost = int(np.abs(bright - half).max())
        if outermost < half or half == MOST_PLANES // 2:
            return 2 * outermost + 1
        reach *= 2
