"""Grey values of layers along a line, and how wide what they show is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError

_MOST_POINTS = 2000
# Samples a pixel; more show nothing new.
_PER_PIXEL = 2


@dataclass(frozen=True, eq=False)
class Profile:
    """Grey values along a line.

    Attributes
    ----------
    name
        Of the layer.
    distance, values
        From the first end of the line, in the unit of the layer; NaN outside it.
    width
        Full width at half maximum of the highest peak, NaN where it does not fall to half.
    """

    name: str
    distance: NDArray[np.float64]
    values: NDArray[np.float64]
    width: float


def profile(layer: Image, start: ArrayLike, end: ArrayLike) -> Profile:
    """Return the grey values of ``layer`` on a straight line, linear between pixels.

    Parameters
    ----------
    layer
        An image layer; of a lazy array only what lies around the line is read.
    start, end
        Ends of the line in world coordinates, one number a dimension of the viewer.

    Raises
    ------
    InputError
        If the line has no length.
    """
    from scipy.ndimage import map_coordinates

    ends = [np.asarray(point, dtype=float)[-layer.ndim :] for point in (start, end)]
    length = float(np.linalg.norm(ends[1] - ends[0]))
    if not length > 0:
        raise InputError("The line has no length.", hint="Draw it from one end to the other.")
    first, last = (np.asarray(layer.world_to_data(point), dtype=float) for point in ends)
    count = int(np.clip(_PER_PIXEL * np.linalg.norm(last - first), 16, _MOST_POINTS)) + 1
    share = np.linspace(0, 1, count)
    points = first[:, None] + (last - first)[:, None] * share
    data = layer.data[0] if layer.multiscale else layer.data
    low = np.maximum(np.floor(points.min(axis=1)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(points.max(axis=1)).astype(int) + 2, data.shape)
    values = np.full(count, np.nan)
    if np.all(high > low):
        part = np.asarray(data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
        inside = np.all((points >= -0.5) & (points <= np.array(data.shape)[:, None] - 0.5), axis=0)
        values = map_coordinates(part.astype(float), points - low[:, None], order=1, mode="nearest")
        values[~inside] = np.nan
    return Profile(layer.name, share * length, values, peak_width(values, length / (count - 1)))


def peak_width(values: ArrayLike, step: float) -> float:
    """Return the full width at half maximum of the highest peak above the lowest value.

    Straight lines are drawn between the values; NaN where a side does not fall to half.
    """
    line = np.asarray(values, dtype=float)
    known = np.isfinite(line)
    if known.sum() < 3 or np.ptp(line[known]) == 0:
        return float("nan")
    line = np.where(known, line, np.nanmin(line)) - np.nanmin(line)
    top = int(np.argmax(line))
    return step * (_to_half(line[top:]) + _to_half(line[top::-1]))


def _to_half(line: NDArray[np.float64]) -> float:
    below = np.flatnonzero(line <= line[0] / 2)
    if below.size == 0:
        return float("nan")
    k = int(below[0])
    return k - 1 + float((line[k - 1] - line[0] / 2) / (line[k - 1] - line[k]))


def ends_of(shape: Any, ndim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the last line of a Shapes layer, in world coordinates.

    Raises
    ------
    InputError
        If there is no line.
    """
    lines = [
        np.asarray(points)
        for points, kind in zip(shape.data, shape.shape_type, strict=True)
        if kind in ("line", "path") and len(points) >= 2
    ]
    if not lines:
        raise InputError("There is no line yet.", hint="Draw one on the image.")
    start, end = (
        np.asarray(shape.data_to_world(point), dtype=float)
        for point in (lines[-1][0], lines[-1][-1])
    )
    lead: Sequence[float] = [0.0] * max(0, ndim - len(start))
    return np.array([*lead, *start]), np.array([*lead, *end])
