"""Files as layers, where they lie in space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Image

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.runs.batch.rows import stem_of
from napari_selfsup_recon.widgets.bridge import unique_name, unwrap


def read_file(path: Path, scene: int = 0) -> tuple[Measurement, dict[str, Any] | None]:
    """Return the image of a file and its provenance; for a thread of its own.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    return volumes.read(path, scene=scene), volumes.read_provenance(path)


def add_file(
    viewer: Any, path: Path, image: Measurement, provenance: dict[str, Any] | None
) -> Image:
    """Add what :func:`read_file` returned as a layer named like the file, and select it."""
    viewer = unwrap(viewer)
    layer = Image(
        image.data,
        name=unique_name(stem_of(path), [other.name for other in viewer.layers]),
        scale=image.scale,
        translate=image.translate,
        units=image.units,
        axis_labels=image.axes,
        metadata={METADATA_KEY: provenance} if provenance is not None else {},
        rgb=False,
        multiscale=False,
    )
    viewer.layers.append(layer)
    viewer.layers.selection.active = layer
    return layer
