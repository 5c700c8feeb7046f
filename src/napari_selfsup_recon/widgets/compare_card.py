"""Card 5: source and results side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.comparison import Comparison, related
from napari_selfsup_recon.widgets.parts import Card, button, describe, is_alive, note, row
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
        self._grows = False  # later results join
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
        return self._selected() or related(self._viewer, self._source())

    def refresh(self, event: Any = None) -> None:
        """Follow the layer list: a result that arrives joins the grid, one that goes ends it."""
        comparison = self._comparison
        if comparison is not None:
            if any(layer not in self._viewer.layers for layer in comparison.layers):
                self.grid.setChecked(False)
            elif self._grows and len(self._family()) > len(comparison.layers):
                self._on_grid(True)
        names = [layer.name for layer in self.layers()]
        enough = len(names) > 1
        self.grid.setEnabled(enough or self.grid.isChecked())
        self._names.setText(" | ".join(names) if enough else "Results appear here after a run.")

    def _selected(self) -> list[Layer]:
        chosen = self._viewer.layers.selection
        images = [x for x in self._viewer.layers if x in chosen and isinstance(x, Image)]
        return images if len(images) > 1 else []

    def _family(self) -> list[Layer]:
        return related(self._viewer, self._source())

    def _on_grid(self, wanted: bool) -> None:
        selected = [] if self._comparison is not None else self._selected()
        if self._comparison is not None:
            comparison, self._comparison = self._comparison, None
            comparison.ended.disconnect(self._on_ended, missing_ok=True)
            comparison.close()
        if not wanted:
            return
        self._grows = not selected
        try:
            layers = selected or self._family()
            self._comparison = Comparison(self._viewer, layers, link=self.link.isChecked())
            self._comparison.ended.connect(self._on_ended)
        except InputError as error:
            self._names.setText(str(error))
            self.grid.setChecked(False)

    def _on_ended(self) -> None:
        """Somebody else closed the grid, for example the command of that name."""
        if is_alive(self):
            self._comparison = None
            self.grid.setChecked(False)

    def _on_link(self, wanted: bool) -> None:
        if self._comparison is not None:
            if wanted:
                self._comparison.link()
            else:
                self._comparison.unlink()
