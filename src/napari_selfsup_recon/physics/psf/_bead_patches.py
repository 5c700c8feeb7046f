"""Cut-outs around beads, moved by fractions of a voxel, and the mean bead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.physics.psf._core import smooth
from napari_selfsup_recon.physics.psf._find_beads import Real
from napari_selfsup_recon.physics.psf._finding import Kernel
from napari_selfsup_recon.physics.psf._peak_fit import fit_peak

_MARGIN = 6  # voxels around a cut-out that the spline sees
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patch:
    """A bead, cut out so that its centre lies at ``n // 2``.

    Attributes
    ----------
    centre
        In voxels of the volume.
    values
        Grey values of the bead, moved there by quintic splines.
    valid
        Which of them show this bead: inside of the volume, and nearer to it than to others.
    """

    centre: Kernel
    values: Kernel
    valid: Mask
    background: float = 0.0
    brightness: float = 1.0


def cut_out(
    volume: Real,
    bad: Mask | None,
    centre: Kernel,
    shape: tuple[int, ...],
    others: Kernel,
    widths: Kernel,
) -> Patch:
    """Return the bead at ``centre``.

    Parameters
    ----------
    volume
        All of the data.
    bad
        Planes that are lost, one value a plane; None if none is.
    centre
        In voxels, with fractions.
    shape
        Of the cut-out.
    others
        Centres of all other beads, (beads, axes).
    widths
        Full widths at half maximum; the measure of what is near to another bead.
    """
    corner = np.round(centre).astype(int) - np.array(shape) // 2 - _MARGIN
    index = [
        np.clip(np.arange(c, c + n + 2 * _MARGIN), 0, size - 1)
        for c, n, size in zip(corner, shape, volume.shape, strict=True)
    ]
    values = volume[np.ix_(*index)].astype(np.float64)
    for axis, offset in enumerate(centre - np.round(centre)):
        values = _shifted(values, axis, float(offset))
    values = values[tuple(slice(_MARGIN, _MARGIN + n) for n in shape)]
    grids = [
        np.arange(n, dtype=np.float64) - n // 2 + c for n, c in zip(shape, centre, strict=True)
    ]
    valid = np.ones(shape, dtype=bool)
    for axis, (grid, size) in enumerate(zip(grids, volume.shape, strict=True)):
        inside = (grid > -0.51) & (grid < size - 0.49)
        if axis == 0 and bad is not None:
            nearest = np.clip(np.round(grid).astype(int), 0, size - 1)
            inside &= ~bad[nearest]
        valid &= inside.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    own = _distance(grids, centre, widths)
    for other in others:
        away = _distance(grids, other, widths)
        # Two widths away a bead is dark, and nearer to its own centre the other one outshines it.
        valid &= (away > 2.0) | (away > 1.5 * own)
    return Patch(centre, values, valid)


def _distance(grids: list[Kernel], place: Kernel, widths: Kernel) -> Kernel:
    """Return how far each voxel is from ``place``, in widths."""
    squares = [((g - p) / w) ** 2 for g, p, w in zip(grids, place, widths, strict=True)]
    total: Kernel = np.zeros([square.size for square in squares])
    for part in np.ix_(*squares):
        total += part
    return np.sqrt(total)


def _shifted(values: Kernel, axis: int, offset: float) -> Kernel:
    """Return the values at positions ``offset`` further on along an axis, by quintic splines."""
    from scipy import ndimage

    # One axis after the other: a matrix each is far cheaper than 6 x 6 x 6 neighbours a voxel.
    unit = np.eye(values.shape[axis])
    matrix = ndimage.shift(unit, (-offset, 0.0), order=5, mode="nearest")
    moved: Kernel = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return moved


def with_background(patch: Patch, core: Mask) -> Patch:
    """Return the patch with the grey value around the bead and the light in it."""
    shell = np.ones(patch.values.shape, dtype=bool)
    shell[tuple(slice(1, -1) if n > 2 else slice(None) for n in patch.values.shape)] = False
    around = patch.values[shell & patch.valid]
    if around.size < 8:
        around = patch.values[patch.valid & ~core]
    if around.size == 0:
        around = patch.values[patch.valid]
    for _ in range(4):  # other beads' light is no background
        kept = around[around <= np.median(around) + 3 * around.std()]
        if kept.size in (0, around.size):
            break
        around = kept
    background = float(around.mean())
    light = float((patch.values - background)[core & patch.valid].sum())
    return replace(patch, background=background, brightness=max(light, 1e-12))


def mean_of(patches: list[Patch]) -> Kernel:
    """Return the mean bead, of brightness 1 and without background.

    Light is added to light, so that bright beads count more: best for photon noise. Where no bead
    is valid, the voxel opposite stands in.
    """
    total = np.zeros(patches[0].values.shape)
    count = np.zeros(patches[0].values.shape)
    for patch in patches:
        total += np.where(patch.valid, patch.values - patch.background, 0.0)
        count += patch.brightness * patch.valid
    mean: Kernel = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return np.where(count > 0, mean, np.flip(mean))


def median_of(patches: list[Patch]) -> Kernel:
    """Return the median bead, which a few strange ones do not disturb."""
    stack = np.array(
        [np.where(p.valid, (p.values - p.background) / p.brightness, np.nan) for p in patches]
    )
    some = np.isfinite(stack).any(axis=0)
    median = np.zeros(patches[0].values.shape)
    median[some] = np.nanmedian(stack[:, some], axis=0)
    return median


def offset_of(patch: Patch, template: Kernel, core: Mask) -> tuple[Kernel, float]:
    """Return how far the bead's centre is from ``patch.centre``, and its brightness.

    Least squares of :math:`a\\,T(x - d) + b` to first order in d, within the core.
    """
    soft = smooth(template)
    slopes = np.gradient(soft)
    inside = core & patch.valid
    flat = [n < 3 for n in template.shape]
    columns = [soft[inside], np.ones(np.count_nonzero(inside))]
    columns += [s[inside] for s, f in zip(slopes, flat, strict=True) if not f]
    values = smooth(np.where(patch.valid, patch.values - patch.background, 0.0))[inside]
    found = np.linalg.lstsq(np.stack(columns, axis=1), values, rcond=None)[0]
    shift = np.zeros(template.ndim)
    if found[0] > 0:
        shift[[not f for f in flat]] = -found[2:] / found[0]
    return np.clip(shift, -1.0, 1.0), float(found[0])


def centre_of(template: Kernel) -> Kernel:
    """Return how far the template's own centre is from ``n // 2``."""
    middle = np.array([n // 2 for n in template.shape], dtype=np.float64)
    peak = fit_peak(smooth(template))
    return np.zeros(template.ndim) if peak is None else np.clip(peak.centre - middle, -1.0, 1.0)
