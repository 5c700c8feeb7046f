"""The rotation axis: the column of the detector onto which it falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct._angles import describe_scan
from napari_selfsup_recon.physics.ct._arrays import as_floats
from napari_selfsup_recon.physics.psf import Finding

Way = Literal["opposite views", "whole turn", "centre of mass"]
_Doubles = NDArray[np.float64]

_SLICES = 3
# A minimum shallower than this share of the typical misfit says little.
_SHALLOW = 0.25
_LEAST_VIEWS = 24
_REACH = 3.0


@dataclass(frozen=True)
class Axis:
    """Where the axis is.

    Attributes
    ----------
    column
        Of the detector, counted from 0; fractions are parts of a column.
    offset
        ``column - (columns - 1) / 2``.
    way
        How it was found.
    sure
        Whether that can be relied on.
    finding
        The same in words.
    """

    column: float
    offset: float
    way: Way
    sure: bool
    finding: Finding


def find_axis(sinograms: ArrayLike, degrees: ArrayLike) -> Axis:
    """Return the column of the rotation axis.

    Views that look from opposite sides see each other's mirror image. Where a scan goes round (360
    degrees), all such pairs are compared; of half a turn the first and the last view are, and what
    they say is refined with all views: the spectrum of the whole turn that mirroring makes of half
    a turn is empty beside a double wedge (N. T. Vo et al., Optics Express 22, 19078, 2014). Scans
    with fewer directions are judged by the centres of mass of the views, which lie on a sine around
    the axis as long as the object does not reach beyond the detector.

    Parameters
    ----------
    sinograms
        Line integrals ``(angle, column)`` or ``(slice, angle, column)``; of a stack three slices
        are looked at.
    degrees
        One angle a view.

    Raises
    ------
    InputError
        If the angles do not match, or there are fewer than three views or sixteen columns.
    """
    values = as_floats(sinograms, "sinogram").astype(np.float64)
    stack = values.reshape(-1, *values.shape[-2:])
    angles = np.asarray(degrees, dtype=np.float64).ravel()
    views, columns = stack.shape[1:]
    if angles.size != views:
        raise InputError(
            f"There are {angles.size} angles for {views} views.", hint="Give one angle a view."
        )
    if views < 3 or columns < 16:
        raise InputError(
            f"A sinogram of {views} views and {columns} columns does not show its axis.",
            hint="Enter the axis by hand.",
        )
    order = np.argsort(angles)
    stack, angles = _telling(stack)[:, order], angles[order]
    scan = describe_scan(angles)
    pairs = _opposites(angles, scan.step)
    if scan.kind == "360" and len(pairs) >= 3:
        return _of_pairs(stack, pairs, "opposite views")
    if scan.kind != "limited" and len(pairs):
        rough = _of_pairs(stack, pairs, "opposite views")
        if views < _LEAST_VIEWS:
            return rough
        # A last view that mirrors the first one would be in the turn twice.
        whole = float(angles[-1] - angles[0]) > 180.0 - 0.5 * scan.step
        return _of_half_turn(stack[:, :-1] if whole else stack, rough)
    return _of_masses(stack, angles)


def _telling(stack: _Doubles) -> _Doubles:
    """Return the slices with the most contrast, a little smoothed against noise."""
    from scipy.ndimage import gaussian_filter1d  # slow to import, so only where it is used

    if len(stack) > _SLICES:
        spread = stack.std(axis=(1, 2))
        stack = stack[np.sort(np.argsort(spread)[-_SLICES:])]
    smoothed: _Doubles = gaussian_filter1d(stack, 1.0, axis=-1, mode="nearest")
    return smoothed


def _opposites(angles: _Doubles, step: float) -> list[tuple[int, int]]:
    """Return pairs of views half a turn apart, to within a step."""
    pairs = []
    for i, angle in enumerate(angles):
        distance = np.abs(angles - angle - 180.0)
        j = int(np.argmin(distance))
        if distance[j] <= 1.01 * max(step, 0.01):
            pairs.append((i, j))
    # Of half a turn the best pair counts; a full turn has many that are equally good.
    if len(pairs) < 3:
        pairs.sort(key=lambda pair: abs(angles[pair[1]] - angles[pair[0]] - 180.0))
        pairs = pairs[:1]
    return pairs[:: max(1, len(pairs) // 20)]


def _of_pairs(stack: _Doubles, pairs: list[tuple[int, int]], way: Way) -> Axis:
    columns = stack.shape[-1]
    first = stack[:, [i for i, _ in pairs]].reshape(-1, columns)
    second = stack[:, [j for _, j in pairs]].reshape(-1, columns)
    x = np.arange(columns)
    nothing = 1e-6 * float(first.var() + second.var())

    def misfit(column: float) -> float:
        position = 2 * column - x
        inside = (position >= 0) & (position <= columns - 1)
        mirrored = _at(second, position[inside])
        part = first[:, inside]
        # Where next to nothing overlaps, next to nothing differs: compared with its own contrast.
        # Noise alone has a misfit of 1; so has air without noise.
        scale = float(part.var() + mirrored.var())
        return float(np.mean((part - mirrored) ** 2)) / scale if scale > nothing else 1.0

    return _minimum(misfit, columns, way)


def _of_half_turn(stack: _Doubles, rough: Axis) -> Axis:
    columns = stack.shape[-1]
    views = stack.shape[1]
    u = np.fft.rfftfreq(columns)
    v = np.abs(np.fft.fftfreq(2 * views)) * 2 * views
    empty = (v[:, None] > np.pi * columns * u[None] + 2) & (u[None] < 0.25)
    x = np.arange(columns)

    def misfit(column: float) -> float:
        position = 2 * column - x
        inside = (position >= 0) & (position <= columns - 1)
        total = 0.0
        for sinogram in stack:
            mirrored = sinogram[::-1].copy()  # beyond the detector: what makes no edge
            mirrored[:, inside] = _at(sinogram, position[inside])
            spectrum = np.abs(np.fft.rfft2(np.concatenate([sinogram, mirrored])))
            total += float(spectrum[empty].mean())
        return total

    steps = np.arange(rough.column - _REACH, rough.column + _REACH + 0.01, 0.5)
    steps = steps[(steps > 1) & (steps < columns - 2)]
    costs = np.array([misfit(c) for c in steps])
    best = int(np.argmin(costs))
    if best in (0, len(steps) - 1):  # the views disagree with their ends: leave it at the ends
        return rough
    column = _refined(misfit, float(steps[best]), 0.25)
    return _told(column, columns, "whole turn", rough.sure)


def _of_masses(stack: _Doubles, angles: _Doubles) -> Axis:
    columns = stack.shape[-1]
    theta = np.deg2rad(angles)
    design = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], axis=1)
    # Air is zero: what is not is taken off, a quantile that noise does not pull below.
    air = np.quantile(stack[..., [0, 1, -2, -1]], 0.5)
    mass = stack - air
    total = mass.sum(axis=-1)
    if float(np.abs(total).min()) <= 0:
        return _told((columns - 1) / 2, columns, "centre of mass", False)
    centres = (mass * np.arange(columns)).sum(axis=-1) / total
    found = [np.linalg.lstsq(design, line, rcond=None)[0] for line in centres]
    misfit = max(float(np.std(line - design @ c)) for line, c in zip(centres, found, strict=True))
    spread = [float(c[0]) for c in found]
    column = float(np.median(spread))
    edges = float(np.abs(mass[..., [0, 1, -2, -1]]).mean()) / max(float(mass.max()), 1e-12)
    steady = float(total.std() / np.abs(total.mean())) < 0.1
    inside = 0 < column < columns - 1
    sure = inside and steady and edges < 0.05 and misfit < 0.02 * columns
    return _told(column if inside else (columns - 1) / 2, columns, "centre of mass", sure)


def _minimum(misfit: Callable[[float], float], columns: int, way: Way) -> Axis:
    candidates = np.arange(0.15 * columns, 0.85 * columns, 0.5 if columns < 1500 else 1.0)
    costs = np.array([misfit(c) for c in candidates])
    best = int(np.argmin(costs))
    column = _refined(misfit, float(candidates[best]), 0.25)
    depth = 1 - float(costs[best]) / max(float(np.median(costs)), 1e-12)
    return _told(column, columns, way, depth > _SHALLOW and 0 < best < len(costs) - 1)


def _refined(misfit: Callable[[float], float], column: float, step: float) -> float:
    """Return the minimum near ``column``: a finer grid, then a parabola."""
    for width in (step, step / 3):
        grid = column + width * np.arange(-3, 4)
        costs = np.array([misfit(c) for c in grid])
        best = int(np.clip(np.argmin(costs), 1, len(grid) - 2))
        left, middle, right = costs[best - 1 : best + 2]
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
        column = float(grid[best] + width * np.clip(shift, -1, 1))
    return column


def _at(rows: _Doubles, position: _Doubles) -> _Doubles:
    """Return ``rows`` at fractional columns, linearly."""
    low = np.clip(np.floor(position).astype(int), 0, rows.shape[-1] - 2)
    part = position - low
    values: _Doubles = (1 - part) * rows[..., low] + part * rows[..., low + 1]
    return values


def _told(column: float, columns: int, way: Way, sure: bool) -> Axis:
    offset = column - (columns - 1) / 2
    words = {
        "opposite views": "views from opposite sides",
        "whole turn": "all views together",
        "centre of mass": "the centres of mass of the views",
    }
    message = (
        f"The rotation axis falls on column {column:.2f} ({offset:+.2f} from the middle), by "
        f"{words[way]}."
    )
    if not sure:
        message += " This is not certain: look at a slice, and move the axis if edges are doubled."
    return Axis(column, offset, way, sure, Finding("axis", message, "ok" if sure else "warning"))
