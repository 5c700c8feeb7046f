"""Pyramids: which resolutions a large image gets, and means of neighbouring voxels, bit by bit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import conversion

SMALLEST = 256  # pixels: an image that is no larger needs no smaller copy
AT_ONCE = 64 * 2**20  # bytes that are held at a time


def factors(measurement: Measurement) -> list[tuple[int, ...]]:
    """Return how many voxels each resolution takes together along each axis, full size first.

    y and x are halved until neither is longer than 256 pixels. z is halved with them as soon as
    the planes are no further apart than the pixels, so that voxels become cubes and stay cubes.
    """
    axes, shape = measurement.axes, measurement.shape
    y, x, z = axes.index("y"), axes.index("x"), axes.index("z") if "z" in axes else None
    levels = [(1,) * len(axes)]
    while True:
        last = levels[-1]
        size = [math.ceil(n / f) for n, f in zip(shape, last, strict=True)]
        if max(size[y], size[x]) <= SMALLEST:
            return levels
        halved = {i for i in (y, x) if size[i] > 1}
        if z is not None and size[z] > 1:
            pixel = min(measurement.scale[i] * last[i] * _to(measurement, i, z) for i in (y, x))
            if measurement.scale[z] * last[z] < math.sqrt(2) * pixel:
                halved.add(z)
        levels.append(tuple(2 * f if i in halved else f for i, f in enumerate(last)))


def _to(measurement: Measurement, source: int, target: int) -> float:
    """Return the factor from the unit of one axis to that of another; 1 where unknown."""
    return conversion(measurement.units[source], measurement.units[target]) or 1.0


def chunks(measurement: Measurement) -> tuple[int, ...]:
    """Return the shape of the chunks: 16 x 256 x 256 of a volume, 1024 x 1024 of an image."""
    spatial = (16, 256, 256) if measurement.spatial_ndim == 3 else (1024, 1024)
    lead = len(measurement.leading_shape)
    return (1,) * lead + tuple(
        min(n, c) for n, c in zip(measurement.spatial_shape, spatial, strict=True)
    )


def grain(data: Any, pieces: Sequence[int]) -> tuple[int, ...]:
    """Return the smallest block in whole chunks of the target and, if it is lazy, of the source.

    What dask computes chunk by chunk would be computed again for each block that cuts a chunk.
    """
    source = getattr(data, "chunks", None)
    if not source or not isinstance(source[0], tuple):
        return tuple(pieces)
    own = [max(c) for c in source]
    return tuple(c * math.ceil(p / c) for c, p in zip(own, pieces, strict=True))


def blocks(
    shape: Sequence[int], pieces: Sequence[int], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Iterate over an array in blocks of whole pieces, as large as 64 MiB allow."""
    size = [min(p, n) for p, n in zip(pieces, shape, strict=True)]
    for i in reversed(range(len(shape))):
        room = AT_ONCE // max(1, math.prod(size) * itemsize)
        size[i] = min(shape[i], size[i] * max(1, room))
        if size[i] < shape[i]:
            break
    starts = [range(0, n, s) for n, s in zip(shape, size, strict=True)]
    for start in product(*starts):
        yield tuple(slice(a, min(a + s, n)) for a, s, n in zip(start, size, shape, strict=True))


def shrink(values: NDArray[Any], by: Sequence[int]) -> NDArray[Any]:
    """Return means over ``by`` (1 or 2) voxels along each axis; a last odd one stays as it is."""
    dtype = values.dtype
    if max(by, default=1) == 1:
        return values
    mean: NDArray[Any] = values
    with np.errstate(invalid="ignore"):  # infinities of both signs become NaN
        for axis, factor in enumerate(by):
            if factor == 1:
                continue
            mean = np.moveaxis(mean.astype(np.float64), axis, 0)
            odd = mean[1::2]
            mean = mean[::2].copy()
            mean[: len(odd)] = mean[: len(odd)] / 2 + odd / 2
            mean = np.moveaxis(mean, 0, axis)
    if dtype.kind == "b":
        return np.asarray(mean >= 0.5)
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        # The largest 64-bit integers are no float64: the next one below is.
        highest = info.max if info.bits < 64 else np.nextafter(float(info.max), 0)
        mean = np.clip(np.rint(mean), info.min, highest)
    return mean.astype(dtype)


def fill(target: Any, source: Any, by: Sequence[int]) -> None:
    """Write the means of ``source`` into ``target``, both zarr arrays."""
    for where in blocks(target.shape, target.chunks, 8 * math.prod(by)):  # means are float64
        wider = tuple(
            slice(s.start * f, min(s.stop * f, n))
            for s, f, n in zip(where, by, source.shape, strict=True)
        )
        target[where] = shrink(np.asarray(source[wider]), by)
