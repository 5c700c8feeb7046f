"""OME-Zarr written: NGFF 0.5 (zarr 3) or 0.4 (zarr 2), with a pyramid, bit by bit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import SPATIAL, Measurement
from napari_selfsup_recon.core.units import PIXEL
from napari_selfsup_recon.io import _pyramid
from napari_selfsup_recon.io._facts import document
from napari_selfsup_recon.io._ngff import CHANNELS, MOST_AXES

Version = Literal["0.5", "0.4"]
VERSIONS: tuple[Version, ...] = ("0.5", "0.4")
KINDS = {"t": "time", "c": "channel", **dict.fromkeys(SPATIAL, "space")}
COLOURS = ("FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")


def write_zarr(
    part: Path, measurement: Measurement, provenance: Any, *, version: Version = "0.5"
) -> None:
    """Write an OME-Zarr image and smaller copies of it, block by block.

    Each smaller copy takes the mean of 2 x 2 (x 2) voxels of the one before, and says by its
    translation that the centres of its first voxels lie half a voxel further in. The provenance is
    the attribute ``selfsup_recon`` of the group.

    Parameters
    ----------
    part
        Folder to make.
    measurement
        What to write; leading axes come out in the order of the specification: time, then channel.
    provenance
        Where it comes from, or None.
    version
        Of the specification.

    Raises
    ------
    InputError
        If there is no such version, or it cannot hold such axes.
    """
    note = document(measurement, provenance)
    image = ZarrImage(part, measurement, version=version)
    image.copy()
    image.finish(measurement, note)


class ZarrImage:
    """An OME-Zarr image that is being written: full size first, then smaller copies of it.

    Parameters
    ----------
    part, version
        See :func:`write_zarr`.
    measurement
        Its facts; the values are read by :meth:`copy` alone.
    grows
        Whether it is written frame by frame; what is not written is NaN.

    Raises
    ------
    InputError
        If there is no such version, or it cannot hold such axes.
    """

    def __init__(
        self, part: Path, measurement: Measurement, *, version: Version = "0.5", grows: bool = False
    ) -> None:
        if version not in VERSIONS:
            raise InputError(
                f"OME-Zarr cannot be written in version {version!r}.",
                hint=f"Choose {' or '.join(VERSIONS)}.",
            )
        self._measurement, self._version = measurement, version
        self.order = order_of(measurement)
        self._axes = tuple(measurement.axes[i] for i in self.order)
        self._pieces = tuple(_pyramid.chunks(measurement)[i] for i in self.order)
        zarr_format: Literal[2, 3] = 3 if version == "0.5" else 2
        self._group = zarr.open_group(str(part), mode="w", zarr_format=zarr_format)
        self._extent = _Extent(self._axes, measurement)
        whole = tuple(measurement.shape[i] for i in self.order)
        self.array = self._create("0", whole, {"fill_value": math.nan} if grows else {})

    def copy(self) -> None:
        """Write the values of the measurement, block by block."""
        _copy(self.array, self._measurement, self.order, self._extent)

    def put(self, index: Sequence[int], frame: np.ndarray[Any, Any]) -> None:
        """Write one frame, by its index along the leading axes of the measurement."""
        every = (*(slice(i, i + 1) for i in index), *(slice(0, n) for n in frame.shape))
        where = tuple(every[i] for i in self.order)
        values = frame[(None,) * len(index)]  # leading axes change places, spatial ones never
        self.array[where] = values
        self._extent.see(where, values)

    def cut(self, length: int) -> None:
        """Keep only so many entries of the first axis of the measurement."""
        shape = list(self.array.shape)
        shape[self.order.index(0)] = length
        self.array.resize(tuple(shape))

    def finish(self, measurement: Measurement, note: Mapping[str, Any]) -> None:
        """Write smaller copies, and what the image is.

        Parameters
        ----------
        measurement
            The facts as they are now: name and metadata, and the shape after :meth:`cut`.
        note
            From :func:`~napari_selfsup_recon.io._facts.document`.
        """
        levels = [tuple(f[i] for i in self.order) for f in _pyramid.factors(measurement)]
        array = self.array
        for number, by in enumerate(levels[1:], start=1):
            shape = tuple(math.ceil(n / f) for n, f in zip(self.array.shape, by, strict=True))
            smaller = self._create(str(number), shape)
            step = [f // g for f, g in zip(by, levels[number - 1], strict=True)]
            _pyramid.fill(smaller, array, step)
            array = smaller
        image = {
            "name": measurement.name,
            "axes": _axes(measurement, self.order),
            "datasets": [
                {"path": str(k), "coordinateTransformations": _place(measurement, self.order, by)}
                for k, by in enumerate(levels)
            ],
            "type": "mean",
            "metadata": {"description": "Means of 2 voxels along each axis that is halved."},
        }
        found = {"multiscales": [image]} | self._extent.omero()
        if self._version == "0.5":
            self._group.attrs.update({"ome": {"version": self._version, **found}, **note})
        else:
            image["version"] = self._version
            self._group.attrs.update({**found, **note})

    def _create(
        self, name: str, shape: tuple[int, ...], more: Mapping[str, Any] | None = None
    ) -> Any:
        return self._group.create_array(
            name,
            shape=shape,
            chunks=tuple(min(c, n) for c, n in zip(self._pieces, shape, strict=True)),
            dtype=self._measurement.dtype.newbyteorder("="),
            **(
                {"dimension_names": self._axes}
                if self._version == "0.5"
                else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
            ),
            **(more or {}),
        )


def order_of(measurement: Measurement) -> list[int]:
    """Return the axes in the order of the specification: time, channel or another, space.

    Raises
    ------
    InputError
        If it cannot hold such axes.
    """
    names = measurement.axes
    rank = {"t": 0} | dict.fromkeys(SPATIAL, 2)
    order = sorted(range(len(names)), key=lambda i: (rank.get(names[i], 1), i))
    others = [name for name in names if name not in rank]
    if len(others) > 1 or len(names) > MOST_AXES:
        raise InputError(
            f"OME-Zarr cannot hold the axes {', '.join(names)}: besides t, z, y and x there may be "
            "one more.",
            hint="Write .npy, or one file for each channel.",
        )
    return order


def _copy(array: Any, measurement: Measurement, order: Sequence[int], extent: _Extent) -> None:
    data = measurement.data
    back = [list(order).index(i) for i in range(len(order))]
    # Blocks that cut no chunk of a lazy source, in the order of the target's axes.
    own = _pyramid.grain(data, [array.chunks[i] for i in back])
    grain = [own[i] for i in order]
    for where in _pyramid.blocks(array.shape, grain, array.dtype.itemsize):
        values = np.asarray(data[tuple(where[i] for i in back)]).transpose(order)
        array[where] = values
        extent.see(where, values)


def _axes(measurement: Measurement, order: Sequence[int]) -> list[dict[str, str]]:
    described = []
    for i in order:
        axis, unit = measurement.axes[i], measurement.units[i]
        fact = {"name": axis}
        if axis in KINDS:
            fact["type"] = KINDS[axis]
        if unit != PIXEL:
            fact["unit"] = unit
        described.append(fact)
    return described


def _place(measurement: Measurement, order: Sequence[int], by: Sequence[int]) -> list[Any]:
    scale = [measurement.scale[i] * f for i, f in zip(order, by, strict=True)]
    shift = [
        measurement.translate[i] + (f - 1) / 2 * measurement.scale[i]
        for i, f in zip(order, by, strict=True)
    ]
    steps: list[Any] = [{"type": "scale", "scale": scale}]
    return [*steps, {"type": "translation", "translation": shift}] if any(shift) else steps


class _Extent:
    """Smallest and largest value of each channel, for programs that show them by name."""

    def __init__(self, axes: Sequence[str], measurement: Measurement) -> None:
        labels = measurement.metadata.get(CHANNELS)
        self._axis = axes.index("c") if "c" in axes else None
        count = measurement.shape[measurement.axes.index("c")] if "c" in axes else 0
        fits = isinstance(labels, list) and len(labels) == count > 0
        self._labels = [str(label) for label in labels] if fits and labels else []
        self._low = [math.inf] * count
        self._high = [-math.inf] * count

    def see(self, where: Sequence[slice], values: Any) -> None:
        if not self._labels or self._axis is None:
            return
        for channel, plane in zip(
            range(where[self._axis].start, where[self._axis].stop),
            np.moveaxis(values, self._axis, 0),
            strict=True,
        ):
            finite = plane[np.isfinite(plane)]
            if finite.size:
                self._low[channel] = min(self._low[channel], float(finite.min()))
                self._high[channel] = max(self._high[channel], float(finite.max()))

    def omero(self) -> dict[str, Any]:
        """Return the ``omero`` entry, or nothing where channels have no names."""
        if not self._labels:
            return {}
        channels = []
        for number, label in enumerate(self._labels):
            low, high = self._low[number], self._high[number]
            low, high = (low, high) if low < high else (0.0, 1.0)
            channels.append(
                {
                    "label": label,
                    "color": COLOURS[number % len(COLOURS)],
                    "active": True,
                    "window": {"min": low, "max": high, "start": low, "end": high},
                }
            )
        return {"omero": {"channels": channels}}
