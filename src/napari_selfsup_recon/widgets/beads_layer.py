"""Beads as points: found ones are shown, marked by whether they served, and may be moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer, Points

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.bridge import Source, unique_name, unwrap

_UNKNOWN, _USED, _REJECTED = "found", "used", "left out"
# Shape and words say it, too: nobody has to tell the colours apart.
_SYMBOLS = {_UNKNOWN: "disc", _USED: "disc", _REJECTED: "square"}
_COLOURS = {_UNKNOWN: "white", _USED: "limegreen", _REJECTED: "orange"}


def show_beads(
    viewer: Any,
    source: Source,
    positions: Sequence[Sequence[float]],
    reasons: Sequence[str] | None,
    width: float,
    layer: Points | None = None,
) -> Points:
    """Show beads over their image.

    Parameters
    ----------
    viewer
        The napari viewer.
    source
        The image or volume they are in.
    positions
        In voxels of the measurement, (beads, axes).
    reasons
        Why each was left out, empty where it was used; None: that is not known.
    width
        Size of the symbols in voxels.
    layer
        Points to replace; a new layer if None.
    """
    viewer = unwrap(viewer)
    points = _with_held_axes(np.asarray(positions, dtype=float), source)
    states = [_UNKNOWN if reasons is None else _USED] * len(points)
    for index, reason in enumerate(reasons or ()):
        if reason:
            states[index] = _REJECTED
    features = {"bead": states, "reason": list(reasons or [""] * len(points))}
    if layer is None or layer not in viewer.layers:
        facts = source.spatial
        layer = Points(
            np.empty((0, len(source.fixed))),
            ndim=len(source.fixed),
            name=unique_name(f"{source.name} beads", [other.name for other in viewer.layers]),
            **{key: facts[key] for key in _PLACE},
        )
        viewer.layers.append(layer)
    layer.data = points
    layer.features = features
    layer.size = width
    layer.symbol = [_SYMBOLS[state] for state in states]
    layer.face_color = "transparent"
    layer.border_color = [_COLOURS[state] for state in states] or "white"
    layer.border_width = 0.06
    below = [0.0] * (layer.ndim - 2) + [0.6 * width, 0.0]
    layer.text = {
        "string": "{reason}",
        "size": 9,
        "color": _COLOURS[_REJECTED],
        "translation": below,
    }
    layer.selected_data = set()
    layer.refresh()
    _go_to(viewer, layer)
    return layer


def _go_to(viewer: Any, layer: Points) -> None:
    """Show the slice in which most of the beads are nearest: points of others are not drawn."""
    if not len(layer.data):
        return
    middle = layer.data_to_world(np.median(layer.data, axis=0))
    first = viewer.dims.ndim - layer.ndim
    for axis in range(viewer.dims.ndim):
        if axis >= first and axis not in viewer.dims.displayed:
            viewer.dims.set_point(axis, float(middle[axis - first]))


def positions_of(points: Layer, source: Source) -> np.ndarray[Any, Any]:
    """Return the points in voxels of the measurement, (beads, axes).

    Raises
    ------
    InputError
        If the points have another number of axes than the image.
    """
    layer = source.layer()
    if layer is None or points.ndim != layer.ndim:
        raise InputError(
            f"The points {points.name!r} have {points.ndim} axes, the image "
            f"{layer.ndim if layer is not None else 0}.",
            hint="Choose points that were set on this image, or let the beads be found.",
        )
    free = [axis for axis, held in enumerate(source.fixed) if held is None]
    voxels = [layer.world_to_data(points.data_to_world(point)) for point in points.data]
    return np.array(voxels, dtype=float).reshape(-1, layer.ndim)[:, free]


_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def _with_held_axes(positions: np.ndarray[Any, Any], source: Source) -> np.ndarray[Any, Any]:
    """Return positions along all axes of the layer."""
    whole = np.zeros((len(positions), len(source.fixed)))
    free = [axis for axis, held in enumerate(source.fixed) if held is None]
    for axis, held in enumerate(source.fixed):
        if held is not None:
            whole[:, axis] = held
    if len(positions):
        whole[:, free] = positions
    return whole
