"""Layers that hold projections, k-space or images with missing pixels, and where results go."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs._scan import ANGLE_KEYS
from napari_selfsup_recon.runs.instruments import Instrument
from napari_selfsup_recon.widgets.bridge import Source, check_layer, guess_axes, source_of, unwrap
from napari_selfsup_recon.widgets.levels import array_of

_DARKEST, _BRIGHTEST = 0.01, 0.998
_VIEWS = frozenset(("angle", "angles", "theta", "view", "views", "projection", "tilt"))


def looks_like_scan(layer: Layer) -> bool:
    """Whether the layer says that it holds projections: by its angles or by the name of an axis."""
    labels = {str(label).lower() for label in layer.axis_labels}
    return bool(ANGLE_KEYS & set(layer.metadata) or labels & _VIEWS)


def recon_source(
    layer: Layer, instrument: Instrument, *, index: tuple[int, ...] | None = None
) -> Source:
    """Return a layer as what is reconstructed; nothing is read or copied of real values.

    Parameters
    ----------
    layer
        Image layer; of k-space an axis of two, real and imaginary part, in front, since layers hold
        no complex values. Angles in its metadata come along.
    instrument
        What it was measured with.
    index
        Voxel in view; of more axes than are reconstructed together the first are held there.

    Raises
    ------
    InputError
        If the layer cannot be such a measurement.
    """
    layer = unwrap(layer)
    check_layer(layer)
    data = array_of(layer)
    axes = guess_axes(layer)
    if instrument == "mri" and layer.ndim in (3, 4) and data.shape[0] == 2:
        axes = ("c", *("z", "y", "x")[-(layer.ndim - 1) :])  # real and imaginary part
        return source_of(layer, axes=axes)
    extra = max(0, layer.ndim - 3)
    fixed = {axis: index[axis] if index else 0 for axis in range(extra)}
    axes = axes if extra else ("z", "y", "x")[-layer.ndim :]
    source = source_of(layer, axes=axes, fixed=fixed)
    angles = {key: layer.metadata[key] for key in ANGLE_KEYS if key in layer.metadata}
    if not angles:
        return source
    return replace(source, measurement=replace(source.measurement, metadata=angles))


def result_source(source: Source, result: Measurement, viewer: Any) -> Source:
    """Return where a result goes whose pixels are not those of what it was made from.

    Parameters
    ----------
    source
        What it was made from.
    result
        Its facts; see :class:`~napari_selfsup_recon.runs.problem.Problem`.
    viewer
        Whose layers it joins: lengths are written in their unit, lest scale bars vanish.
    """
    ndim = len(result.shape)
    linear = np.eye(ndim)
    return Source(
        measurement=result,
        layer=source.layer,
        fixed=(None,) * ndim,
        spatial={
            "scale": np.array(result.scale),
            "translate": np.array(result.translate),
            "rotate": linear,
            "shear": np.zeros(ndim * (ndim - 1) // 2),
            "affine": np.eye(ndim + 1),
            "units": result.units,
            "axis_labels": result.axes,
        },
        display={"colormap": source.display["colormap"], "gamma": 1.0},
    )


def good_limits(values: Any) -> tuple[float, float]:
    """Return contrast limits that pass over the few darkest and brightest pixels.

    Of values that are not in memory one image is looked at.
    """
    if not isinstance(values, np.ndarray):
        values = values[tuple(n // 2 for n in values.shape[:-2])]
    values = np.asarray(values)
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = np.quantile(known[:: max(1, known.size // 10**6)], (_DARKEST, _BRIGHTEST))
    return float(low), float(high) if high > low else float(low) + 1.0


def values_of(reference: weakref.ReferenceType[Layer] | None) -> Any:
    """Return the values of a layer that was chosen for a mask or a field; None where none is."""
    layer = reference() if reference is not None else None
    if layer is None:
        return None
    if not isinstance(layer, Image | Labels):
        raise InputError(f"{layer.name!r} is no image.", hint="Choose an image or labels layer.")
    return array_of(layer)
