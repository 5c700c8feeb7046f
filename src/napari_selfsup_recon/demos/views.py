"""How many views does a slice need? A slider that thins out a scan while a slice follows."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import QSlider, QVBoxLayout, QWidget

from napari_selfsup_recon.simulate.phantoms import ScanSample, ellipsoid_scan
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.parts import describe, note

MOST, FEWEST = 120, 8
_REST_MS = 60


class ViewsWidget(QWidget):
    """Sets the number of views of a layer of sinograms.

    Parameters
    ----------
    layer
        Shows the sinograms; its values and angles are replaced.
    dock
        Told to look anew, and shows the slice that follows.
    scan
        The scan with all views; made where None.
    """

    def __init__(
        self,
        layer: Image,
        dock: ReconWidget,
        *,
        scan: ScanSample | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._layer = weakref.ref(layer)
        self._dock = weakref.ref(dock)
        self._scan = ellipsoid_scan(MOST, size=layer.data.shape[-1]) if scan is None else scan
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(FEWEST, len(self._scan.degrees))
        describe(self.slider, "Views", "Fewer views mean less dose and time, and more streaks.")
        self._words = note()
        column = QVBoxLayout(self)
        column.addWidget(self.slider)
        column.addWidget(self._words)
        self.setMaximumHeight(90)
        with QSignalBlocker(self.slider):
            self.slider.setValue(layer.data.shape[-2])
        self._say(layer.data.shape[-2])
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._take)
        self.slider.valueChanged.connect(lambda _: self._timer.start())

    def _take(self) -> None:
        """Give the layer as many views as the slider says, evenly chosen."""
        layer, dock = self._layer(), self._dock()
        if layer is None or dock is None or dock.session.busy:
            return
        count = self.slider.value()
        chosen = evenly(len(self._scan.degrees), count)
        layer.metadata["theta_deg"] = self._scan.degrees[chosen].tolist()
        layer.data = self._scan.sinograms[:, chosen]
        self._say(count)
        dock.refresh()

    def _say(self, count: int) -> None:
        self._words.setText(
            f"{count} of {len(self._scan.degrees)} views. Look at the slice, then press Run: EI "
            "learns from these views alone what they do not show."
        )


def evenly(views: int, count: int) -> NDArray[np.intp]:
    """Return ``count`` numbers below ``views``, as evenly as they can be."""
    return np.unique(np.floor(np.arange(count) * views / count).astype(np.intp))


def add_views(viewer: Any, dock: ReconWidget) -> ViewsWidget:
    """Add the slider to the window of a demo, and show the slice that follows it."""
    widget = ViewsWidget(viewer.layers["sparse_ct"], dock)
    viewer.window.add_dock_widget(widget, name="Views", area="bottom")
    dock.physics.instrument.axis.look.setChecked(True)
    return widget
