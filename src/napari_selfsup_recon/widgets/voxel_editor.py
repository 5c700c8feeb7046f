"""Shows the voxel size and, where it is unknown or wrong, takes it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QToolButton, QVBoxLayout, QWidget

from napari_selfsup_recon.core.units import is_length, unit_symbol
from napari_selfsup_recon.widgets._editors import TidyNumberBox, guard_wheel
from napari_selfsup_recon.widgets._humanize import voxel_size
from napari_selfsup_recon.widgets.parts import button, describe, form_layout, note, row
from napari_selfsup_recon.widgets.texts import TEXTS

_UNITS = ("micrometer", "nanometer", "millimeter", "angstrom", "meter")


class VoxelEditor(QWidget):
    """One line that reads the voxel size; more, on demand, to enter it.

    Attributes
    ----------
    committed
        Emitted with (sizes, unit) when a person asks to set them.
    """

    committed = Signal(tuple, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = note()
        self._edit = QToolButton()
        self._edit.setText("Edit")
        self._edit.setCheckable(True)
        describe(self._edit, *TEXTS["edit voxel"])
        self._boxes: dict[str, QDoubleSpinBox] = {}
        self._form = QWidget()
        self._rows = form_layout()
        self._form.setLayout(self._rows)
        for axis in "zyx":
            box = TidyNumberBox()
            box.setDecimals(6)
            box.setRange(1e-6, 1e6)
            box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
            guard_wheel(box)
            describe(box, f"Voxel size along {axis}", f"Size of a voxel along {axis}.")
            self._rows.addRow(axis, box)
            self._boxes[axis] = box
        self._unit = QComboBox()
        for unit in _UNITS:
            self._unit.addItem(unit_symbol(unit), unit)
        guard_wheel(self._unit)
        describe(self._unit, *TEXTS["unit"])
        self._set = button("Set", *TEXTS["set voxel"])
        self._rows.addRow("unit", self._unit)
        self._rows.addRow("", self._set)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        line = row(self._text, self._edit)
        line.setStretch(0, 1)
        layout.addLayout(line)
        layout.addWidget(self._form)
        self._form.hide()
        self._edit.toggled.connect(self._form.setVisible)
        self._set.clicked.connect(self._commit)

    def show_size(self, scale: Sequence[float], units: Sequence[str]) -> None:
        """Show the voxel size along the spatial axes (y, x) or (z, y, x)."""
        known = all(is_length(unit) for unit in units)
        self._text.setText(voxel_size(scale, units) if known else "unknown (pixels)")
        self._edit.setChecked(False)
        flat = len(scale) == 2
        self._rows.setRowVisible(self._boxes["z"], not flat)
        for axis, value in zip("zyx"[3 - len(scale) :], scale, strict=True):
            self._boxes[axis].setValue(value)
        index = self._unit.findData(units[-1])
        self._unit.setCurrentIndex(max(0, index))

    def _commit(self) -> None:
        axes = "zyx" if self._rows.isRowVisible(self._boxes["z"]) else "yx"
        sizes = tuple(self._boxes[axis].value() for axis in axes)
        self.committed.emit(sizes, str(self._unit.currentData()))
