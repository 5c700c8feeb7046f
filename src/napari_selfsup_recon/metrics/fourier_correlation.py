"""Fourier ring and shell correlation: the finest detail that two images share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import as_image, as_pair
from napari_selfsup_recon.metrics._resolution import FourierCorrelation, Threshold, conclude
from napari_selfsup_recon.metrics._rings import (
    Sector,
    Window,
    apodise,
    check_voxel_size,
    correlate,
    window_share,
)

# Koho et al. 2019 (Nature Communications 10, 3103), Supplementary Note 2: a exp(c (x - b)) + d of
# the crossing x in units of the Nyquist frequency of the halves.
_KOHO = (0.95988146, 0.97979108, 13.90441896, 0.55146136)


def frc(
    a: ArrayLike,
    b: ArrayLike,
    *,
    voxel_size: float | Sequence[float] | None = None,
    unit: str = "pixel",
    threshold: Threshold = "1/7",
    window: Window = "hann",
    rings: int | None = None,
) -> FourierCorrelation:
    """Return the Fourier ring correlation of two images of the same thing with noise of their own.

    For spectra F, G and each ring of equal physical frequency (Saxton and Baumeister 1982)::

        FRC = Re sum(F G*) / sqrt( sum |F|^2  sum |G|^2 )

    Parameters
    ----------
    a, b
        Real-valued images of one shape, ``(y, x)``, whose noise is independent: two exposures, or
        reconstructions of two exposures. Reconstructions by one method share its mistakes, which
        the correlation takes for detail.
    voxel_size
        Pixel size in ``unit``: one number, or ``(y, x)``; pixels where None.
    unit
        Unit of ``voxel_size``.
    threshold
        ``"1/7"`` (Rosenthal and Henderson 2003), ``"half-bit"`` (van Heel and Schatz 2005), or a
        number. Against a noise-free truth, 0.5 says the same as 1/7 between two halves.
    window
        ``"hann"``, ``"tukey"`` (the outer eighth fades out), ``"hamming"`` or ``"none"``. Without
        one, what differs between opposite edges is taken for fine detail.
    rings
        How many up to the highest frequency; by default as narrow as the shorter side resolves.

    Returns
    -------
    FourierCorrelation
        Its rings go up to the Nyquist frequency, of the finer axis where pixels are not square.

    Raises
    ------
    InputError
        If the images differ in shape, are no finite 2D images, are constant or too small, or a
        setting makes no sense.
    """
    return _compare(a, b, 2, voxel_size, unit, threshold, window, rings)


def fsc(
    a: ArrayLike,
    b: ArrayLike,
    *,
    voxel_size: float | Sequence[float] | None = None,
    unit: str = "pixel",
    threshold: Threshold = "1/7",
    window: Window = "hann",
    rings: int | None = None,
    sector: Sector = "all",
    opening: float = 30.0,
) -> FourierCorrelation:
    """Return the Fourier shell correlation of two volumes; see :func:`frc`.

    The shells are spheres in physical frequency, so voxels need not be cubes. Beyond the Nyquist
    frequency of the coarsest axis a shell holds only the directions that are sampled so finely.
    A shell is as wide as the shortest side resolves, and a window blurs the curve by two of them:
    a stack of few planes tells its axial resolution only roughly. Narrow sectors hold few samples,
    whose noise reaches 1/7 by chance; ``"half-bit"`` takes that into account.

    Parameters
    ----------
    a, b
        Real-valued volumes of one shape, ``(z, y, x)``, with independent noise.
    voxel_size
        In ``unit``: one number, or ``(z, y, x)``.
    unit, threshold, window, rings
        As for :func:`frc`.
    sector
        ``"all"`` directions; ``"xy"``: those within ``opening`` of the plane, the lateral
        resolution; ``"z"``: those within ``opening`` of the axis, the axial one.
    opening
        Half the angle of the sector in degrees, 0 to 90 (both excluded).

    Raises
    ------
    InputError
        As for :func:`frc`.
    """
    if sector not in ("all", "xy", "z"):
        raise InputError(f"There is no sector {sector!r}.", hint="Choose 'all', 'xy' or 'z'.")
    if not 0 < opening < 90:
        raise InputError(
            f"A sector cannot open by {opening} degrees.",
            hint="Choose an angle below 90; 30 is usual.",
        )
    return _compare(a, b, 3, voxel_size, unit, threshold, window, rings, sector, opening)


def single_image_frc(
    image: ArrayLike,
    *,
    voxel_size: float | Sequence[float] | None = None,
    unit: str = "pixel",
    window: Window = "hamming",
    calibrated: bool = True,
) -> FourierCorrelation:
    """Return the Fourier ring correlation of the two diagonals of one raw image.

    After Koho et al. 2019: of each 2 x 2 block, the pixels of a diagonal go to two images of half
    the size; the curves of both diagonals are averaged. The crossing with 1/7, x in units of their
    Nyquist frequency, becomes a resolution by the published calibration::

        resolution = 2 pixel / x / (0.9599 exp(13.904 (x - 0.9798)) + 0.5515)

    It holds only for raw images, whose noise is independent from pixel to pixel: what was
    denoised, deconvolved, resampled or compressed appears far sharper than it is, and so does an
    image with a fixed pattern of its camera. It was fitted to microscopes that sample finely. In
    simulations with resolutions of five pixels or more it was 7 % off two exposures on average, and
    27 % at worst; below four pixels the halves do not hold the detail, and it is a guess.

    Parameters
    ----------
    image
        Real-valued image, ``(y, x)``; an odd last row or column is left out.
    voxel_size
        Pixel size in ``unit``; one number, since the calibration is for square pixels.
    unit
        Unit of ``voxel_size``.
    window
        Applied before the image is split; the published one by default.
    calibrated
        Whether the published calibration is applied. Without it, the resolution is that of the
        halves themselves, which is too coarse.

    Returns
    -------
    FourierCorrelation
        Frequencies are those of the halves, up to a quarter cycle a pixel.

    Raises
    ------
    InputError
        If it is no finite 2D image, is constant or too small, or pixels are not square.
    """
    values = as_image(image, "image")
    _check_axes(values.shape, 2)
    size = check_voxel_size(voxel_size, 2)
    if not math.isclose(size[0], size[1], rel_tol=1e-3):
        raise InputError(
            f"The pixels are not square: {size}.", hint="Compare two exposures by frc() instead."
        )
    even = values[: values.shape[0] // 2 * 2, : values.shape[1] // 2 * 2]
    faded = apodise(even, window)
    coarse = (2 * size[0], 2 * size[1])
    pairs = ((0, 0, 1, 1), (0, 1, 1, 0))
    curves = [correlate(faded[i::2, j::2], faded[k::2, m::2], coarse) for i, j, k, m in pairs]
    share = window_share(even.shape, window)
    result = conclude(
        curves[0].frequency,
        np.mean([curve.correlation for curve in curves], axis=0),
        curves[0].counts * share,
        threshold="1/7",
        unit=unit,
    )
    if result.resolution is None or not calibrated:
        return result
    a, b, c, d = _KOHO
    crossing = 2 * coarse[0] / result.resolution
    factor = a * math.exp(c * (crossing - b)) + d
    return replace(result, resolution=2 * size[0] / crossing / factor)


def _compare(
    a: ArrayLike,
    b: ArrayLike,
    ndim: int,
    voxel_size: float | Sequence[float] | None,
    unit: str,
    threshold: Threshold,
    window: Window,
    rings: int | None,
    sector: Sector = "all",
    opening: float = 30.0,
) -> FourierCorrelation:
    one, other = as_pair(a, b)
    _check_axes(one.shape, ndim)
    size = check_voxel_size(voxel_size, ndim)
    sums = correlate(
        apodise(one, window),
        apodise(other, window),
        size,
        sector=sector,
        opening=opening,
        rings=rings,
    )
    return conclude(
        sums.frequency,
        sums.correlation,
        sums.counts * window_share(one.shape, window),
        threshold=threshold,
        unit=unit,
    )


def _check_axes(shape: tuple[int, ...], ndim: int) -> None:
    if len(shape) != ndim:
        name, other = ("an image", "fsc()") if ndim == 2 else ("a volume", "frc()")
        raise InputError(
            f"An array of the shape {shape} is not {name}.",
            hint=f"Choose one of {ndim} axes, or use {other}.",
        )
