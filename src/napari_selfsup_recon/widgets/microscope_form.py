"""The microscope, as it is printed on it."""

from __future__ import annotations

from typing import Any, cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.microscope import read_microscope
from napari_selfsup_recon.widgets.options_form import OptionsForm
from napari_selfsup_recon.widgets.parts import note

# What only some kinds of microscopes have.
_ROWS = {
    "excitation": ("confocal",),
    "pinhole": ("confocal",),
    "sheet_fwhm": ("light-sheet",),
}
# Numbers in other units are told, not cut.
_FREE = ("numerical_aperture", "immersion_index", "wavelength", "excitation", "sample_index")


class MicroscopeForm(QWidget):
    """Edits a :class:`~napari_selfsup_recon.psf.Microscope`.

    Attributes
    ----------
    valueChanged
        Emitted when a person changed it, to something valid or not.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = OptionsForm(Microscope, free=_FREE, lazy=True)
        self._source = note()
        self._source.hide()
        self._touched = False
        self._read: dict[str, Any] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._source)
        layout.addWidget(self.form)
        self.form.valueChanged.connect(self._on_edit)
        self.form.refused.connect(self._on_edit)
        self._show_rows()

    def value(self) -> Microscope:
        """Return the microscope.

        Raises
        ------
        InputError
            If it cannot exist, for example with an aperture above the immersion's index.
        """
        return cast(Microscope, self.form.value())

    def setValue(self, microscope: Microscope | None) -> None:
        """Show ``microscope`` and stay with it; None forgets what was set."""
        self._touched = microscope is not None
        self._read = None
        self._source.hide()
        self.form.setValue(microscope or Microscope())
        self._show_rows()

    def take_from(self, metadata: Any) -> None:
        """Begin with what the metadata of an image say, unless a person said otherwise."""
        if self._touched:
            return
        found = read_microscope(metadata)
        if found == self._read:
            return
        self._read = found
        self.form.setValue(Microscope(**found))
        titles = [str(Microscope.model_fields[name].title) for name in found]
        self._source.setText(f"From the image: {', '.join(titles).lower()}.")
        self._source.setVisible(bool(found))
        self._show_rows()

    def _on_edit(self, *_: object) -> None:
        self._touched = True
        self._source.hide()
        self._show_rows()
        self.valueChanged.emit()

    def _show_rows(self) -> None:
        kind = self.form.raw("kind")
        self.form.show_rows({name: kind in kinds for name, kinds in _ROWS.items()})
