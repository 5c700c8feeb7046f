"""The rotation axis: found, typed, or moved with a slider."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget
from superqt import QDoubleSlider

from napari_selfsup_recon.widgets._editors import TidyNumberBox, guard_wheel
from napari_selfsup_recon.widgets.parts import button, describe, row
from napari_selfsup_recon.widgets.texts import TEXTS

# The slider reaches that far to both sides; the box reaches all columns.
_REACH, _LEAST_REACH = 0.03, 8.0


class AxisRow(QWidget):
    """Chooses the column of the axis.

    Attributes
    ----------
    valueChanged
        Emitted when a person changed it.
    lookChanged
        Emitted with whether a slice shall be shown that follows the axis.
    """

    valueChanged = Signal()
    lookChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._auto = True
        self._columns = 0
        self.slider = QDoubleSlider(Qt.Orientation.Horizontal)  # type: ignore[no-untyped-call]
        self.slider.setSingleStep(0.1)
        describe(self.slider, *TEXTS["axis slider"])
        self.box = TidyNumberBox()
        self.box.setDecimals(2)
        self.box.setSingleStep(0.1)
        self.box.setRange(0, 1e6)
        describe(self.box, *TEXTS["axis"])
        self.finder = button("Find", *TEXTS["axis find"])
        self.look = QCheckBox("Show a slice")
        describe(self.look, *TEXTS["axis look"])
        for widget in (self.slider, self.box):
            guard_wheel(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.slider)
        column.addLayout(row(self.box, self.finder))
        column.addWidget(self.look)
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)
        self.finder.clicked.connect(self._on_find)
        self.look.toggled.connect(self.lookChanged.emit)
        self.setEnabled(False)

    def value(self) -> float | Literal["auto"]:
        """Return the column, or ``"auto"`` as long as nobody moved it."""
        return "auto" if self._auto else round(self.box.value(), 3)

    def setValue(self, axis: float | Literal["auto", "middle"]) -> None:
        """Show ``axis``; emits nothing."""
        self._auto = isinstance(axis, str)
        if not isinstance(axis, str):
            self._show(axis)

    def show_found(self, column: float, columns: int) -> None:
        """Show where the axis is on a detector of so many columns."""
        if columns != self._columns:
            self._columns = columns
            with QSignalBlocker(self.box):
                self.box.setRange(0, columns - 1)
        self.setEnabled(True)
        self.finder.setEnabled(not self._auto)
        if self._auto:
            self._show(column)

    def _show(self, column: float, *, move_slider: bool = True) -> None:
        with QSignalBlocker(self.box), QSignalBlocker(self.slider):
            self.box.setValue(column)
            if move_slider:
                reach = max(_LEAST_REACH, _REACH * self._columns)
                if not self.slider.minimum() + 1 < column < self.slider.maximum() - 1 or (
                    self.slider.maximum() - self.slider.minimum() > 2.1 * reach
                ):
                    self.slider.setRange(column - reach, column + reach)
                self.slider.setValue(column)

    def _on_slider(self, value: float) -> None:
        self._show(max(0.0, value), move_slider=False)
        self._on_person()

    def _on_box(self, value: float) -> None:
        self._show(value)
        self._on_person()

    def _on_person(self) -> None:
        self._auto = False
        self.finder.setEnabled(True)
        self.valueChanged.emit()

    def _on_find(self) -> None:
        self._auto = True
        self.valueChanged.emit()
