"""Spectra of two images, and what they share in rings or shells of equal physical frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import Image

Window = Literal["hann", "hamming", "tukey", "none"]
Sector = Literal["all", "xy", "z"]
WINDOWS: tuple[Window, ...] = ("hann", "hamming", "tukey", "none")
TAPER = 0.25  # share of each side that a Tukey window fades out, both ends together
_AT_ONCE = 2**20  # samples of a spectrum that are binned together


@dataclass(frozen=True, eq=False)
class Rings:
    """Sums over rings, innermost first; rings without samples are left out."""

    frequency: Image
    correlation: Image
    counts: Image


def check_voxel_size(voxel_size: float | Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return one positive voxel size an axis; None is 1.

    Raises
    ------
    InputError
        If there are more or fewer than axes, or one is no positive number.
    """
    try:
        sizes = np.broadcast_to(np.asarray(1.0 if voxel_size is None else voxel_size, float), ndim)
    except (TypeError, ValueError):
        sizes = np.zeros(1)
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError(
            f"The voxel size {voxel_size} does not fit an image of {ndim} axes.",
            hint=f"Give one positive number, or {ndim} of them in the order of the axes.",
        )
    return tuple(float(s) for s in sizes)


def _profile(window: Window, n: int) -> Image:
    at = (np.arange(n) + 0.5) / n
    if window == "hann":
        return np.asarray(np.sin(np.pi * at) ** 2)
    if window == "hamming":
        return np.asarray(0.54 - 0.46 * np.cos(2 * np.pi * at))
    if window == "tukey":
        edge = np.clip(np.minimum(at, 1 - at) / (TAPER / 2), 0, 1)
        return np.asarray(np.sin(np.pi / 2 * edge) ** 2)
    return np.ones(n)


def apodise(image: Image, window: Window) -> Image:
    """Return ``image`` without its mean, scaled to contrast 1, faded out towards its edges.

    Raises
    ------
    InputError
        If there is no such window, or the image is constant under it.
    """
    if window not in WINDOWS:
        raise InputError(
            f"There is no window {window!r}.", hint=f"Choose one of {', '.join(WINDOWS)}."
        )
    weight: Any = 1.0
    for axis, n in enumerate(image.shape):
        side = [1] * image.ndim
        side[axis] = n
        weight = weight * _profile(window, n).reshape(side)
    low, high = float(image.min()), float(image.max())
    if low == high:
        raise InputError(
            f"An image is constant ({low:g}), so it has no detail to compare.",
            hint="Compare images with contrast.",
        )
    scaled = (image - low) / (high - low)  # whatever the grey values, nothing overflows
    scaled -= float((scaled * weight).sum() / np.broadcast_to(weight, image.shape).sum())
    scaled *= weight
    return scaled


def window_share(shape: Sequence[int], window: Window) -> float:
    """Return the share of the Fourier samples of a thin ring that stay independent under a window.

    A window ties neighbouring frequencies together: a sum of squares over N samples then varies as
    one over ``(sum w^2)^2 / sum w^4``. Across a ring as thin as one sample there are no neighbours,
    which leaves the root of that share in 2D, and its power 2/3 in 3D.
    """
    share = 1.0
    for n in shape:
        squares = _profile(window, n) ** 2
        share *= float(squares.sum() ** 2 / (n * (squares * squares).sum()))
    return math.pow(share, (len(shape) - 1) / len(shape))


def _limits(
    shape: Sequence[int], voxel_size: Sequence[float], sector: Sector
) -> tuple[float, float]:
    """Return the width of the rings and the highest frequency, in cycles a unit of length."""
    chosen = {"all": slice(None), "xy": slice(1, None), "z": slice(0, 1)}[sector]
    facts = list(zip(shape, voxel_size, strict=True))[chosen]
    return max(1 / (n * s) for n, s in facts), max(1 / (2 * s) for _, s in facts)


def correlate(
    a: Image,
    b: Image,
    voxel_size: Sequence[float],
    *,
    sector: Sector = "all",
    opening: float = 30.0,
    rings: int | None = None,
) -> Rings:
    """Return the normalised cross-correlation of two spectra, ring by ring.

    Parameters
    ----------
    a, b
        Apodised images or volumes of one shape.
    voxel_size
        One an axis.
    sector
        Which directions of a volume count: all, those within ``opening`` of the plane, or those
        within ``opening`` of the z axis.
    opening
        In degrees.
    rings
        How many; by default as narrow as the shortest side resolves.

    Raises
    ------
    InputError
        If the images are too small for three rings.
    """
    from scipy import fft  # slow to import, so only where it is used

    width, highest = _limits(a.shape, voxel_size, sector)
    width = width if rings is None else highest / rings
    number = math.floor(highest / width + 1e-9)
    if number < 3:
        raise InputError(
            f"Images of the shape {a.shape} are too small for rings of equal frequency.",
            hint="Use images with 8 pixels or more along each axis, and 3 rings or more.",
        )
    # Volumes in single precision: half the memory, and still a millionth of the largest sum.
    kind = np.float32 if a.ndim > 2 else np.float64
    first, second = (fft.rfftn(image.astype(kind, copy=False)) for image in (a, b))
    axes = [np.fft.fftfreq(n, s) for n, s in zip(a.shape[:-1], voxel_size, strict=False)]
    last = np.fft.rfftfreq(a.shape[-1], voxel_size[-1])
    # The mirrored half is not stored: all columns but those that are their own mirror count twice.
    twice = np.where((last == 0) | (np.arange(last.size) * 2 == a.shape[-1]), 1.0, 2.0)

    sums = np.zeros((5, number + 1))
    rows = max(1, _AT_ONCE // max(1, first[0].size))
    for start in range(0, a.shape[0], rows):
        part = slice(start, start + rows)
        grids = np.meshgrid(axes[0][part], *axes[1:], last, indexing="ij", sparse=True)
        frequency = np.sqrt(sum(g * g for g in grids))
        ring = np.rint(frequency / width).astype(np.intp)
        inside = (ring >= 1) & (ring <= number) & _within(grids[0], frequency, sector, opening)
        ring, weight = ring[inside], np.broadcast_to(twice, frequency.shape)[inside]
        u, v = first[part][inside], second[part][inside]
        values = (
            np.ones_like(weight),
            frequency[inside],
            u.real * v.real + u.imag * v.imag,
            u.real**2 + u.imag**2,
            v.real**2 + v.imag**2,
        )
        for row, value in zip(sums, values, strict=True):
            row += np.bincount(ring, weight * value, minlength=number + 1)
    filled = sums[0] > 0
    counts, frequency, shared, one, other = sums[:, filled]
    power = np.sqrt(one * other)
    correlation = np.divide(shared, power, out=np.zeros_like(power), where=power > 0)
    return Rings(frequency / counts, correlation, counts / 2)


def _within(
    along_z: NDArray[Any], frequency: NDArray[Any], sector: Sector, opening: float
) -> NDArray[np.bool_] | Literal[True]:
    if sector == "all":
        return True
    angle = math.radians(opening)
    if sector == "z":
        return np.asarray(np.abs(along_z) >= frequency * (math.cos(angle) - 1e-12))
    return np.asarray(np.abs(along_z) <= frequency * (math.sin(angle) + 1e-12))
