"""From the choice of a PSF to the prepared array."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs._units import has_lengths, in_units_of
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig

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
    if choice.psf == "gaussian":
        return _gaussian(choice, measurement)
    raw = _read(choice, given)
    array = np.asarray(raw.data) if isinstance(raw, Measurement) else np.asarray(raw)
    if not choice.prepare:
        return _as_it_is(array, measurement), ()
    # A bare array is on the grid of the image; a measurement says on which grid it is.
    sized = isinstance(raw, Measurement) and has_lengths(measurement)
    prepared = psf.prepare(
        array,
        image_shape=measurement.spatial_shape,
        psf_scale=in_units_of(raw, measurement) if isinstance(raw, Measurement) else None,
        image_scale=measurement.spatial_scale if sized else None,
    )
    return prepared.psf, prepared.findings


def _gaussian(choice: PhysicsChoice, measurement: Measurement) -> tuple[Psf, tuple[Finding, ...]]:
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
    widths = choice.fwhm * (ndim if len(choice.fwhm) == 1 else 1)
    kernel = psf.gaussian(widths, scale=measurement.spatial_scale)
    if any(k > n for k, n in zip(kernel.shape, measurement.spatial_shape, strict=True)):
        prepared = psf.prepare(kernel, image_shape=measurement.spatial_shape)
        return prepared.psf, prepared.findings
    unit = measurement.units[-1]
    sizes = " x ".join(f"{width:g}" for width in widths)
    voxels = " x ".join(map(str, kernel.shape))
    return kernel, (Finding("size", f"Gaussian of {sizes} {unit}, {voxels} voxels."),)


def _as_it_is(raw: Psf, measurement: Measurement) -> Psf:
    """Return the PSF unchanged if an operator can be made of it."""
    kernel = np.array(raw, dtype=np.float64)
    shape = measurement.spatial_shape
    if kernel.ndim != len(shape):
        raise InputError(
            f"The PSF has {kernel.ndim} axes, the image {len(shape)}.",
            hint="Give a 2D PSF for images and a 3D PSF for volumes.",
        )
    if any(k > n for k, n in zip(kernel.shape, shape, strict=True)):
        raise InputError(
            f"The PSF {kernel.shape} is larger than the image {shape}.",
            hint="Let it be prepared, or crop it to its core.",
        )
    if not np.isfinite(kernel).all() or kernel.min() < 0 or kernel.sum() <= 0:
        raise InputError(
            "The PSF holds negative, NaN or infinite values, or is zero everywhere.",
            hint="Let it be prepared, or choose another PSF.",
        )
    return kernel


def _read(choice: PhysicsChoice, given: Measurement | Psf | None) -> Measurement | Psf:
    if choice.psf == "file":
        if not choice.path:
            raise InputError(
                "The PSF file is not named.", hint="Choose a TIFF, NumPy or zarr file."
            )
        from napari_selfsup_recon.io import volumes

        return volumes.read(choice.path)
    if given is None:
        raise InputError("No PSF was given.", hint="Choose the layer that holds it.")
    return given
