"""Which part of the data a run works on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs._window import select

# What a live image may hold before only its centre is shown: it must not hold up the training.
PREVIEW_2D = (384, 384)
PREVIEW_3D = (24, 96, 96)


def part_of(
    measurement: Measurement,
    region: Sequence[tuple[int, int]] | None,
    frames: Sequence[Sequence[int]] | None,
) -> Measurement:
    """Return the frames and the region of ``measurement``; nothing is read.

    Raises
    ------
    InputError
        If they lie outside the image, or the frames are no regular grid.
    """
    leading = _frame_slices(measurement, frames)
    spatial = region_slices(region, measurement.spatial_shape, measurement.name)
    return select(measurement, leading + spatial)


def region_slices(
    region: Sequence[tuple[int, int]] | None, shape: tuple[int, ...], name: str
) -> tuple[slice, ...]:
    """Return the region as slices; all of ``shape`` where it is None.

    Raises
    ------
    InputError
        If it has other axes than ``shape``, is empty, or reaches outside.
    """
    if region is None:
        return tuple(slice(0, n) for n in shape)
    if len(region) != len(shape):
        raise InputError(
            f"The region has {len(region)} axes, {name!r} has {len(shape)} spatial ones.",
            hint="Give the first and last pixel for each spatial axis.",
        )
    for axis, (start, stop), n in zip("zyx"[-len(shape) :], region, shape, strict=True):
        if not 0 <= start < stop <= n:
            raise InputError(
                f"The region runs from {start} to {stop} along {axis}, "
                f"but {name!r} has the pixels 0 to {n}.",
                hint="Move or shrink the region so that it lies inside the image.",
            )
    return tuple(slice(start, stop) for start, stop in region)


def preview_slices(
    region: Sequence[tuple[int, int]] | None, shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Return what live images show: ``region``, else everything if small, else the centre.

    Raises
    ------
    InputError
        If the region does not lie inside ``shape``.
    """
    if region is not None:
        return region_slices(region, shape, "the region to work on")
    most = PREVIEW_2D if len(shape) == 2 else PREVIEW_3D
    starts = tuple(max(0, (n - m) // 2) for n, m in zip(shape, most, strict=True))
    return tuple(slice(a, a + min(n, m)) for a, n, m in zip(starts, shape, most, strict=True))


def _frame_slices(
    measurement: Measurement, frames: Sequence[Sequence[int]] | None
) -> tuple[slice, ...]:
    shape = measurement.leading_shape
    if frames is None:
        return tuple(slice(0, n) for n in shape)
    axes = measurement.axes[: len(shape)]
    if not frames or any(len(frame) != len(shape) for frame in frames):
        raise InputError(
            f"The frames {tuple(map(tuple, frames))} do not fit the leading axes {axes} of "
            f"{measurement.name!r}.",
            hint=f"Give {len(shape)} index(es) a frame, and at least one frame.",
        )
    for frame in frames:
        if any(not 0 <= i < n for i, n in zip(frame, shape, strict=True)):
            raise InputError(
                f"{measurement.name!r} has no frame {tuple(frame)}; its leading axes {axes} have "
                f"the lengths {shape}.",
                hint="Indices count from 0.",
            )
    columns = [sorted({frame[axis] for frame in frames}) for axis in range(len(shape))]
    slices = tuple(_regular(column) for column in columns)
    if None in slices or set(product(*columns)) != {tuple(frame) for frame in frames}:
        raise InputError(
            "The chosen frames are no regular grid of times and channels.",
            hint="Choose all frames, or every n-th, of the same channels; or run them separately.",
        )
    return tuple(s for s in slices if s is not None)


def _regular(indices: list[int]) -> slice | None:
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    span = range(indices[0], indices[-1] + 1, step)
    return slice(span.start, span.stop, step) if list(span) == indices else None
