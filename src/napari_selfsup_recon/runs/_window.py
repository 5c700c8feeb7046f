"""A part of an array, read only where it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_selfsup_recon.core.measurement import Measurement


class Window:
    """Rectangular part of an array that reads on slicing (zarr, memory maps, and the like).

    Parameters
    ----------
    source
        Anything with ``shape``, ``dtype`` and basic slicing.
    slices
        One slice an axis, with positive steps.
    """

    def __init__(self, source: Any, slices: tuple[slice, ...]) -> None:
        self._source = source
        self._ranges = tuple(
            range(*s.indices(n)) for s, n in zip(slices, source.shape, strict=True)
        )
        self.shape = tuple(map(len, self._ranges))
        self.dtype = np.dtype(source.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        """Return the voxels at ``key``: whole numbers and slices, from the first axis on."""
        given = key if isinstance(key, tuple) else (key,)
        full = given + (slice(None),) * (self.ndim - len(given))
        return self._source[tuple(_at(r, k) for r, k in zip(self._ranges, full, strict=True))]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Read all of it."""
        return np.array(self[()], dtype=dtype)


def select(measurement: Measurement, slices: tuple[slice, ...]) -> Measurement:
    """Return the part of ``measurement`` at ``slices`` (one an axis); nothing is read.

    Scale and position follow, so that the part lies where it was.
    """
    ranges = [range(*s.indices(n)) for s, n in zip(slices, measurement.shape, strict=True)]
    if all(r == range(n) for r, n in zip(ranges, measurement.shape, strict=True)):
        return measurement
    data = measurement.data
    lazy = isinstance(data, np.ndarray) or hasattr(data, "map_blocks")
    return replace(
        measurement,
        data=data[slices] if lazy else Window(data, slices),
        scale=tuple(s * r.step for s, r in zip(measurement.scale, ranges, strict=True)),
        translate=tuple(
            t + r.start * s
            for t, r, s in zip(measurement.translate, ranges, measurement.scale, strict=True)
        ),
    )


def _at(span: range, key: Any) -> Any:
    if isinstance(key, slice):
        part = span[key]
        if len(part) == 0:
            return slice(0, 0)
        return slice(part[0], part[-1] + 1, part.step)
    return span[int(key)]
