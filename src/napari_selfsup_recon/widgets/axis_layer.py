"""A slice that follows the rotation axis while it is moved."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.runs.problem import Problem
from napari_selfsup_recon.runs.quick_slice import QuickSlice
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import Source, add_layer, unwrap
from napari_selfsup_recon.widgets.recon_source import good_limits, result_source


class AxisLayer(QObject):
    """Shows the middle slice as a layer; the newest wish counts, and nothing queues up.

    Attributes
    ----------
    shown
        Emitted with the axis of the slice that came into view.
    failed
        Emitted with what went wrong, in words.
    """

    shown = Signal(float)
    failed = Signal(str)

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.background = Background(self)
        self._viewer = weakref.ref(unwrap(viewer))
        self._layer: weakref.ReferenceType[Image] | None = None
        self._problem: Problem | None = None
        self._slice: QuickSlice | None = None
        self._source: Source | None = None
        self._wanted: float | None = None
        self._working: float | None = None

    @property
    def layer(self) -> Image | None:
        """The layer, None where there is none."""
        layer = self._layer() if self._layer is not None else None
        viewer = self._viewer()
        return layer if viewer is not None and layer in viewer.layers else None

    def show(self, problem: Problem, source: Source, axis: float) -> None:
        """Show the slice of ``problem`` for ``axis`` as soon as it is computed."""
        if not _alike(problem, self._problem):  # else its operator serves on
            self._problem, self._slice = problem, QuickSlice(problem)
            if source.layer is not getattr(self._source, "layer", None):
                self.hide()
        self._source, self._wanted = source, axis
        self._begin()

    def hide(self) -> None:
        """Take the layer away."""
        self._wanted = None
        self.background.cancel()
        self._working = None
        viewer, layer = self._viewer(), self.layer
        self._layer = None
        if viewer is not None and layer is not None:
            viewer.layers.remove(layer)

    def _begin(self) -> None:
        if self._working is not None or self._wanted is None or self._slice is None:
            return
        axis, slice_ = self._wanted, self._slice
        self._wanted, self._working = None, axis

        def work() -> Generator[str, None, FloatImage]:
            yield "Computing a slice"
            return slice_.at(axis)

        self.background.start(work, self._on_image, self._on_failure)

    def _on_image(self, image: FloatImage) -> None:
        axis, self._working = self._working, None
        self._put(image)
        if axis is not None:
            self.shown.emit(axis)
        self._begin()

    def _on_failure(self, error: ReconError) -> None:
        self._working = None
        self.failed.emit(str(error))

    def _put(self, image: FloatImage) -> None:
        viewer, source, problem = self._viewer(), self._source, self._problem
        if viewer is None or source is None or problem is None or self._slice is None:
            return
        layer = self.layer
        if layer is not None and layer.data.shape == image.shape:
            layer.data = image  # contrast stays: what changes is the axis
            return
        if layer is not None:
            viewer.layers.remove(layer)
        place = result_source(source, _plane(problem, self._slice, image), viewer)
        layer = add_layer(viewer, place, image, f"{source.name} (axis)")
        layer.contrast_limits = good_limits(image)
        self._layer = weakref.ref(layer)


def _alike(one: Problem, other: Problem | None) -> bool:
    """Return whether two problems differ in the rotation axis at most."""
    if other is None or one is other:
        return one is other
    return (
        one.result.scale == other.result.scale
        and one.result.units == other.result.units
        and np.array_equal(np.asarray(one.degrees), np.asarray(other.degrees))
        and np.array_equal(one.y, other.y)
    )


def _plane(problem: Problem, slice_: QuickSlice, image: np.ndarray[Any, Any]) -> Any:
    """Return the facts of one slice as it is shown, on the grid of its bins."""
    from napari_selfsup_recon.core.measurement import Measurement

    result = problem.result
    scan = problem.facts["pitch"]
    size = tuple(scale * scan * slice_.factor for scale in result.spatial_scale[-2:])
    return Measurement(
        image, axes=("y", "x"), scale=size, units=result.units[-2:], name=result.name
    )
