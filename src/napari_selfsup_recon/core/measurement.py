"""A measurement: an array with its axes, voxel size and units. Never copied, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.provenance import fingerprint

SPATIAL = ("z", "y", "x")
FloatImage = np.ndarray[Any, np.dtype[np.float32]]
Region = tuple[slice, ...]


def default_axes(ndim: int) -> tuple[str, ...]:
    """Return the axes an unlabelled array of ``ndim`` dimensions most likely has."""
    names = ("t", "c", *SPATIAL)
    if ndim > len(names):
        extra = tuple(f"a{i}" for i in range(ndim - len(names)))
        return extra + names
    return names[len(names) - ndim :] if ndim < 4 else ("t", *SPATIAL) if ndim == 4 else names


@dataclass(frozen=True, eq=False)
class Measurement:
    """What an instrument recorded.

    Parameters
    ----------
    data
        numpy, zarr or dask array; any real dtype. It is only ever read.
    axes
        One lower-case name an axis. ``z``, ``y``, ``x`` are spatial and must be the last axes, in
        this order; the others (``t``, ``c``, ...) lead and are processed one by one.
    scale
        Voxel size an axis, in ``units``; 1.0 where unknown.
    units
        One unit an axis (``"micrometer"``, ``"second"``); ``"pixel"`` where unknown.
    name
        Shown to the user and used for the names of results.
    translate
        Position of the first voxel an axis, in ``units``.
    metadata
        Anything that should travel with the results; JSON-safe.

    Raises
    ------
    InputError
        If the facts do not fit each other or the array is no real-valued image.
    """

    data: Any
    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    name: str = "image"
    translate: tuple[float, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in getattr(self.data, "shape", ()))
        ndim = len(shape)
        put = object.__setattr__
        put(self, "axes", tuple(a.lower() for a in self.axes) or default_axes(ndim))
        put(self, "scale", tuple(float(s) for s in self.scale) or (1.0,) * ndim)
        put(self, "units", tuple(str(u) for u in self.units) or ("pixel",) * ndim)
        put(self, "translate", tuple(float(t) for t in self.translate) or (0.0,) * ndim)
        if 0 in shape:
            raise InputError(f"{self.name!r} is empty (shape {shape}).", hint="Open another image.")
        for what in ("axes", "scale", "units", "translate"):
            given = getattr(self, what)
            if len(given) != ndim:
                raise InputError(
                    f"{self.name!r} has {ndim} axes but {len(given)} {what}: {given}.",
                    hint=f"Give one entry of {what} for each axis of the shape {shape}.",
                )
        if len(set(self.axes)) != ndim:
            raise InputError(
                f"{self.name!r} names an axis twice: {self.axes}.", hint="Give each axis one name."
            )
        n = len(self.spatial_axes)
        if n < 2 or self.axes[ndim - n :] != self.spatial_axes:
            raise InputError(
                f"The axes of {self.name!r} are {self.axes}; an image needs y and x (and z) last.",
                hint="Transpose the array or rename its axes so that they end in y, x or z, y, x.",
            )
        if any(not np.isfinite(s) or s <= 0 for s in self.scale):
            raise InputError(
                f"The voxel size of {self.name!r} is {self.scale}.",
                hint="Every entry must be a positive number.",
            )
        if np.dtype(self.data.dtype).kind not in "uifb":
            raise InputError(
                f"{self.name!r} holds {self.data.dtype} values.",
                hint="Convert it to a real-valued image first.",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def spatial_axes(self) -> tuple[str, ...]:
        """The spatial axes present: (y, x) or (z, y, x)."""
        return tuple(a for a in SPATIAL if a in self.axes)

    @property
    def spatial_ndim(self) -> int:
        """2 for images, 3 for volumes."""
        return len(self.spatial_axes)

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Shape of one image or volume."""
        return self.shape[len(self.shape) - self.spatial_ndim :]

    @property
    def spatial_scale(self) -> tuple[float, ...]:
        """Voxel size of one image or volume."""
        return self.scale[len(self.scale) - self.spatial_ndim :]

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Shape of the axes that are processed one by one (times, channels, ...)."""
        return self.shape[: len(self.shape) - self.spatial_ndim]

    def leading_indices(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the indices of the images or volumes in the array."""
        yield from product(*(range(n) for n in self.leading_shape))

    def frame(self, index: tuple[int, ...] = (), region: Region | None = None) -> FloatImage:
        """Return one image or volume as a new float32 array.

        Parameters
        ----------
        index
            Index along the leading axes.
        region
            Slices along the spatial axes; only these voxels are read.

        Raises
        ------
        InputError
            If the voxels are NaN or infinite, or ``index`` or ``region`` do not fit the axes.
        """
        selection = tuple(index) + (region or (slice(None),) * self.spatial_ndim)
        if len(selection) != len(self.shape):
            raise InputError(
                f"{self.name!r} has the axes {self.axes}; frame {tuple(index)} is none of its.",
                hint=f"Give one index for each of {self.axes[: len(self.leading_shape)]}.",
            )
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, told below
            image = np.array(self.data[selection], dtype=np.float32)
        bad = image.size - int(np.count_nonzero(np.isfinite(image)))
        if bad:
            raise InputError(
                f"{self.name!r} holds {bad} voxels that are NaN, infinite or too large.",
                hint="Replace them (for example with numpy.nan_to_num or the median) first.",
            )
        return image

    def crop(self, region: Region) -> Measurement:
        """Return the measurement on ``region`` (slices of the spatial axes, step 1)."""
        lead = len(self.leading_shape)
        starts = tuple(s.indices(n)[0] for s, n in zip(region, self.spatial_shape, strict=True))
        moved = tuple(
            t + start * s
            for t, start, s in zip(self.translate[lead:], starts, self.scale[lead:], strict=True)
        )
        return replace(
            self,
            data=self.data[(slice(None),) * lead + tuple(region)],
            translate=self.translate[:lead] + moved,
        )

    def with_data(self, data: Any, *, name: str | None = None) -> Measurement:
        """Return the same facts for another array of the same shape."""
        if tuple(data.shape) != self.shape:
            raise InputError(f"A result of shape {tuple(data.shape)} does not fit {self.shape}.")
        return replace(self, data=data, name=name or self.name)

    def describe(self) -> dict[str, Any]:
        """Return the facts that provenance keeps (JSON-safe)."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            "axes": list(self.axes),
            "scale": list(self.scale),
            "units": list(self.units),
            "fingerprint": fingerprint(self.data),
        }


def check_image(measurement: Measurement, *, smallest: int = 8) -> None:
    """Refuse what no method can work on, before any work starts.

    Raises
    ------
    InputError
        If a spatial axis is shorter than ``smallest`` (a z axis may be as short as 2), or the first
        image is constant or not finite.
    """
    for axis, n in zip(measurement.spatial_axes, measurement.spatial_shape, strict=True):
        least = 2 if axis == "z" else smallest
        if n < least:
            way = "Treat it as a 2D image." if axis == "z" else "Choose a larger image or region."
            raise InputError(
                f"{measurement.name!r} has only {n} pixel(s) along {axis}; {least} are needed.",
                hint=way,
            )
    if measurement.dtype.kind == "b":
        raise InputError(
            f"{measurement.name!r} is a mask of true and false.", hint="Choose a grey-scale image."
        )
    first = measurement.frame((0,) * len(measurement.leading_shape))
    low, high = float(first.min()), float(first.max())
    if low == high:
        raise InputError(
            f"{measurement.name!r} is constant (every voxel is {low:g}).",
            hint="There is nothing to restore; choose another image or region.",
        )


def voxels(shape: tuple[int, ...]) -> int:
    """Return the number of voxels of ``shape``."""
    return prod(shape)
