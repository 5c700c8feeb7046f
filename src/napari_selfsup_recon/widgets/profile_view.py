"""Grey values along a line, one curve a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.widgets.line_profile import Profile
from napari_selfsup_recon.widgets.parts import describe, note
from napari_selfsup_recon.widgets.texts import TEXTS

# Read on the dark and on the light theme, and told apart without colour by their dashes.
_COLOURS = ((140, 140, 140), (230, 145, 30), (52, 140, 210), (40, 160, 90), (190, 90, 190))
_DASHES = (None, [6, 3], None, [2, 3], [8, 3, 2, 3])
_AXIS = (128, 128, 128)
_THEME = (QEvent.Type.StyleChange, QEvent.Type.PaletteChange)


class ProfileView(QWidget):
    """Draws profiles and says how wide their highest peaks are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._words = note()
        self._layout.addWidget(self._words)
        self._plot: Any = None
        describe(self, *TEXTS["profile"])

    @property
    def words(self) -> str:
        """What is written below the curves."""
        return self._words.text()

    def show_profiles(self, profiles: Sequence[Profile], unit: str) -> None:
        """Draw ``profiles``; distances and widths are in ``unit``."""
        import pyqtgraph as pg

        if self._plot is None:
            self._make(pg)
        self._plot.clear()
        self._plot.setLabel("bottom", unit)
        lines = []
        for number, found in enumerate(profiles):
            kind = number % len(_COLOURS)
            pen = pg.mkPen(_COLOURS[kind], width=2)
            if _DASHES[kind] is not None:
                pen.setDashPattern(_DASHES[kind])
            self._plot.plot(found.distance, found.values, pen=pen, name=found.name)
            width = "-" if math.isnan(found.width) else f"{found.width:.3g} {unit}"
            lines.append(f"{found.name}: FWHM {width}")
        self._words.setText("\n".join(lines))
        self._plot.show()

    def tell(self, text: str) -> None:
        """Show a sentence in the place of curves."""
        if self._plot is not None:
            self._plot.hide()
        self._words.setText(text)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme: the plot keeps the background that it was made with."""
        if self._plot is not None and event is not None and event.type() in _THEME:
            self._plot.setBackground(None)
            self._plot.viewport().update()
        super().changeEvent(event)

    def _make(self, pg: Any) -> None:
        plot = pg.PlotWidget(background=None, enableMenu=False)
        menu = plot.getPlotItem().ctrlMenu
        menu.setParent(plot, menu.windowFlags())  # it would outlive the plot as a window
        plot.setMouseEnabled(False, False)
        plot.hideButtons()
        plot.setFixedHeight(170)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(_AXIS)
            axis.setTextPen(_AXIS)
        plot.addLegend(offset=(-4, 2), labelTextColor=_AXIS, verSpacing=-4).setLabelTextSize("8pt")
        describe(plot, *TEXTS["profile"])
        self._plot = plot
        self._layout.insertWidget(0, plot)
