"""What is in view while layers get another place or size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.layers import Layer

from napari_selfsup_recon.widgets.bridge import unwrap


@contextmanager
def kept_in_view(viewer: Any, layer: Layer) -> Iterator[None]:
    """Show the same slice of the layer after the work as before, and all of it.

    The sliders and the camera of a viewer stay where they are in the world: a layer whose voxels
    become a tenth as large would shrink into a corner, and its last slice would show.
    """
    dims = unwrap(viewer).dims if viewer is not None else None
    place = layer.world_to_data(dims.point) if dims is not None else None
    yield
    if dims is not None and place is not None:
        axes = list(range(dims.ndim - layer.ndim, dims.ndim))
        dims.set_point(axes, [float(value) for value in layer.data_to_world(place)])
        unwrap(viewer).reset_view()
