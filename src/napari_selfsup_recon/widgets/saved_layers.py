"""Layers as files hold them: all that napari knows of an image, and the image made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer
from napari.utils.colormaps import AVAILABLE_COLORMAPS

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement, default_axes
from napari_selfsup_recon.core.units import canonical_unit
from napari_selfsup_recon.io.saved_runs import SavedLayer, json_safe


def describe_layer(role: str, layer: Image) -> SavedLayer:
    """Return all of an image layer but its values."""
    low, high = limits(layer)
    return SavedLayer(
        role=role,
        name=str(layer.name)[:1000],
        shape=tuple(map(int, layer.data.shape)),
        scale=tuple(map(float, layer.scale)),
        translate=tuple(map(float, layer.translate)),
        rotate=tuple(tuple(map(float, line)) for line in layer.rotate),
        shear=tuple(map(float, layer.shear)),
        affine=tuple(tuple(map(float, line)) for line in layer.affine.affine_matrix),
        units=tuple(str(unit) for unit in layer.units),
        axis_labels=tuple(str(label) for label in layer.axis_labels),
        contrast_limits=(low, high),
        colormap=str(layer.colormap.name),
        gamma=float(layer.gamma),
        visible=bool(layer.visible),
        metadata=json_safe(layer.metadata),
    )


def limits(layer: Image) -> tuple[float, float]:
    """Return the contrast limits."""
    low, high = layer.contrast_limits
    return float(low), float(high)


def measurement_of(layer: SavedLayer, data: Any) -> Measurement:
    """Return the values with the facts that a file can hold, for those who open it elsewhere."""
    ndim = len(layer.shape)
    labels = tuple(label.lower() for label in layer.axis_labels)
    order = [axis for axis in ("t", "c", "z", "y", "x") if axis in labels]
    axes = labels if list(labels) == order and {"y", "x"} <= set(labels) else default_axes(ndim)
    return Measurement(
        data,
        axes=axes,
        scale=tuple(abs(size) for size in layer.scale),
        units=tuple(map(canonical_unit, layer.units)),
        translate=layer.translate,
        name=layer.name,
        metadata=layer.metadata,
    )


def image_of(layer: SavedLayer, data: Any) -> Image:
    """Return the layer; it is not in a viewer yet."""
    facts = layer.model_dump(
        include={"name", "scale", "translate", "shear", "units", "axis_labels", "metadata"}
        | {"contrast_limits", "gamma", "visible"}
    )
    colormap = layer.colormap if layer.colormap in AVAILABLE_COLORMAPS else "gray"
    try:
        return Image(
            data,
            rgb=False,
            multiscale=False,
            rotate=[list(line) for line in layer.rotate],
            affine=[list(line) for line in layer.affine],
            colormap=colormap,
            **facts,
        )
    except Exception as error:  # whatever napari finds wrong with such a place
        raise FileError(
            f"{layer.name!r} cannot be shown where the file says: {error}.",
            hint="Save the run again.",
        ) from error


def path_of(layer: Layer) -> Path | None:
    """Return the file that napari read the layer from."""
    path = layer.source.path
    return Path(path).absolute() if path and Path(path).exists() else None


def outside(origin: Path, target: Path) -> dict[str, Any]:
    """Return where the file of the input lies, also as seen from the folder of the run."""
    try:
        beside = Path(os.path.relpath(origin, target.absolute())).as_posix()
    except ValueError:  # another drive
        beside = None
    return {"file": None, "origin": str(origin), "beside": beside}
