"""Card 5: source and results side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.comparison import Comparison, related
from napari_selfsup_recon.widgets.parts import Card, button, describe, note, row
from napari_selfsup_recon.widgets.texts import TEXTS


class CompareCard(Card):
    """Switches the grid on and off.

    Parameters
    ----------
    viewer
        The napari viewer.
    source
        Returns the image that is worked on.
    """

    def __init__(
        self, viewer: Any, source: Callable[[], Layer | None], parent: QWidget | None = None
    ) -> None:
        super().__init__("5  Compare", parent)
        self._viewer = unwrap(viewer)
        self._source = source
        self._comparison: Comparison | None = None
        self.grid: QPushButton = button("&Grid", *TEXTS["grid"])
        self.grid.setCheckable(True)
        self.link = QCheckBox("Same contrast")
        self.link.setChecked(True)
        describe(self.link, *TEXTS["link"])
        self._names = note()
        self.body.addLayout(row(self.grid, self.link))
        self.body.addWidget(self._names)
        self.grid.toggled.connect(self._on_grid)
        self.link.toggled.connect(self._on_link)
        self.refresh()

    def layers(self) -> list[Layer]:
        """Return what is compared: the selected images if there are several, else the results."""
        chosen = [
            layer
            for layer in self._viewer.layers
            if layer in self._viewer.layers.selection and isinstance(layer, Image)
        ]
        return chosen if len(chosen) > 1 else related(self._viewer, self._source())

    def refresh(self, event: Any = None) -> None:
        """Follow the layer list; a grid whose layers are gone is closed."""
        if self._comparison is not None:
            gone = [x for x in self._comparison.layers if x not in self._viewer.layers]
            if gone:
                self.grid.setChecked(False)
        names = [layer.name for layer in self.layers()]
        enough = len(names) > 1
        self.grid.setEnabled(enough or self.grid.isChecked())
        self._names.setText(" | ".join(names) if enough else "Results appear here after a run.")

    def _on_grid(self, wanted: bool) -> None:
        if self._comparison is not None:
            self._comparison.close()
            self._comparison = None
        if wanted:
            try:
                layers = self.layers()
                self._comparison = Comparison(self._viewer, layers, link=self.link.isChecked())
            except InputError as error:
                self._names.setText(str(error))
                self.grid.setChecked(False)

    def _on_link(self, wanted: bool) -> None:
        if self._comparison is not None:
            if wanted:
                self._comparison.link()
            else:
                self._comparison.unlink()
