"""From what is known of the noise, and what the measurement tells, to the noise of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.config import NoiseChoice

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

# Pixels that are read; fewer are looked at.
_PIXELS = 16_000_000


def noise_for(
    choice: NoiseChoice | None, measured: np.ndarray[Any, Any], psf: np.ndarray[Any, Any] | None
) -> NoiseEstimate | None:
    """Return the noise of one frame as it is given to a method; None where nothing is known.

    A method then estimates what it needs by itself.

    Parameters
    ----------
    choice
        What is known.
    measured
        The frame; looked at where something is not known.
    psf
        Of the blur, if there is one.

    Raises
    ------
    InputError
        If the values say that there is no noise at all.
    """
    if choice is None or not choice.given:
        return None
    # Torch is loaded with it, and not before it is needed.
    from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, estimate_noise

    values = (choice.gain, choice.offset, choice.read_noise)
    if None in values:
        found = estimate_noise(measured[thinned(measured.shape)], psf=psf)
    else:
        found = NoiseEstimate(gain=0.0, offset=0.0, sigma=0.0)
    noise = with_choice(found, choice)
    if noise.gain == 0 and noise.sigma == 0:
        raise InputError(
            "The noise is given as nothing: gain and read noise are both 0.",
            hint="Give one of them, or leave both to be estimated.",
        )
    return noise


def with_choice(estimate: NoiseEstimate, choice: NoiseChoice | None) -> NoiseEstimate:
    """Return ``estimate`` with what is known put in its place.

    The read noise is the noise at the offset: where another offset is given, and no read noise,
    it follows from the line of variance against level.
    """
    if choice is None:
        return estimate
    gain = estimate.gain if choice.gain is None else choice.gain
    offset = estimate.offset if choice.offset is None else choice.offset
    if choice.read_noise is not None:
        sigma = choice.read_noise
    else:
        sigma = max(0.0, estimate.sigma**2 + gain * (offset - estimate.offset)) ** 0.5
    return replace(estimate, gain=gain, offset=offset, sigma=sigma)


def look_at(measurement: Measurement, psf: np.ndarray[Any, Any] | None = None) -> NoiseEstimate:
    """Return what the first frame of a measurement tells about its noise; reads a part of it.

    Raises
    ------
    InputError
        If the values are not finite.
    """
    from napari_selfsup_recon.physics.noise_estimate import estimate_noise

    region = thinned(measurement.spatial_shape)
    frame = measurement.frame((0,) * len(measurement.leading_shape), region)
    fits = psf is not None and psf.ndim == frame.ndim
    return estimate_noise(frame, psf=psf if fits else None)


def thinned(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return slices of an image or volume that hold about sixteen million pixels at most.

    Planes are left out evenly, and only of a single huge one the rows beyond its middle: what is
    dark and what is bright should both be among what is left.
    """
    *stack, rows, columns = shape
    most = max(256, _PIXELS // columns)
    first = max(0, (rows - most) // 2)
    plane = (slice(first, min(rows, first + most)), slice(0, columns))
    fitting = max(1, _PIXELS // (min(rows, most) * columns))
    return (*(slice(0, n, -(-n // fitting)) for n in stack), *plane)
