"""Card 1: the image, the task, and the part that is worked on."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QRadioButton, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.runs.config import Task
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets._humanize import shape
from napari_selfsup_recon.widgets.bridge import (
    axes_choices,
    is_psf,
    is_result,
    set_voxel_size,
    source_of,
    unwrap,
)
from napari_selfsup_recon.widgets.choices import DataChoice, Part
from napari_selfsup_recon.widgets.in_view import kept_in_view
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.levels import level_texts
from napari_selfsup_recon.widgets.parts import (
    Card,
    describe,
    form_label,
    form_layout,
    is_alive,
    line,
    row,
)
from napari_selfsup_recon.widgets.recon_source import looks_like_scan
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.voxel_editor import VoxelEditor


class DataCard(Card):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.DataChoice`.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    """

    valueChanged = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("1  Data", parent)
        self._viewer = weakref.ref(unwrap(viewer))
        self.image = LayerBox(viewer, _active_image)
        describe(self.image, *TEXTS["image"])
        self._facts = line()
        self.axes = QComboBox()
        guard_wheel(self.axes)
        describe(self.axes, *TEXTS["axes"])
        self.level = QComboBox()
        guard_wheel(self.level)
        describe(self.level, *TEXTS["level"])
        self.voxel = VoxelEditor()
        self.sharpen = QRadioButton("&Sharpen")
        self.denoise = QRadioButton("&Denoise")
        self.reconstruct = QRadioButton("Re&construct")
        describe(self.sharpen, *TEXTS["sharpen"])
        describe(self.denoise, *TEXTS["denoise"])
        describe(self.reconstruct, *TEXTS["reconstruct"])
        self.sharpen.setChecked(True)
        self._before = self.sharpen
        self._followed: weakref.ReferenceType[Layer] | None = None
        self._guessed = False  # whether the task follows from what the layer says
        self.part = QComboBox()
        guard_wheel(self.part)
        describe(self.part, *TEXTS["part"])
        form = form_layout()
        form.addRow(form_label("Image", self.image), self.image)
        form.addRow("", self._facts)
        form.addRow(form_label("Axes", self.axes), self.axes)
        form.addRow(form_label("Level", self.level), self.level)
        form.addRow(form_label("Voxel size", self.voxel), self.voxel)
        tasks = QVBoxLayout()  # in one row they would be wider than the dock
        tasks.addLayout(row(self.sharpen, self.denoise, stretch=True))
        tasks.addLayout(row(self.reconstruct, stretch=True))
        form.addRow(form_label("Task", self.sharpen), tasks)
        form.addRow(form_label("Part", self.part), self.part)
        self.body.addLayout(form)
        self._form = form
        self.image.chosen.connect(self._on_layer)
        self.axes.activated.connect(self._on_axes)
        self.level.activated.connect(self._on_axes)
        self.voxel.committed.connect(self._on_voxel_size)
        for task in (self.sharpen, self.denoise, self.reconstruct):
            task.toggled.connect(self._on_task)
            task.clicked.connect(self._on_chosen)
        self.part.activated.connect(lambda _: self.valueChanged.emit())
        self._on_layer()

    def value(self) -> DataChoice:
        """Return what is chosen."""
        layer = self.image.layer
        return DataChoice(
            layer=None if layer is None else weakref.ref(layer),
            axes=tuple(self.axes.currentData() or ()),
            task=self.task,
            part=self.part.currentData() or Part.WHOLE,
            level=self._level,
        )

    def setValue(self, choice: DataChoice) -> None:
        """Show ``choice``; layers that are gone are passed over."""
        layer = choice.layer() if choice.layer is not None else None
        if layer is not None:
            self.image.choose(layer)
        self._refresh()
        index = self.axes.findText(" ".join(choice.axes))
        if index >= 0:
            self.axes.setCurrentIndex(index)
        if 0 <= choice.level < self.level.count():
            self.level.setCurrentIndex(choice.level)
        self._describe()
        self.choose_task(choice.task)
        self._guessed = False
        self._choose_part(choice.part)

    @property
    def task(self) -> Task:
        """What is to be done."""
        if self.reconstruct.isChecked():
            return "reconstruct"
        return "deconvolve" if self.sharpen.isChecked() else "denoise"

    def choose_task(self, task: Task) -> None:
        """Choose what is to be done; a layer that asks for another task still changes it."""
        buttons = {"deconvolve": self.sharpen, "reconstruct": self.reconstruct}
        buttons.get(task, self.denoise).setChecked(True)

    @property
    def _level(self) -> int:
        """The level that is worked on; of a scan the finest."""
        return 0 if self.task == "reconstruct" else max(0, self.level.currentIndex())

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list."""
        self.image.refresh()

    def _on_task(self, chosen: bool) -> None:
        if chosen:  # of the two that change, one speaks
            self._describe()
            self.valueChanged.emit()

    def _on_chosen(self) -> None:
        self._guessed = False

    def _on_layer(self) -> None:
        self._refresh()
        self._guess_task()
        self.valueChanged.emit()

    def _guess_task(self) -> None:
        """A scan is to be reconstructed; with the next image comes back what was chosen before."""
        layer = self.image.layer
        scan = isinstance(layer, Image) and looks_like_scan(layer)
        if scan and self.task != "reconstruct":
            self._before = self.sharpen if self.sharpen.isChecked() else self.denoise
            self.reconstruct.setChecked(True)
            self._guessed = True
        elif layer is not None and not scan and self._guessed:
            self._before.setChecked(True)
            self._guessed = False

    def _refresh(self) -> None:
        """Read the layer anew."""
        layer = self.image.layer
        self._follow(layer)
        self.axes.clear()
        for axes in axes_choices(layer) if isinstance(layer, Image) and not layer.rgb else ():
            self.axes.addItem(" ".join(axes), axes)
        self.level.clear()
        self.level.addItems(level_texts(layer) if self.axes.count() else [])
        self._describe()

    def _follow(self, layer: Layer | None) -> None:
        """Notice when somebody else, a script perhaps, sets the voxel size."""
        before = self._followed() if self._followed is not None else None
        if layer is before:
            return
        for old in filter(None, (before,)):
            old.events.scale.disconnect(self._on_scale)
            old.events.units.disconnect(self._on_scale)
        self._followed = None if layer is None else weakref.ref(layer)
        if layer is not None:
            layer.events.scale.connect(self._on_scale)
            layer.events.units.connect(self._on_scale)

    def _on_scale(self, event: Any = None) -> None:
        if is_alive(self):
            self._describe()
            self.valueChanged.emit()

    def _describe(self) -> None:
        """Say what the image is, with the axes as they are read now."""
        layer = self.image.layer
        source = None
        if layer is not None and self.axes.count():
            try:
                source = source_of(layer, axes=self.axes.currentData(), level=self._level)
            except InputError:
                source = None
        image = self.task != "reconstruct"  # parts and axes of a scan are the physics card's
        self._form.setRowVisible(self.voxel, source is not None)
        self._form.setRowVisible(self.part, source is not None and image)
        self._form.setRowVisible(self.axes, source is not None and image and self.axes.count() > 1)
        self._form.setRowVisible(
            self.level, source is not None and image and self.level.count() > 1
        )
        if source is None:
            self._facts.setText("" if layer is None else "This layer cannot be used.")
            self._form.setRowVisible(self._facts, layer is not None)
            return
        measurement = source.measurement
        self._form.setRowVisible(self._facts, True)
        lengths = shape(measurement.axes, measurement.shape)
        if not image:
            lengths = " × ".join(map(str, measurement.shape))  # which is the angle is seen later
        self._facts.setText(f"{lengths}, {measurement.dtype}")
        lead = len(measurement.leading_shape)
        self.voxel.show_size(measurement.spatial_scale, measurement.units[lead:])
        self._offer_parts(measurement.spatial_ndim == 3, lead > 0)

    def _offer_parts(self, volume: bool, frames: bool) -> None:
        before = self.part.currentData() or Part.WHOLE
        self.part.clear()
        for part in Part:
            if (part is Part.FRAME and not frames) or (part is Part.SLICE and not volume):
                continue
            self.part.addItem(part.value, part)
        self._choose_part(before)

    def _choose_part(self, part: Part) -> None:
        # Enum members are compared by identity; findData would compare Qt's copies of them.
        found = [i for i in range(self.part.count()) if self.part.itemData(i) is part]
        self.part.setCurrentIndex(found[0] if found else 0)

    def _on_axes(self) -> None:
        self._describe()
        self.valueChanged.emit()

    def _on_voxel_size(self, size: tuple[float, ...], unit: str) -> None:
        layer: Layer | None = self.image.layer
        if layer is not None:
            with kept_in_view(self._viewer(), layer):
                set_voxel_size(layer, self.axes.currentData(), size, unit, level=self._level)
            self._describe()
            self.valueChanged.emit()


def _active_image(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the active layer if it is a measurement; results and PSFs are none."""
    measured = [x for x in layers if not (is_result(x) or is_psf(x))]
    active = viewer.layers.selection.active if viewer is not None else None
    if active in measured:
        return active
    shown = [layer for layer in measured if layer.visible]
    return next(iter(shown or measured or layers), None)
