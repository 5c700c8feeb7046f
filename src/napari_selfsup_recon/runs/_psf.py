"""From the choice of a PSF to the prepared array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.psf import Finding

Psf = np.ndarray[Any, Any]


def choose_psf(
    config: RunConfig, measurement: Measurement, given: Measurement | Psf | None
) -> tuple[Psf | None, tuple[Finding, ...]]:
    """Return the PSF that the configuration names, prepared, and what was done to it.

    Raises
    ------
    InputError
        If there is none although the task needs one, or it cannot be used.
    FileError
        If its file cannot be read.
    """
    if config.task == "denoise":
        return None, ()
    choice = config.physics
    if choice.psf == "none":
        raise InputError(
            "Sharpening needs a point spread function (PSF), and none is chosen.",
            hint="Give a file, a layer or the width of a Gaussian; or choose to denoise.",
        )
    from napari_selfsup_recon.physics import psf

    scale = measurement.spatial_scale
    if choice.psf == "gaussian":
        kernel = psf.gaussian(_widths(choice, measurement), scale)
        return kernel, ()
    raw, spacing = _read(choice, given)
    prepared = psf.prepare(raw, shape=measurement.spatial_shape)
    return prepared.psf, prepared.findings


def _widths(choice: PhysicsChoice, measurement: Measurement) -> tuple[float, ...]:
    ndim = measurement.spatial_ndim
    if not choice.fwhm:
        raise InputError(
            "The width of the Gaussian PSF is not given.",
            hint="Give its full width at half maximum, in the units of the image.",
        )
    if len(choice.fwhm) not in (1, ndim):
        raise InputError(
            f"{len(choice.fwhm)} widths are given for an image with {ndim} axes.",
            hint=f"Give one width, or one for each of {', '.join(measurement.spatial_axes)}.",
        )
    return choice.fwhm if len(choice.fwhm) == ndim else choice.fwhm * ndim


def _read(
    choice: PhysicsChoice, given: Measurement | Psf | None
) -> tuple[Psf, tuple[float, ...] | None]:
    if choice.psf == "file":
        if not choice.path:
            raise InputError("The PSF file is not named.", hint="Choose a TIFF, NumPy or zarr file.")
        from napari_selfsup_recon.io import volumes

        given = volumes.read(choice.path)
    if given is None:
        raise InputError("No PSF was given.", hint="Choose the layer that holds it.")
    if isinstance(given, Measurement):
        return np.squeeze(np.asarray(given.data)), given.spatial_scale
    return np.asarray(given), None
