"""Loss and held-out score while they come in."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.widgets.facts import Curve
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS

# Drawing every step costs training speed; ten times a second looks the same.
_REDRAW_MS = 150
_MOST_POINTS = 400
# Mid tones that are read on the dark and on the light theme.
_AXIS, _LOSS, _SCORE = (128, 128, 128), (140, 140, 140), (52, 140, 210)
_THEME = (QEvent.Type.StyleChange, QEvent.Type.PaletteChange)


class Curves(QWidget):
    """Draws two curves over the steps, on a logarithmic scale.

    pyqtgraph is imported when there is something to draw, so that the dock opens at once.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setMinimumHeight(72)  # gives way to a long message
        self.setMaximumHeight(96)
        describe(self, *TEXTS["curves"])
        self._plot: Any = None
        self._lines: tuple[Any, Any] = (None, None)
        self._waiting: tuple[Curve, Curve] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REDRAW_MS)
        self._timer.timeout.connect(self._draw)
        self.redraws = 0

    def show_curves(self, losses: Curve, scores: Curve) -> None:
        """Show (step, value) pairs; redrawn a few times a second, however often this is called."""
        self._waiting = (losses, scores)
        if not self._timer.isActive():
            self._timer.start()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme: the plot keeps the background that it was made with."""
        if self._plot is not None and event is not None and event.type() in _THEME:
            self._plot.setBackground(None)
            self._plot.viewport().update()
        super().changeEvent(event)

    def _draw(self) -> None:
        if self._waiting is None or not self.isVisible():
            return
        if self._plot is None:
            self._make()
        shown: list[float] = []
        for line, curve in zip(self._lines, self._waiting, strict=True):
            x, y = thinned(curve)
            line.setData(x, y)
            shown += y
        if shown:
            ticks = log_ticks(min(shown), max(shown))
            self._plot.getAxis("left").setTicks([[(math.log10(v), f"{v:.2g}") for v in ticks]])
        self._waiting = None
        self.redraws += 1

    def prepare(self) -> None:
        """Make the plot if there is none yet: better at the press of a button than mid-run."""
        if self._plot is None:
            self._make()

    def _make(self) -> None:
        import pyqtgraph as pg

        plot = pg.PlotWidget(background=None, enableMenu=False)
        menu = plot.getPlotItem().ctrlMenu
        menu.setParent(plot, menu.windowFlags())  # it would outlive the plot as a window
        plot.setMouseEnabled(False, False)
        plot.hideButtons()
        plot.setLogMode(x=False, y=True)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(_AXIS)
            axis.setTextPen(_AXIS)
        plot.getAxis("left").setWidth(44)
        legend = plot.addLegend(offset=(-4, 2), labelTextColor=_AXIS, colCount=2, verSpacing=-4)
        legend.setLabelTextSize("8pt")
        loss = plot.plot([], [], pen=pg.mkPen(_LOSS, width=1), name="loss")
        score = plot.plot(
            [],
            [],
            pen=pg.mkPen(_SCORE, width=2),
            symbol="o",
            symbolSize=4,
            symbolPen=None,
            symbolBrush=_SCORE,
            name="held-out",
        )
        describe(plot, *TEXTS["curves"])
        self._plot, self._lines = plot, (loss, score)
        self._layout.addWidget(plot)


def thinned(curve: Curve) -> tuple[list[int], list[float]]:
    """Return what of a curve can be drawn on a logarithmic scale, in at most 400 points."""
    stride = max(1, len(curve) // _MOST_POINTS)
    kept = [(x, y) for x, y in curve[::stride] if math.isfinite(y) and y > 0]
    return [x for x, _ in kept], [y for _, y in kept]


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values between ``low`` and ``high``, few enough to be read on a small plot."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for digits in ((1, 2, 3, 5, 7), (1, 2, 5), (1,)):
        values = (d * 10.0**p for p in range(first, last + 1) for d in digits)
        found = [v for v in values if low <= v <= high]
        if len(found) <= most:
            break
    if len(found) < 2:  # less than from one round value to the next: the ends have to do
        return sorted({low, high})
    return found[:: max(1, math.ceil(len(found) / most))]
