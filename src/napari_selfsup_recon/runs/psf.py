"""From the choice of a PSF to the prepared array."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import conversion
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf import Finding, Microscope
from napari_selfsup_recon.runs._units import has_lengths, in_units_of
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.psf_channels import GivenPsf, Psf, called, matched, merged, split
from napari_selfsup_recon.runs.words import validate

_MOST_LIGHT = 0.9


def choose_psfs(
    config: RunConfig,
    measurement: Measurement,
    given: GivenPsf | None,
    whole: Measurement | None = None,
) -> tuple[tuple[Psf, ...], tuple[Finding, ...]]:
    """Return the PSFs that the configuration names, prepared, and what was done to them.

    Parameters
    ----------
    config
        What is wanted.
    measurement
        The part of the image that is worked on.
    given
        What ``config.physics.psf == "array"`` speaks of; see
        :func:`~napari_selfsup_recon.runs.psf_channels.split`.
    whole
        All of the image, where channels were chosen from it.

    Returns
    -------
    tuple
        No PSF where nothing is blurred, one for all channels, or one for each of those that are
        worked on; and the findings.

    Raises
    ------
    InputError
        If there is none although the task needs one, it cannot be used, or there are several and
        not as many as channels.
    FileError
        If its file cannot be read.
    """
    if config.task == "denoise":
        return (), ()
    choice = config.physics
    if choice.psf == "none":
        raise InputError(
            "Sharpening needs a point spread function (PSF), and none is chosen.",
            hint="Give a file, a layer, the microscope or the width of a Gaussian; or choose to "
            "denoise.",
        )
    whole = measurement if whole is None else whole
    if choice.psf == "gaussian":
        made = [_gaussian(choice, measurement)]
    elif choice.psf == "theory":
        scopes = matched(_microscopes(choice), whole, config, "emission wavelengths")
        made = [_theory(scope, measurement) for scope in scopes]
    else:
        items = matched(split(_read(choice, given), whole, choice), whole, config)
        made = [_recorded(choice, measurement, item) for item in items]
    kernels, found = zip(*made, strict=True)
    if len(made) == 1:
        return kernels, found[0]
    several = Finding("origin", f"Each of the {len(made)} channels has a PSF of its own.")
    return kernels, (several, *merged(found, called(whole, config)))


def choose_psf(
    config: RunConfig, measurement: Measurement, given: GivenPsf | None
) -> tuple[Psf | None, tuple[Finding, ...]]:
    """Return the one PSF of all channels; see :func:`choose_psfs`.

    Raises
    ------
    InputError
        If there is one for each channel, too.
    """
    kernels, findings = choose_psfs(config, measurement, given)
    if len(kernels) > 1:
        raise InputError(
            "There is a PSF for each channel.", hint="Choose the PSF of a single channel."
        )
    return (kernels[0] if kernels else None), findings


def _recorded(
    choice: PhysicsChoice, measurement: Measurement, raw: Measurement | Psf
) -> tuple[Psf, tuple[Finding, ...]]:
    """Return a PSF that was given, prepared."""
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
        skip=choice.keep,
    )
    return prepared.psf, prepared.findings


def micrometers(measurement: Measurement) -> tuple[float, ...]:
    """Return the voxel size in micrometers along the spatial axes.

    Raises
    ------
    InputError
        If it is not known.
    """
    lead = len(measurement.leading_shape)
    factors = [conversion(unit, "micrometer") for unit in measurement.units[lead:]]
    sizes = zip(measurement.spatial_scale, factors, strict=True)
    found = tuple(scale * factor for scale, factor in sizes if factor is not None)
    if len(found) < measurement.spatial_ndim:
        raise InputError(
            f"The voxel size of {measurement.name!r} is not known, and a PSF from theory needs it.",
            hint="Enter it with its unit, or describe the PSF otherwise.",
        )
    return found


@lru_cache(maxsize=8)
def theoretical(microscope: Microscope, voxel_size: tuple[float, ...]) -> Psf:
    """Return the PSF of ``microscope`` for voxels in micrometers; kept, and so read-only."""
    kernel = psf.theoretical(microscope, voxel_size=voxel_size)
    kernel.setflags(write=False)
    return kernel


def _microscopes(choice: PhysicsChoice) -> list[Microscope]:
    """Return the microscope, with the emission wavelength of each channel where they are given."""
    if choice.microscope is None:
        raise InputError(
            "The microscope is not described.",
            hint="Give its numerical aperture, immersion and wavelength.",
        )
    known = choice.microscope.model_dump(exclude_defaults=True)
    return [
        validate(Microscope, known | {"wavelength": length}, where="microscope")
        for length in choice.wavelengths or (choice.microscope.wavelength,)
    ]


def _theory(microscope: Microscope, measurement: Measurement) -> tuple[Psf, tuple[Finding, ...]]:
    sizes = micrometers(measurement)
    kernel, cut = _cut(theoretical(microscope, sizes), measurement.spatial_shape)
    told = psf.check_sampling(microscope, voxel_size=sizes)
    return kernel, (
        _origin(describe(microscope), kernel),
        *cut,
        *(found for found in told if found.level != "ok"),
    )


def _cut(kernel: Psf, shape: tuple[int, ...]) -> tuple[Psf, tuple[Finding, ...]]:
    """Return a PSF that reaches no further than an image of ``shape``, with the sum 1.

    In a thin stack most of the light of a widefield PSF lies beyond the first and last plane: that
    cannot be helped, and is told.
    """
    if all(k <= n for k, n in zip(kernel.shape, shape, strict=True)):
        return kernel, ()
    lengths = [min(k, n - 1 + n % 2) for k, n in zip(kernel.shape, shape, strict=True)]
    starts = [k // 2 - n // 2 for k, n in zip(kernel.shape, lengths, strict=True)]
    part = kernel[tuple(slice(a, a + n) for a, n in zip(starts, lengths, strict=True))]
    share = float(part.sum())
    voxels = " x ".join(map(str, lengths))
    found = Finding(
        "size",
        f"It is cut to what the image holds ({voxels} voxels, {share:.0%} of its light).",
        "repaired" if share > _MOST_LIGHT else "warning",
    )
    return part / share, (found,)


def describe(microscope: Microscope) -> str:
    """Return for example ``"confocal, NA 1.2, immersion 1.33, 520 nm"``."""
    return (
        f"{microscope.kind}, NA {microscope.numerical_aperture:g}, immersion "
        f"{microscope.immersion_index:g}, {microscope.wavelength:g} nm"
    )


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
    sizes = " x ".join(f"{width:g}" for width in widths)
    found, findings = _fitted(kernel, measurement, f"Gaussian of {sizes} {measurement.units[-1]}")
    if not has_lengths(measurement):
        told = "The voxel size is not known: the width of the Gaussian counts in pixels."
        findings = (*findings, Finding("voxel size", told))
    return found, findings


def _fitted(kernel: Psf, measurement: Measurement, what: str) -> tuple[Psf, tuple[Finding, ...]]:
    """Return a computed PSF, cropped where the image is smaller, and what it is."""
    made = _origin(what, kernel)
    if all(k <= n for k, n in zip(kernel.shape, measurement.spatial_shape, strict=True)):
        return kernel, (made,)
    prepared = psf.prepare(kernel, image_shape=measurement.spatial_shape)
    return prepared.psf, (made, *(found for found in prepared.findings if found.level != "ok"))


def _origin(what: str, kernel: Psf) -> Finding:
    voxels = " x ".join(map(str, kernel.shape))
    return Finding("origin", f"{what[:1].upper()}{what[1:]}; {voxels} voxels.")


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


def _read(choice: PhysicsChoice, given: GivenPsf | None) -> GivenPsf:
    if choice.psf == "file":
        if not choice.files:
            raise InputError(
                "The PSF file is not named.", hint="Choose a TIFF, NumPy or zarr file."
            )
        from napari_selfsup_recon.io import volumes

        read = [volumes.read(path) for path in choice.files]
        return read[0] if len(read) == 1 else read
    if given is None:
        raise InputError("No PSF was given.", hint="Choose the layer that holds it.")
    return given
