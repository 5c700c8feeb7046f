"""Clean examples for methods that learn from them, too: another layer, or slices of the image."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_selfsup_recon.widgets.bridge import is_psf
from napari_selfsup_recon.widgets.choices import CleanPick
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import describe, form_label, form_layout
from napari_selfsup_recon.widgets.texts import TEXTS

_HERE = "slices of the image"


class CleanRow(QWidget):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.CleanPick`.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    """

    valueChanged = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer = LayerBox(viewer, _called_clean, nothing=_HERE)
        describe(self.layer, *TEXTS["clean"])
        self.slices = QLineEdit()
        self.slices.setPlaceholderText("first:last, for example 0:25")
        describe(self.slices, *TEXTS["clean slices"])
        self._form = form_layout()
        self._form.addRow(form_label("Clean", self.layer), self.layer)
        self._form.addRow(form_label("Slices", self.slices), self.slices)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        self.layer.chosen.connect(self._on_layer)
        self.slices.textChanged.connect(lambda _: self.valueChanged.emit())
        self._show()

    def value(self) -> CleanPick:
        """Return what is chosen."""
        layer = self.layer.layer
        if layer is not None:
            return CleanPick(layer=weakref.ref(layer))
        return CleanPick(slices=self.slices.text().strip())

    def setValue(self, pick: CleanPick) -> None:
        """Show ``pick``; a layer that is gone is passed over."""
        layer = pick.layer() if pick.layer is not None else None
        if layer is not None:
            self.layer.choose(layer)
        with QSignalBlocker(self.slices):
            self.slices.setText(pick.slices)
        self._show()

    def refresh(self) -> None:
        """Follow the layer list."""
        self.layer.refresh()

    def _on_layer(self) -> None:
        self._show()
        self.valueChanged.emit()

    def _show(self) -> None:
        self._form.setRowVisible(self.slices, self.layer.layer is None)


def _called_clean(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the layer that is called clean, if there is one."""
    named = (x for x in layers if "clean" in x.name.lower() and not is_psf(x))
    return next(named, None)
