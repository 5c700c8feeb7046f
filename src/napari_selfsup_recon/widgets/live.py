"""The live image: one layer, in place, refreshed while a method works."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from napari.layers import Image

from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.widgets.bridge import Source, add_layer


class LiveLayer:
    """Shows previews of a run; nobody is asked for one while it is hidden or removed.

    Parameters
    ----------
    viewer
        Weak reference to the napari viewer.
    source
        What is being worked on; the previews lie over it and have its contrast.
    control
        Handle of the run, told whether somebody looks.
    """

    def __init__(
        self, viewer: weakref.ReferenceType[Any], source: Source, control: Control
    ) -> None:
        self._viewer = viewer
        self._source = source
        self._control = control
        self._layer: weakref.ReferenceType[Image] | None = None

    @property
    def layer(self) -> Image | None:
        """The layer, None before the first preview and after it was removed."""
        layer = self._layer() if self._layer is not None else None
        viewer = self._viewer()
        return (
            layer if layer is not None and viewer is not None and layer in viewer.layers else None
        )

    def show(self, image: Any, name: str, offset: Sequence[int]) -> None:
        """Show ``image``, whose first voxel is at ``offset`` of the measurement."""
        viewer = self._viewer()
        if viewer is None or not self._control.show_preview:
            return
        layer = self.layer
        if layer is None:
            layer = add_layer(viewer, self._source, image, name, offset=offset)
            layer.events.visible.connect(self._on_visible)
            viewer.layers.events.removed.connect(self._on_removed)
            self._layer = weakref.ref(layer)
            return
        data, facts = self._source.placed(image, offset)
        if layer.data.shape == data.shape:
            layer.data = data  # contrast stays as it is: what changes is the image
            layer.translate = facts["translate"]

    def remove(self) -> None:
        """Take the layer away."""
        viewer, layer = self._viewer(), self.layer
        self._layer = None
        if viewer is not None:
            viewer.layers.events.removed.disconnect(self._on_removed)
        if viewer is not None and layer is not None:
            layer.events.visible.disconnect(self._on_visible)
            viewer.layers.remove(layer)
            self._control.show_preview = True

    def _on_visible(self, event: Any = None) -> None:
        layer = self.layer
        self._control.show_preview = layer is not None and layer.visible

    def _on_removed(self, event: Any) -> None:
        if self._layer is not None and event.value is self._layer():
            self._control.show_preview = False
