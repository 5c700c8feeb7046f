"""OME-XML: what an OME-TIFF says about axes, voxel size and units, read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import PIXEL, canonical_unit, is_length, is_time, unit_symbol
from napari_selfsup_recon.io._facts import positive

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
NAMESPACE = "napari-selfsup-recon/result"
AXES = ("t", "c", "z", "y", "x")
# The types of OME that NumPy has; others must be converted first.
TYPES = {
    "bool": "bit",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "float32": "float",
    "float64": "double",
}


def build(measurement: Measurement, whole: Any) -> bytes:
    """Return the OME-XML of one image whose planes are stored in the order (t, c, z), as ASCII.

    ``whole`` (JSON) is kept as a comment annotation in the namespace :data:`NAMESPACE`.

    Raises
    ------
    InputError
        If OME has no such axis or type.
    """
    strange = [a for a in measurement.axes if a not in AXES]
    kind = TYPES.get(measurement.dtype.name)
    if strange or kind is None:
        what = f"the axis {strange[0]!r}" if strange else f"{measurement.dtype} values"
        raise InputError(
            f"OME-TIFF cannot hold {what}.", hint="Write .zarr or .npy, or convert the image first."
        )
    sizes = dict(zip(measurement.axes, measurement.shape, strict=True))
    root = ElementTree.Element("OME", {"xmlns": OME})
    image = ElementTree.SubElement(root, "Image", {"ID": "Image:0", "Name": measurement.name})
    pixels = ElementTree.SubElement(
        image,
        "Pixels",
        {"ID": "Pixels:0", "DimensionOrder": "XYZCT", "Type": kind, "BigEndian": "false"}
        | {f"Size{a.upper()}": str(sizes.get(a, 1)) for a in "xyzct"}
        | _spacing(measurement),
    )
    for c in range(sizes.get("c", 1)):
        ElementTree.SubElement(pixels, "Channel", {"ID": f"Channel:0:{c}", "SamplesPerPixel": "1"})
    planes = sizes.get("z", 1) * sizes.get("c", 1) * sizes.get("t", 1)
    ElementTree.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(planes)})
    ElementTree.SubElement(image, "AnnotationRef", {"ID": "Annotation:0"})
    notes = ElementTree.SubElement(root, "StructuredAnnotations")
    note = ElementTree.SubElement(
        notes, "CommentAnnotation", {"ID": "Annotation:0", "Namespace": NAMESPACE}
    )
    ElementTree.SubElement(note, "Value").text = json.dumps(whole)
    body: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + body


def _spacing(measurement: Measurement) -> dict[str, str]:
    found = {}
    facts = zip(measurement.axes, measurement.scale, measurement.units, strict=True)
    for axis, scale, unit in facts:
        if axis in ("z", "y", "x") and (is_length(unit) or (unit == PIXEL and scale != 1.0)):
            found[f"PhysicalSize{axis.upper()}"] = repr(scale)
            found[f"PhysicalSize{axis.upper()}Unit"] = unit_symbol(unit)
        elif axis == "t" and is_time(unit):
            found["TimeIncrement"] = repr(scale)
            found["TimeIncrementUnit"] = unit_symbol(unit)
    return found


def parse(xml: str) -> ElementTree.Element:
    """Return the root of ``xml`` without namespaces.

    Raises
    ------
    ValueError
        If it is no XML.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError(f"its OME description makes no sense ({error})") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def spacing(root: ElementTree.Element, scene: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return voxel size and units by axis of image ``scene``."""
    images = root.findall("Image")
    pixels = images[scene].find("Pixels") if scene < len(images) else None
    scale: dict[str, float] = {}
    units: dict[str, str] = {}
    if pixels is None:
        return scale, units
    for axis, key, default in (
        ("x", "PhysicalSizeX", "µm"),
        ("y", "PhysicalSizeY", "µm"),
        ("z", "PhysicalSizeZ", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        size = positive(pixels.attrib.get(key))
        if size is not None:
            scale[axis] = size
            units[axis] = canonical_unit(pixels.attrib.get(f"{key}Unit", default))
    return scale, units


def note(root: ElementTree.Element) -> str | None:
    """Return the JSON that :func:`build` kept, if there is one."""
    for annotation in root.iterfind("StructuredAnnotations/CommentAnnotation"):
        if annotation.attrib.get("Namespace") == NAMESPACE:
            return annotation.findtext("Value")
    return None


def image_name(root: ElementTree.Element, scene: int) -> str | None:
    """Return the name of image ``scene``, if it has one."""
    images = root.findall("Image")
    return images[scene].attrib.get("Name") or None if scene < len(images) else None


def merge(
    scale: Mapping[str, float], units: Mapping[str, str], kept: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return scale and units, filled up with what only our own note could keep."""
    more = {a: s for a, s in kept.get("scale", {}).items() if a not in scale}
    named = {a: u for a, u in kept.get("units", {}).items() if a not in scale}
    return {**scale, **more}, {**units, **named}
