"""A list of the image layers of a viewer that follows the viewer and keeps its choice."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.bridge import unwrap


class LayerBox(QComboBox):
    """Chooses an image layer; layers are held weakly and never looked up by name.

    Parameters
    ----------
    viewer
        The viewer; held weakly.
    first
        Says which layer is chosen at first, from all image layers; the active one if not given.
    parent
        Qt parent.

    Attributes
    ----------
    chosen
        Emitted when another layer is chosen, by a person or because the old one is gone.
    """

    chosen = Signal()

    def __init__(self, viewer: Any, *, first: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(unwrap(viewer))
        self._first = first
        self._layers: list[weakref.ReferenceType[Layer]] = []
        guard_wheel(self)
        self.refresh()
        self.currentIndexChanged.connect(lambda _: self.chosen.emit())

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        index = self.currentIndex()
        return self._layers[index]() if 0 <= index < len(self._layers) else None

    def choose(self, layer: Layer) -> None:
        """Choose ``layer`` if it is in the list; emits nothing."""
        for index, reference in enumerate(self._layers):
            if reference() is layer:
                with QSignalBlocker(self):
                    self.setCurrentIndex(index)

    def first_that(self, wanted: Callable[[Layer], bool]) -> Layer | None:
        """Return the first layer in the list that is ``wanted``."""
        layers = (reference() for reference in self._layers)
        return next((layer for layer in layers if layer is not None and wanted(layer)), None)

    def refresh(self) -> None:
        """Read the layer list of the viewer anew; a choice stays as long as its layer does."""
        viewer = self._viewer()
        before = self.layer
        layers = [] if viewer is None else [x for x in viewer.layers if isinstance(x, Image)]
        with QSignalBlocker(self):
            self.clear()
            self._layers = [weakref.ref(layer) for layer in layers]
            self.addItems([layer.name for layer in layers])
        if before in layers:
            self.choose(before)
            return
        chosen = self._preferred(viewer, layers)
        if chosen is not None:
            self.choose(chosen)
        self.chosen.emit()

    def _preferred(self, viewer: Any, layers: list[Layer]) -> Layer | None:
        if self._first is not None:
            found: Layer | None = self._first(layers)
            return found
        active = viewer.layers.selection.active if viewer is not None else None
        return active if active in layers else (layers[0] if layers else None)
