"""Voxel sizes in the units of another image."""

from __future__ import annotations

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import conversion, is_length


def has_lengths(measurement: Measurement) -> bool:
    """Return whether the voxel size of ``measurement`` is a length, and not a number of pixels."""
    return all(is_length(unit) for unit in measurement.units[-measurement.spatial_ndim :])


def in_units_of(measurement: Measurement, other: Measurement) -> tuple[float, ...] | None:
    """Return the voxel size of ``measurement`` an axis, in the spatial units of ``other``.

    Leading axes keep their numbers. None where one of the two does not know its voxel size.
    """
    if not (has_lengths(measurement) and has_lengths(other)):
        return None
    return tuple(
        scale * (conversion(unit, other.units[-1]) or 1.0)
        for scale, unit in zip(measurement.scale, measurement.units, strict=True)
    )
