"""Voxel sizes in TIFF files without OME: ImageJ's description and the resolution tags."""

from __future__ import annotations

from typing import Any

import tifffile

from napari_selfsup_recon.core.units import PIXEL, canonical_unit, is_length
from napari_selfsup_recon.io._facts import positive

INCH, CENTIMETER = 2, 3
# Resolutions that programs fill in for printers; they say nothing about the sample.
PRINT_DPI = (
    *(1.0, 2.54, 72.0, 75.0, 90.0, 96.0, 100.0, 120.0, 144.0, 150.0, 180.0, 200.0, 240.0),
    *(254.0, 300.0, 350.0, 360.0, 400.0, 600.0, 720.0, 1200.0, 2400.0),
)


def imagej_spacing(tif: tifffile.TiffFile) -> tuple[dict[str, float], dict[str, str]]:
    """Return voxel size and units by axis of an ImageJ file.

    ImageJ keeps pixels per unit in the resolution tags and the unit, the distance of planes and the
    time between frames in its description.
    """
    facts = tif.imagej_metadata or {}
    tags = tif.pages.first.tags
    unit = canonical_unit(facts.get("unit"))
    if unit == PIXEL:
        kind = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 1
        if kind in (INCH, CENTIMETER):  # ImageJ writes these two units nowhere else
            return resolution_spacing(tif)
        return {}, {}
    scale = _steps(tags, facts)
    units = dict.fromkeys(scale, unit)
    for key, axis in (("yunit", "y"), ("zunit", "z")):
        if axis in units and facts.get(key):
            units[axis] = canonical_unit(facts[key])
    interval = positive(facts.get("finterval"))
    if interval is not None:
        scale["t"] = interval
        units["t"] = canonical_unit(facts.get("tunit") or "second")
    return scale, units


def resolution_spacing(tif: tifffile.TiffFile) -> tuple[dict[str, float], dict[str, str]]:
    """Return the pixel size of a plain TIFF in micrometers, if its resolution is no printer's."""
    tags = tif.pages.first.tags
    kind = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 1
    scale: dict[str, float] = {}
    if kind not in (INCH, CENTIMETER):
        return _shaped_spacing(tif)
    inches = 1.0 if kind == INCH else 2.54
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        per_unit = _ratio(tags[name].value) if name in tags else None
        if per_unit is None:
            return {}, {}
        dpi = per_unit * inches
        if any(abs(dpi - usual) < 0.02 * usual for usual in PRINT_DPI) or dpi < 1:
            return {}, {}
        scale[axis] = 25400.0 / dpi
    return scale, dict.fromkeys(scale, "micrometer")


def _shaped_spacing(tif: tifffile.TiffFile) -> tuple[dict[str, float], dict[str, str]]:
    """Return what Python programs write with tifffile in ImageJ's manner, without ImageJ's mark."""
    facts = (tif.shaped_metadata or ({},))[0]
    unit = canonical_unit(facts.get("unit"))
    tags = tif.pages.first.tags
    if not is_length(unit):
        return {}, {}
    scale = _steps(tags, facts)
    return scale, dict.fromkeys(scale, unit)


def _steps(tags: Any, facts: Any) -> dict[str, float]:
    """Return the voxel size from the resolution tags and the spacing of the planes."""
    scale = {}
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        per_unit = _ratio(tags[name].value) if name in tags else None
        if per_unit is not None:
            scale[axis] = 1.0 / per_unit
    spacing = positive(facts.get("spacing"))
    if spacing is not None:
        scale["z"] = spacing
    return scale


def _ratio(value: Any) -> float | None:
    try:
        return positive(value[0] / value[1])
    except (TypeError, IndexError, ZeroDivisionError):
        return None
