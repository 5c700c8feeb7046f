"""Grid, curtain, blink: one press each, on whatever layers are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QSlider, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.blink import Blink
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.comparison import Comparison
from napari_selfsup_recon.widgets.curtain import Curtain
from napari_selfsup_recon.widgets.parts import button, describe, is_alive, row
from napari_selfsup_recon.widgets.texts import TEXTS

MODES: dict[str, type[Comparison]] = {"grid": Comparison, "curtain": Curtain, "blink": Blink}
_FINE = 1000


class ModeBar(QWidget):
    """Switches ways of comparing on and off; one at a time.

    Parameters
    ----------
    viewer
        The napari viewer.
    layers
        Returns what is compared, in reading order.

    Attributes
    ----------
    refused
        Emitted with a sentence where something cannot be compared.
    comparison
        The one that this bar opened, None while there is none.
    """

    refused = Signal(str)

    def __init__(
        self, viewer: Any, layers: Callable[[], list[Layer]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = unwrap(viewer)
        self._layers = layers
        self.comparison: Comparison | None = None
        titles = {"grid": "&Grid", "curtain": "C&urtain", "blink": "&Blink"}
        self.buttons: dict[str, QPushButton] = {}
        for mode, title in titles.items():
            push = button(title, *TEXTS[mode])
            push.setCheckable(True)
            push.toggled.connect(lambda on, mode=mode: self._on_toggled(mode, on))
            self.buttons[mode] = push
        self.link = QCheckBox("Same contrast")
        self.link.setChecked(True)
        describe(self.link, *TEXTS["link"])
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _FINE)
        describe(self.slider, *TEXTS["curtain slider"])
        self.slider.hide()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.column.addLayout(row(*self.buttons.values()))
        self.column.addWidget(self.slider)
        self.link.toggled.connect(self._on_link)
        self.slider.valueChanged.connect(self._on_slider)

    def refresh(self) -> None:
        """Follow the layer list: what arrives joins, and where one goes it ends."""
        comparison = self.comparison
        if comparison is not None:
            if any(layer not in self._viewer.layers for layer in comparison.layers):
                self.end()
            elif comparison.mode != "curtain":
                family = self._layers()
                if len(family) > len(comparison.layers) and set(comparison.layers) <= set(family):
                    self.begin(comparison.mode)
        enough = len(self._layers()) > 1
        for push in self.buttons.values():
            push.setEnabled(enough or push.isChecked())

    def begin(self, mode: str) -> None:
        """Compare in this way, instead of any other."""
        layers = self._layers()
        self._leave()
        try:
            self.comparison = MODES[mode](self._viewer, layers, link=self.link.isChecked())
        except InputError as error:
            self._show_mode("")
            self.refused.emit(str(error))
            return
        self.comparison.ended.connect(self._on_ended)
        self._show_mode(mode)

    def end(self) -> None:
        """Show everything as it was."""
        self._leave()
        self._show_mode("")

    def toggle(self, mode: str) -> None:
        """Begin, or end what is under way."""
        self.buttons[mode].toggle()

    def shift(self, share: float) -> None:
        """Move the curtain by a share of its way; nothing without one."""
        if isinstance(self.comparison, Curtain):
            self.comparison.position = self.comparison.position + share
            self._show_position()

    def _leave(self) -> None:
        comparison, self.comparison = self.comparison, None
        if comparison is not None:
            comparison.ended.disconnect(self._on_ended, missing_ok=True)
            comparison.close()

    def _show_mode(self, mode: str) -> None:
        for name, push in self.buttons.items():
            with QSignalBlocker(push):
                push.setChecked(name == mode)
        self.slider.setVisible(mode == "curtain")
        self._show_position()

    def _show_position(self) -> None:
        if isinstance(self.comparison, Curtain):
            with QSignalBlocker(self.slider):
                self.slider.setValue(round(self.comparison.position * _FINE))

    def _on_toggled(self, mode: str, on: bool) -> None:
        if on:
            self.begin(mode)
        else:
            self.end()

    def _on_ended(self) -> None:
        """Somebody else closed it, for example the command of that name."""
        if is_alive(self):
            self.comparison = None
            self._show_mode("")

    def _on_link(self, wanted: bool) -> None:
        if self.comparison is not None:
            if wanted:
                self.comparison.link()
            else:
                self.comparison.unlink()

    def _on_slider(self, value: int) -> None:
        if isinstance(self.comparison, Curtain):
            self.comparison.position = value / _FINE
