"""An image layer and the size of its voxels."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets._humanize import shape
from napari_selfsup_recon.widgets.bridge import Source, is_psf, is_result, set_voxel_size, unwrap
from napari_selfsup_recon.widgets.choices import DataChoice, Intent, Part
from napari_selfsup_recon.widgets.in_view import kept_in_view
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import describe, form_label, form_layout, line
from napari_selfsup_recon.widgets.request import part_of
from napari_selfsup_recon.widgets.voxel_editor import VoxelEditor


class ImagePicker(QWidget):
    """Chooses an image; of times and channels the one that is shown.

    Parameters
    ----------
    viewer
        The napari viewer.
    title
        Label of the row.
    tooltip
        What the image is for.
    parent
        Qt parent.

    Attributes
    ----------
    changed
        Emitted when another layer is chosen or its voxel size was set.
    """

    changed = Signal()

    def __init__(
        self, viewer: Any, title: str, tooltip: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(unwrap(viewer))
        self.box = LayerBox(viewer, _measured)
        describe(self.box, title, tooltip)
        self._facts = line()
        self.voxel = VoxelEditor()
        form = form_layout()
        form.addRow(form_label(title, self.box), self.box)
        form.addRow("", self._facts)
        form.addRow(form_label("Voxel size", self.voxel), self.voxel)
        self._form = form
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        self.box.chosen.connect(self._on_change)
        self.voxel.committed.connect(self._on_voxel_size)
        self.describe()

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        return self.box.layer

    def source(self) -> Source:
        """Return the image or volume in view.

        Raises
        ------
        InputError
            If there is none, or it is no grey-scale image.
        """
        layer = self.layer
        if layer is None:
            raise InputError("There is no image.", hint="Open one.")
        intent = Intent(data=DataChoice(part=Part.FRAME))
        return part_of(layer, self._viewer(), intent)

    def refresh(self) -> None:
        """Follow the layer list."""
        self.box.refresh()

    def describe(self) -> None:
        """Say what the image is."""
        try:
            source = self.source()
        except InputError as error:
            self._facts.setText("" if self.layer is None else error.message)
            self._form.setRowVisible(self.voxel, False)
            return
        measurement = source.measurement
        lead = len(measurement.leading_shape)
        self._facts.setText(f"{shape(measurement.axes, measurement.shape)}, {measurement.dtype}")
        self._form.setRowVisible(self.voxel, True)
        self.voxel.show_size(measurement.spatial_scale, measurement.units[lead:])

    def _on_change(self) -> None:
        self.describe()
        self.changed.emit()

    def _on_voxel_size(self, size: tuple[float, ...], unit: str) -> None:
        layer = self.layer
        if layer is not None:
            source = self.source()
            kept = iter(source.measurement.axes)
            axes = [next(kept) if held is None else "held" for held in source.fixed]
            with kept_in_view(self._viewer(), layer):
                set_voxel_size(layer, axes, size, unit)
            self._on_change()


def _measured(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the active layer if it is a measurement; results and PSFs are none."""
    measured = [x for x in layers if not (is_result(x) or is_psf(x))]
    active = viewer.layers.selection.active if viewer is not None else None
    return active if active in measured else next(iter(measured or layers), None)
