"""A list of the layers of one kind in a viewer that follows the viewer and keeps its choice."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.bridge import unwrap

Preference = Callable[[Any, list[Layer]], Layer | None]


def any_layer(layer: Layer) -> bool:
    """Whether a layer may be chosen: every one."""
    return True


class LayerBox(QComboBox):
    """Chooses a layer; layers are held weakly and never looked up by name.

    Parameters
    ----------
    viewer
        The viewer; held weakly.
    prefer
        Given the viewer and its image layers, says which one is meant as long as nobody chose.
    kind
        Class of the layers.
    fits
        Which of them may be chosen.
    nothing
        What the first entry is called that stands for no layer; there is none if empty.
    parent
        Qt parent.

    Attributes
    ----------
    chosen
        Emitted when another layer is chosen, by a person or because the old one is gone.
    """

    chosen = Signal()

    def __init__(
        self,
        viewer: Any,
        prefer: Preference,
        *,
        kind: type[Layer] = Image,
        fits: Callable[[Layer], bool] = any_layer,
        nothing: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._kind = kind
        self._fits = fits
        self._nothing = nothing
        self._viewer = weakref.ref(unwrap(viewer))
        self._prefer = prefer
        self._kept = False
        self._layers: list[weakref.ReferenceType[Layer]] = []
        guard_wheel(self)
        self.refresh()
        self.activated.connect(lambda _: self.keep())
        self.currentIndexChanged.connect(lambda _: self.chosen.emit())

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        index = self.currentIndex() - bool(self._nothing)
        return self._layers[index]() if 0 <= index < len(self._layers) else None

    def keep(self) -> None:
        """Stay with this choice as long as its layer is there."""
        self._kept = True

    def choose(self, layer: Layer) -> None:
        """Choose ``layer`` for good, if it is in the list; emits nothing."""
        if self._show(layer):
            self.keep()

    def first_that(self, wanted: Callable[[Layer], bool]) -> Layer | None:
        """Return the first layer in the list that is ``wanted``."""
        layers = (reference() for reference in self._layers)
        return next((layer for layer in layers if layer is not None and wanted(layer)), None)

    def refresh(self) -> None:
        """Read the layer list of the viewer anew; a choice stays as long as its layer does."""
        viewer = self._viewer()
        before = self.layer
        every = () if viewer is None else viewer.layers
        layers = [x for x in every if isinstance(x, self._kind) and self._fits(x)]
        with QSignalBlocker(self):
            self.clear()
            self._layers = [weakref.ref(layer) for layer in layers]
            self.addItems([self._nothing] * bool(self._nothing) + [layer.name for layer in layers])
        if before not in layers and not (before is None and self._nothing):
            self._kept = False
        wanted = before if self._kept else self._prefer(viewer, layers)
        if wanted is None and before in layers:
            wanted = before
        if wanted is not None:
            self._show(wanted)
        if self.layer is not before:
            self.chosen.emit()

    def _show(self, layer: Layer) -> bool:
        for index, reference in enumerate(self._layers):
            if reference() is layer:
                with QSignalBlocker(self):
                    self.setCurrentIndex(index + bool(self._nothing))
                return True
        return False
