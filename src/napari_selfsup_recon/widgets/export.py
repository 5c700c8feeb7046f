"""Writer of image layers: voxel size, axes and provenance go with the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_selfsup_recon.core.measurement import Measurement, default_axes
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.units import canonical_unit
from napari_selfsup_recon.io.volumes import write


def write_image(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write one image layer; called by napari.

    Parameters
    ----------
    path
        Where to; an existing file is not replaced.
    data
        Pixels of the layer.
    attributes
        What napari knows of the layer.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    FileError
        If the file exists or cannot be written.
    InputError
        If the layer is no grey-scale image.
    """
    labels = tuple(str(label) for label in attributes.get("axis_labels", ()))
    named = {"y", "x"} <= set(labels)
    metadata = attributes.get("metadata") or {}
    kept = {METADATA_KEY: metadata[METADATA_KEY]} if METADATA_KEY in metadata else {}
    measurement = Measurement(
        data[0] if attributes.get("multiscale") else data,
        axes=labels if named else default_axes(data.ndim),
        scale=tuple(float(s) for s in attributes.get("scale", ())),
        units=tuple(canonical_unit(u) for u in attributes.get("units") or ()),
        translate=tuple(float(t) for t in attributes.get("translate", ())),
        name=str(attributes.get("name", "image")),
        metadata=kept,
    )
    return [str(write(path, measurement))]
