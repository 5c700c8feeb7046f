"""Beads in an image or a volume: where they are and how large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._finding import Kernel
from napari_selfsup_recon.physics.psf._gaussian import FWHM_PER_SIGMA
from napari_selfsup_recon.physics.psf._recorded import dark_planes

MOST = 500  # beads; the brightest are kept
_NARROW = 1.5  # voxels; no bead appears smaller
_SIGNIFICANT = 6.0  # standard deviations of the noise
_EQUAL = 0.3  # of a bead nearby; what is fainter is its fringe, or noise on its flank
_FAR = 8.0  # widths; what is further apart is not the same thing
_DIP = 0.85  # of the fainter of two beads: how dark it must be between them

Real = NDArray[np.float32]


def find_beads(
    volume: ArrayLike,
    *,
    voxel_size: Sequence[float] | None = None,
    fwhm: Sequence[float] | None = None,
    faintest: float = 0.1,
) -> Kernel:
    """Return where the beads are.

    Local maxima after smoothing with what a bead looks like, that stand out of the noise and of
    each other. Beads at the border and beads that touch are among them.

    Parameters
    ----------
    volume
        (z, y, x) or (y, x), any real dtype. It is not modified.
    voxel_size
        In the unit of ``fwhm``; 1 if not given.
    fwhm
        Width of a bead, one value an axis, where it is known; None: measured on the brightest.
    faintest
        Share of the brightness of the brightest bead below which maxima are no beads.

    Returns
    -------
    array
        (beads, axes), positions in voxels with fractions, the brightest first.

    Raises
    ------
    InputError
        If the volume is no image or volume of real numbers, or a number makes no sense.
    """
    data = as_volume(volume)
    if not 0 < faintest < 1:
        raise InputError(
            f"The faintest bead is {faintest:g} of the brightest.",
            hint="Give a share between 0 and 1.",
        )
    sizes = np.ones(data.ndim) if voxel_size is None else checked(voxel_size, data.ndim, "voxel")
    scene = Scene(data)
    widths = scene.widths() if fwhm is None else checked(fwhm, data.ndim, "bead") / sizes
    return scene.maxima(np.maximum(widths, _NARROW), faintest)


def checked(values: Sequence[float], ndim: int, whose: str) -> Kernel:
    """Return one positive number an axis."""
    sizes = np.array(values, dtype=np.float64)
    if sizes.shape != (ndim,) or not np.isfinite(sizes).all() or sizes.min() <= 0:
        raise InputError(
            f"The {whose} size is {tuple(values)}.",
            hint=f"Give {ndim} positive numbers, one an axis.",
        )
    return sizes


def as_volume(volume: ArrayLike) -> Real:
    """Return an image or volume in single precision, NaN nowhere."""
    array: NDArray[Any] = np.asarray(volume)
    if array.ndim not in (2, 3) or min(array.shape) < 1 or array.dtype.kind not in "uifb":
        raise InputError(
            f"Beads are looked for in {array.dtype} values of the shape {array.shape}.",
            hint="Give an image (y, x) or a volume (z, y, x) of real numbers: one channel, one "
            "time.",
        )
    data = array.astype(np.float32)
    if not np.isfinite(data).all():
        raise InputError(
            "The volume holds NaN or infinite values.",
            hint="Replace them, for example with numpy.nan_to_num.",
        )
    return data


class Scene:
    """A volume with beads: its background and noise, and its planes that recorded something.

    Parameters
    ----------
    data
        From :func:`as_volume`.
    """

    def __init__(self, data: Real) -> None:
        self.data = data
        self.lost = (
            dark_planes(data) if data.ndim == 3 and len(data) > 2 else np.zeros(len(data), bool)
        )
        self.background, self.noise = _level(data[~self.lost] if data.ndim == 3 else data)
        self.lit = data
        if data.ndim == 3 and self.lost.any():
            self.lit = data.copy()
            self.lit[self.lost] = self.background

    def smoothed(self, sigmas: Kernel) -> tuple[Real, float]:
        """Return the volume above its background, smoothed, and the noise left in it."""
        from scipy import ndimage

        smooth: Real = ndimage.gaussian_filter(self.lit, sigmas, mode="nearest") - self.background
        return smooth, _level(smooth)[1]

    def widths(self) -> Kernel:
        """Return the full width at half maximum of a bead, an axis, in voxels."""
        sigmas = np.array([1.0 if n > 2 else 0.0 for n in self.data.shape])
        smooth, noise = self.smoothed(sigmas)
        least = max(_SIGNIFICANT * noise, 0.2 * float(smooth.max()))
        guess = np.full(self.data.ndim, 3.0)
        peaks = _distinct(smooth, _local_maxima(smooth, guess, least)[:200], guess, 40)
        found = [w for p in peaks if (w := _half_widths(smooth, p)) is not None]
        if not found:
            return np.full(self.data.ndim, 3.0)
        blur = FWHM_PER_SIGMA * sigmas
        seen = np.nanmedian(np.array(found), axis=0)
        widths: Kernel = np.sqrt(np.maximum(seen**2 - blur**2, _NARROW**2))
        return np.where(np.isfinite(widths), widths, 3.0)

    def maxima(self, widths: Kernel, faintest: float) -> Kernel:
        """Return the beads of about these widths, the brightest first."""
        flat = np.array([n < 3 for n in self.data.shape])
        smooth, noise = self.smoothed(np.where(flat, 0.0, 0.5 * widths / FWHM_PER_SIGMA))
        least = max(_SIGNIFICANT * noise, faintest * float(smooth.max()))
        if not least > 0:
            return np.zeros((0, self.data.ndim))
        peaks = _local_maxima(smooth, widths / 2, least)
        kept = _distinct(smooth, peaks, widths, MOST)
        exact = [_centroid(smooth, peak, widths) for peak in kept]
        return np.array(exact, dtype=np.float64).reshape(-1, self.data.ndim)


def _level(data: Real) -> tuple[float, float]:
    """Return mean and standard deviation without the beads."""
    values = data.ravel()[:: max(1, data.size // 2_000_000)].astype(np.float64)
    low, high = -np.inf, float(np.quantile(values, 0.9))
    for _ in range(8):
        kept = values[(values >= low) & (values <= high)]
        mean, spread = float(kept.mean()), float(kept.std())
        if spread == 0:
            break
        low, high = mean - 4 * spread, mean + 4 * spread
    return mean, spread


def _local_maxima(smooth: Real, reach: Kernel, least: float) -> list[NDArray[np.intp]]:
    """Return the indices of local maxima above ``least``, the brightest first."""
    from scipy import ndimage

    halves = [min(max(1, round(float(r))), 8) for r in reach]
    top = ndimage.maximum_filter(smooth, size=[2 * h + 1 for h in halves], mode="nearest")
    where = np.argwhere((smooth == top) & (smooth > least))
    order = np.argsort(-smooth[tuple(where.T)], kind="stable")
    return list(where[order])


def _half_widths(smooth: Real, peak: NDArray[np.intp]) -> Kernel | None:
    """Return the widths at half height along the axes; NaN where the border comes first."""
    height = smooth[tuple(peak)]
    widths = np.full(smooth.ndim, np.nan)
    for axis, n in enumerate(smooth.shape):
        line = smooth[tuple(slice(None) if a == axis else peak[a] for a in range(smooth.ndim))]
        ends = []
        for side in (line[peak[axis] :], line[peak[axis] :: -1]):
            below = np.flatnonzero(side <= height / 2)
            if below.size:
                k = int(below[0])
                ends.append(k - 1 + (side[k - 1] - height / 2) / (side[k - 1] - side[k]))
        if ends and n > 2:
            widths[axis] = sum(ends) if len(ends) == 2 else 2 * ends[0]
    return widths if np.isfinite(widths).any() else None


def _distinct(
    smooth: Real, peaks: list[NDArray[np.intp]], widths: Kernel, most: int
) -> list[NDArray[np.intp]]:
    """Return the maxima that are beads of their own, not bumps on a brighter one."""
    kept: list[NDArray[np.intp]] = []
    for peak in peaks:
        away = (np.array(kept).reshape(-1, peak.size) - peak) / widths
        near = np.flatnonzero(np.linalg.norm(away, axis=1) < _FAR)
        if all(_apart(smooth, peak, kept[i], widths) for i in near):
            kept.append(peak)
        if len(kept) == most:
            break
    return kept


def _apart(smooth: Real, peak: NDArray[np.intp], other: NDArray[np.intp], widths: Kernel) -> bool:
    """Return whether a maximum is as bright as a brighter one nearby, with darkness between."""
    from scipy import ndimage

    close = np.linalg.norm((peak - other) / widths) < 3
    if close and smooth[tuple(peak)] < _EQUAL * smooth[tuple(other)]:
        return False
    steps = np.linspace(0, 1, 32)
    line = ndimage.map_coordinates(smooth, peak[:, None] + (other - peak)[:, None] * steps, order=1)
    return bool(line.min() < _DIP * smooth[tuple(peak)])


def _centroid(smooth: Real, peak: NDArray[np.intp], widths: Kernel) -> Kernel:
    """Return the centre of light of what is above half, in a box as large as the bead."""
    box = tuple(
        slice(max(0, int(p - w / 2 - 1)), int(p + w / 2 + 2))
        for p, w in zip(peak, widths, strict=True)
    )
    light = np.maximum(smooth[box] - smooth[tuple(peak)] / 2, 0.0).astype(np.float64)
    total = light.sum()
    if not total > 0:
        return peak.astype(np.float64)
    centre = [
        part.start
        + float(light.sum(axis=tuple(set(range(light.ndim)) - {axis})) @ np.arange(n))
        / float(total)
        for axis, (part, n) in enumerate(zip(box, light.shape, strict=True))
    ]
    return np.array(centre)
