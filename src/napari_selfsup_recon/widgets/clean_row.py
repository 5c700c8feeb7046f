"""Clean examples for methods that learn from them, too: another layer, or made of the image."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.bridge import is_psf
from napari_selfsup_recon.widgets.choices import CleanPick
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import button, describe, form_label, form_layout, row
from napari_selfsup_recon.widgets.texts import TEXTS

_HERE = "the image itself"
_KINDS = {
    "slices": "some of its slices",
    "average": "averages of neighbours",
    "denoised": "a denoised copy",
}
_MOST = 99


class CleanRow(QWidget):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.CleanPick`.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    shownWanted
        Emitted with ``"first"`` or ``"last"`` when the slice in view is to be that one; answered
        with :meth:`take`.
    """

    valueChanged = Signal()
    shownWanted = Signal(str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer = LayerBox(viewer, _called_clean, nothing=_HERE)
        describe(self.layer, *TEXTS["clean"])
        self.kind = QComboBox()
        for key, words in _KINDS.items():
            self.kind.addItem(words, key)
        guard_wheel(self.kind)
        describe(self.kind, *TEXTS["clean kind"])
        self.slices = QLineEdit()
        self.slices.setPlaceholderText("first:last, for example 0:25")
        describe(self.slices, *TEXTS["clean slices"])
        self.first = button("First", *TEXTS["clean first"])
        self.last = button("Last", *TEXTS["clean last"])
        self._shown = QWidget()
        self._shown.setLayout(row(self.first, self.last))
        self.average = QSpinBox()
        self.average.setRange(2, _MOST)
        self.average.setValue(CleanPick().average)
        self.average.setSuffix(" slices")
        guard_wheel(self.average)
        describe(self.average, *TEXTS["clean average"])
        self._form = form_layout()
        for label, field in (
            ("Clean", self.layer),
            ("Made from", self.kind),
            ("Slices", self.slices),
            ("Slice shown", self._shown),
            ("Averaged", self.average),
        ):
            self._form.addRow(form_label(label, field), field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        self.layer.chosen.connect(self._on_choice)
        self.kind.currentIndexChanged.connect(lambda _: self._on_choice())
        self.slices.textChanged.connect(lambda _: self.valueChanged.emit())
        self.first.clicked.connect(lambda *_: self.shownWanted.emit("first"))
        self.last.clicked.connect(lambda *_: self.shownWanted.emit("last"))
        self.average.valueChanged.connect(lambda _: self.valueChanged.emit())
        self._show()

    def value(self) -> CleanPick:
        """Return what is chosen."""
        layer = self.layer.layer
        if layer is not None:
            return CleanPick(layer=weakref.ref(layer))
        kind = self.kind.currentData()
        if kind == "slices":
            return CleanPick(slices=self.slices.text().strip())
        if kind == "average":
            return CleanPick(kind=kind, average=self.average.value())
        return CleanPick(kind=kind)

    def setValue(self, pick: CleanPick) -> None:
        """Show ``pick``; a layer that is gone is passed over."""
        layer = pick.layer() if pick.layer is not None else None
        if layer is not None:
            self.layer.choose(layer)
        with (
            QSignalBlocker(self.slices),
            QSignalBlocker(self.kind),
            QSignalBlocker(self.average),
        ):
            self.kind.setCurrentIndex(max(0, self.kind.findData(pick.kind)))
            self.slices.setText(pick.slices)
            self.average.setValue(pick.average)
        self._show()

    def take(self, which: str, index: int) -> None:
        """Make slice ``index`` the ``"first"`` or the ``"last"`` clean one; the other follows."""
        ends = [int(part) for part in self.slices.text().split(":") if part.strip().isdecimal()]
        first, behind = ends if len(ends) == 2 else (index, index + 1)
        if which == "first":
            first, behind = index, max(behind, index + 1)
        else:
            first, behind = min(first, index), index + 1
        self.slices.setText(f"{first}:{behind}")

    def refresh(self) -> None:
        """Follow the layer list."""
        self.layer.refresh()

    def _on_choice(self) -> None:
        self._show()
        self.valueChanged.emit()

    def _show(self) -> None:
        kind = self.kind.currentData() if self.layer.layer is None else None
        self._form.setRowVisible(self.kind, kind is not None)
        self._form.setRowVisible(self.slices, kind == "slices")
        self._form.setRowVisible(self._shown, kind == "slices")
        self._form.setRowVisible(self.average, kind == "average")


def _called_clean(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the layer that is called clean, if there is one."""
    named = (x for x in layers if "clean" in x.name.lower() and not is_psf(x))
    return next(named, None)
