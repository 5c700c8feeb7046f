"""Lengths in the units of another image."""

from __future__ import annotations

from napari_selfsup_recon.core.measurement import Measurement

_METERS = {
    "meter": 1.0,
    "m": 1.0,
    "centimeter": 1e-2,
    "cm": 1e-2,
    "millimeter": 1e-3,
    "mm": 1e-3,
    "micrometer": 1e-6,
    "micron": 1e-6,
    "um": 1e-6,
    "\u00b5m": 1e-6,  # micro sign
    "\u03bcm": 1e-6,  # Greek mu
    "nanometer": 1e-9,
    "nm": 1e-9,
    "angstrom": 1e-10,
    "Å": 1e-10,
}


def has_lengths(measurement: Measurement) -> bool:
    """Return whether the voxel size of ``measurement`` is a length, and not a number of pixels."""
    return all(unit in _METERS for unit in measurement.units[-measurement.spatial_ndim :])


def in_units_of(measurement: Measurement, other: Measurement) -> tuple[float, ...] | None:
    """Return the voxel size of ``measurement`` an axis, in the units of the spatial axes of ``other``.

    None where one of the two does not know its voxel size.
    """
    sizes = []
    target = _METERS.get(other.units[-1])
    for scale, unit in zip(measurement.scale, measurement.units, strict=True):
        known = _METERS.get(unit)
        if known is None or target is None:
            return None
        sizes.append(scale * known / target)
    return tuple(sizes)
