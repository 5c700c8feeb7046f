"""The directions of a scan as a disc: what was looked at, and the missing wedge."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_selfsup_recon.physics.ct import Scan, describe_scan
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS

_SIDE = 84
_MOST_LINES = 120
_MISSING = QColor(214, 96, 77)
_MEASURED = QColor(90, 160, 110)


class WedgeView(QWidget):
    """Draws one line a view through the middle of a disc, and what no view covers in red."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._degrees: np.ndarray[Any, Any] = np.empty(0)
        self.scan: Scan | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        describe(self, *TEXTS["wedge"])

    def show_angles(self, degrees: np.ndarray[Any, Any] | None) -> None:
        """Draw the views of a scan; nothing where None."""
        self._degrees = np.empty(0) if degrees is None else np.asarray(degrees, dtype=float)
        self.scan = describe_scan(self._degrees) if self._degrees.size else None
        if self.scan is not None:
            self.setAccessibleDescription(str(self.scan))
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of the disc."""
        return QSize(_SIDE, _SIDE)

    def paintEvent(self, event: Any) -> None:
        """Draw it."""
        if self.scan is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        disc = QRectF(3, 3, _SIDE - 6, _SIDE - 6)
        painter.setPen(QPen(self.palette().text().color(), 1))
        painter.drawEllipse(disc)
        if self.scan.gap:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_MISSING)
            for turn in (0.0, 180.0):  # rays have no front: the wedge lies on both sides
                start = self.scan.gap_start + turn
                painter.drawPie(disc, round(16 * start), round(16 * self.scan.gap))
        painter.setPen(QPen(_MEASURED, 1))
        middle, radius = disc.center(), disc.width() / 2
        shown = self._degrees[:: max(1, len(self._degrees) // _MOST_LINES)]
        for angle in np.deg2rad(shown):
            # As on paper: 0 degrees to the right, 90 upwards.
            arm = QPointF(radius * float(np.cos(angle)), -radius * float(np.sin(angle)))
            painter.drawLine(middle - arm, middle + arm)
