"""The PSF of a microscope from images of beads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._bead_mean import Aligned, align, cut
from napari_selfsup_recon.physics.psf._bead_patches import Mask, Patch
from napari_selfsup_recon.physics.psf._find_beads import Scene, as_volume, checked, find_beads
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, in_words
from napari_selfsup_recon.physics.psf._fwhm import fwhm as widths_of
from napari_selfsup_recon.physics.psf._peak_fit import fit_peak
from napari_selfsup_recon.physics.psf._recorded import check_length, plateau
from napari_selfsup_recon.physics.psf._steps import clip_negative, normalise, suppress_noise

__all__ = ["Bead", "BeadPsf", "find_beads", "from_beads"]

_EDGE = 1.25  # widths; nearer to the border, a bead is cut
_TOUCHING = 2.0  # widths; nearer to each other, beads share their light
_REACH = 2.5  # widths from the centre to the border of the PSF


@dataclass(frozen=True)
class Bead:
    """One bead.

    Attributes
    ----------
    position
        In voxels, with fractions.
    brightness
        Grey values of the whole bead above its background.
    background
        Grey value around it.
    residual
        Difference from the others after smoothing, as a share of the bead (0: the
        same); NaN where there is nothing to compare it with.
    reason
        Why it was not used; empty if it was.
    """

    position: tuple[float, ...]
    brightness: float = math.nan
    background: float = math.nan
    residual: float = math.nan
    reason: str = ""


@dataclass(frozen=True, eq=False)
class BeadPsf:
    """A PSF measured on beads.

    Attributes
    ----------
    psf
        float64, odd sides, centre at ``n // 2``, nothing negative, sum 1.
    fwhm
        Full width at half maximum an axis, in the unit of ``scale``.
    scale
        Voxel size; 1 where none was given.
    quality
        1 less the typical residual of the beads: 1 where all are the same, below about 0.9 where
        they are not images of the same thing. None for a single bead.
    used, rejected
        The beads; those rejected say why.
    findings
        What is to be told.
    """

    psf: Kernel
    fwhm: tuple[float, ...]
    scale: tuple[float, ...]
    quality: float | None
    used: tuple[Bead, ...]
    rejected: tuple[Bead, ...]
    findings: tuple[Finding, ...]


def from_beads(
    volume: ArrayLike,
    points: ArrayLike | None = None,
    *,
    voxel_size: Sequence[float] | None = None,
    shape: Sequence[int] | None = None,
    saturation: float | None = None,
) -> BeadPsf:
    """Return the mean of beads, aligned to fractions of a voxel.

    Each bead is cut out, freed of its background, and moved onto the mean of all by least squares,
    in rounds. Beads that are cut by the border, touch another, are saturated, are crossed by a lost
    plane or differ from the rest are left out, with the reason. Around each, voxels that belong to
    neighbours or lie outside of the volume do not count.

    Parameters
    ----------
    volume
        (z, y, x) or (y, x), any real dtype. It is not modified.
    points
        Positions of beads in voxels, (beads, axes); they are moved to the nearest maximum. None:
        found by :func:`find_beads`.
    voxel_size
        One value an axis; 1 if not given.
    shape
        Of the PSF; made odd. None: 2.5 widths to each side.
    saturation
        Grey value at which the detector is full; None: plateaus are looked for.

    Raises
    ------
    InputError
        If there is no bead, or none can be used; with how many were left out and why.
    """
    data = as_volume(volume)
    scale = (1.0,) * data.ndim
    if voxel_size is not None:
        scale = tuple(checked(voxel_size, data.ndim, "voxel").tolist())
    scene = Scene(data)
    rough = np.maximum(scene.widths(), 1.5)
    found = scene.maxima(rough, 0.1)
    centres = found if points is None else _near(points, found, data.shape, rough)
    if not len(centres):
        raise InputError(
            "No bead was found.",
            hint="Mark the beads with points, or choose a volume with bright beads on a dark "
            "ground.",
        )
    everything = np.unique(np.concatenate([centres, found]), axis=0)
    sides = _sides(shape, rough, data.shape)
    core = _ellipsoid(sides, rough, 1.25)
    rejected: list[Bead] = []
    usable: list[Patch] = []
    for centre in centres:
        others = everything[np.abs(everything - centre).max(axis=1) > 1e-6]
        reason = _fault(scene, centre, others, rough, _full(volume, saturation))
        if reason:
            rejected.append(Bead(tuple(centre.tolist()), reason=reason))
        else:
            usable.append(cut(scene, centre, others, sides, rough, core))
    if not usable:
        raise InputError(
            f"None of the {len(centres)} beads can be used: {_reasons(rejected)}.",
            hint="Record single beads, bright but not saturated, away from the border.",
        )
    aligned = align(scene, usable, everything, sides, rough, core)
    rejected += [_bead(p, r, "differs from the other beads") for p, r in aligned.strange]
    return _told(aligned, rejected, scene, scale)


def _near(points: ArrayLike, found: Kernel, shape: tuple[int, ...], widths: Kernel) -> Kernel:
    """Return the beads that the points mean."""
    given = np.array(points, dtype=np.float64)
    if given.size == 0:
        return np.zeros((0, len(shape)))
    if given.ndim != 2 or given.shape[1] != len(shape) or not np.isfinite(given).all():
        raise InputError(
            f"The points have the shape {given.shape}, the volume {len(shape)} axes.",
            hint="Give one row a bead with one position in voxels for each axis.",
        )
    outside = ((given < -0.5) | (given > np.array(shape) - 0.5)).any(axis=1)
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} of {len(given)} points lie outside of the volume "
            f"({in_words(shape)} voxels).",
            hint="Give positions in voxels, not in micrometers, in the order z, y, x.",
        )
    centres = []
    for point in given:
        apart = np.linalg.norm((found - point) / widths, axis=1)
        nearest = int(np.argmin(apart)) if len(found) else -1
        centres.append(found[nearest] if nearest >= 0 and apart[nearest] < 1.5 else point)
    return np.unique(np.array(centres), axis=0)


def _sides(shape: Sequence[int] | None, widths: Kernel, volume: tuple[int, ...]) -> tuple[int, ...]:
    if shape is None:
        halves = [math.ceil(_REACH * w) for w in widths]
    elif len(shape) != len(volume) or min(shape) < 1:
        raise InputError(
            f"The PSF is to have the shape {tuple(shape)}, the volume has {len(volume)} axes.",
            hint="Give one positive length an axis.",
        )
    else:
        halves = [int(n) // 2 for n in shape]
    return tuple(2 * min(h, (n - 1) // 2) + 1 for h, n in zip(halves, volume, strict=True))


def _ellipsoid(shape: tuple[int, ...], widths: Kernel, reach: float) -> Mask:
    """Return the voxels within ``reach`` widths of the middle."""
    grids = np.indices(shape, dtype=np.float64)
    away = sum(
        ((g - n // 2) / max(w, 1e-9)) ** 2 for g, n, w in zip(grids, shape, widths, strict=True)
    )
    return np.asarray(away) <= reach**2


def _full(volume: ArrayLike, saturation: float | None) -> float | None:
    if saturation is not None:
        return float(saturation)
    dtype = np.asarray(volume).dtype
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else None


def _fault(scene: Scene, centre: Kernel, others: Kernel, widths: Kernel, full: float | None) -> str:
    """Return why a bead cannot be used, or nothing."""
    volume = np.array(scene.data.shape)
    deep = volume > 2
    edge = np.minimum(centre, volume - 1 - centre) / widths
    if (edge[deep] < _EDGE).any():
        axis = "zyx"[-len(volume) :][int(np.argmin(np.where(deep, edge, np.inf)))]
        return f"cut by the border along {axis}"
    if len(others):
        apart = np.linalg.norm((others - centre) / widths, axis=1)
        if apart.min() < _TOUCHING:
            return "touches another bead"
    box = tuple(
        slice(max(0, math.ceil(c - w)), math.floor(c + w) + 1)
        for c, w in zip(centre, widths, strict=True)
    )
    if len(volume) == 3 and scene.lost[box[0]].any():
        return "crossed by a dark plane"
    inside: Kernel = scene.data[box].astype(np.float64)
    if full is not None and np.count_nonzero(inside >= full) > 1:
        return "saturated"
    if inside.min() < inside.max() and plateau(inside):
        return "saturated"
    if float(inside.max()) - scene.background < 4 * scene.noise:
        return "too faint"
    return ""


def _told(
    aligned: Aligned,
    rejected: list[Bead],
    scene: Scene,
    scale: tuple[float, ...],
) -> BeadPsf:
    """Return the PSF of the mean bead with everything that is to be said about it."""
    mean, residuals = aligned.mean, aligned.residuals
    peak = fit_peak(mean)
    voxels = widths_of(mean) if peak is None else peak.fwhm
    widths = tuple(w * s for w, s in zip(voxels, scale, strict=True))
    length = check_length(mean)
    kernel, _ = suppress_noise(mean)
    kernel, _ = clip_negative(kernel)
    kernel, _ = normalise(kernel)
    used = tuple(_bead(p, r) for p, r in zip(aligned.used, residuals, strict=True))
    quality = max(0.0, 1.0 - float(np.median(residuals))) if len(used) > 1 else None
    count = len(used) + len(rejected)
    message = f"{len(used)} of {count} beads were used."
    if rejected:
        message += f" Left out: {_reasons(rejected)}."
    findings = [Finding("beads", message, "ok" if len(used) > 2 else "warning")]
    if quality is None:
        findings.append(
            Finding(
                "quality",
                "A single bead has nothing to be compared with, and all of its noise is in the "
                "PSF. Three and more are better.",
                "warning",
            )
        )
    else:
        findings.append(
            Finding(
                "quality",
                f"The beads differ from their mean by {100 * (1 - quality):.0f} %.",
                "ok" if quality > 0.8 else "warning",
            )
        )
    if scene.lost.any():
        lost = int(scene.lost.sum())
        findings.append(Finding("dark planes", f"{lost} dark planes were left out.", "warning"))
    if length.level != "ok":
        findings.append(length)
    return BeadPsf(kernel, widths, scale, quality, used, tuple(rejected), tuple(findings))


def _reasons(rejected: list[Bead]) -> str:
    counts = Counter(bead.reason for bead in rejected)
    return ", ".join(f"{reason} ({number})" for reason, number in counts.most_common())


def _bead(patch: Patch, residual: float, reason: str = "") -> Bead:
    return Bead(tuple(patch.centre.tolist()), patch.brightness, patch.background, residual, reason)
