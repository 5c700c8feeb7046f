"""Chooses where results go: into memory, or frame by frame into a folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS

_MEMORY, _DISK = "In memory", "On disk ..."


class ResultPlace(QComboBox):
    """Two choices, of which the second asks for a folder, each time it is chosen.

    Attributes
    ----------
    valueChanged
        Emitted when a person chose another place.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        guard_wheel(self)
        self.addItems([_MEMORY, _DISK])
        self._folder = ""
        self._show()
        self.activated.connect(self._on_activated)

    def value(self) -> str:
        """Return the folder; empty where results lie in memory."""
        return self._folder

    def setValue(self, folder: str) -> None:
        """Choose a folder, or memory if it is empty. Emits nothing."""
        self._folder = folder
        self._show()

    def ask(self) -> None:
        """Ask for the folder; where none is chosen, all stays as it was."""
        name = QFileDialog.getExistingDirectory(self, "Folder for results", self._folder)
        if name:
            self._choose(name)
        self._show()

    def _on_activated(self, index: int) -> None:
        if index == 1:
            self.ask()
        else:
            self._choose("")

    def _choose(self, folder: str) -> None:
        if folder != self._folder:
            self.setValue(folder)
            self.valueChanged.emit()

    def _show(self) -> None:
        with QSignalBlocker(self):
            name = Path(self._folder).name or self._folder
            self.setItemText(1, f"On disk: {name}" if self._folder else _DISK)
            self.setCurrentIndex(1 if self._folder else 0)
        title, tip = TEXTS["place"]
        describe(self, title, f"{tip}<br>{self._folder}" if self._folder else tip)
