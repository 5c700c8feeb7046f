"""What the pages of the PSF dock share: they ask for work and hear of its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.widgets.background import Work
from napari_selfsup_recon.widgets.parts import note


class PsfPage(QWidget):
    """One way to a PSF.

    Attributes
    ----------
    wanted
        Emitted with (work, done): what is to be done in a thread, and what with its result.
    made
        Emitted with a :class:`~napari_selfsup_recon.widgets.psf_layer.Made` and whether it shall
        become a layer, or is only to be looked at.
    refused
        Emitted with a :class:`~napari_selfsup_recon.core.errors.ReconError`.
    """

    wanted = Signal(object, object)
    made = Signal(object, bool)
    refused = Signal(object)

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(2, 6, 2, 2)
        self.body.setSpacing(6)
        self.body.addWidget(note(words))

    def refresh(self) -> None:
        """Follow the layer list."""

    def ask(self, prepare: Callable[[], tuple[Work, Callable[[Any], None]]]) -> None:
        """Ask for what ``prepare`` returns; what it raises is told."""
        try:
            work, done = prepare()
        except ReconError as error:
            self.refused.emit(error)
        else:
            self.wanted.emit(work, done)
