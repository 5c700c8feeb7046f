"""Voxel sizes as methods take them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_selfsup_recon.core.errors import InputError


def checked_voxel(voxel_size: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return the side of a voxel an axis, ones where ``voxel_size`` is None.

    Raises
    ------
    InputError
        If it has another number of axes or is not positive.
    """
    if voxel_size is None:
        return (1.0,) * ndim
    sides = tuple(float(side) for side in voxel_size)
    if len(sides) != ndim or not all(0 < side < float("inf") for side in sides):
        raise InputError(
            f"The voxel size {sides} does not fit {ndim} axes.",
            hint="Give one positive length an axis.",
        )
    return sides
