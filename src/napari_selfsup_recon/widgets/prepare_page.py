"""A recorded PSF, from a layer or a file, made ready for an image."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.psf import choose_psf
from napari_selfsup_recon.widgets.background import Work
from napari_selfsup_recon.widgets.bridge import is_psf, unique_name, unwrap
from napari_selfsup_recon.widgets.choices import PsfChoice, PsfKind
from napari_selfsup_recon.widgets.image_picker import ImagePicker
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import button, describe, form_label, form_layout, row
from napari_selfsup_recon.widgets.psf_layer import Made, made_of
from napari_selfsup_recon.widgets.psf_page import PsfPage
from napari_selfsup_recon.widgets.request import psf_of
from napari_selfsup_recon.widgets.texts import TEXTS


class PreparePage(PsfPage):
    """Looks at a PSF, repairs it, and lets repairs be undone one by one."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(
            "A recorded PSF: freed of its background, centred, brought to the voxels of an image, "
            "and cropped to its light. What is done is told, and can be undone.",
            parent,
        )
        self._viewer = weakref.ref(unwrap(viewer))
        self._keep: tuple[str, ...] = ()
        self.psf = LayerBox(viewer, _likely)
        describe(self.psf, *TEXTS["psf layer"])
        self.image = ImagePicker(viewer, *TEXTS["psf for"])
        self.open = button("&Open a file …", *TEXTS["psf open"])
        self.look = button("&Look at it", *TEXTS["psf look"])
        self.add = button("&Make layer", *TEXTS["psf add"])
        form = form_layout()
        form.addRow(form_label("PSF", self.psf), self.psf)
        self.body.addLayout(form)
        self.body.addWidget(self.open)
        self.body.addWidget(self.image)
        self.body.addLayout(row(self.look, self.add))
        self.psf.chosen.connect(self._on_psf)
        self.open.clicked.connect(self._browse)
        self.look.clicked.connect(lambda *_: self.ask(lambda: self._prepare(False)))
        self.add.clicked.connect(lambda *_: self.ask(lambda: self._prepare(True)))

    def refresh(self) -> None:
        """Follow the layer list."""
        self.psf.refresh()
        self.image.refresh()

    def set_kept(self, step: str, kept: bool) -> None:
        """Take a repair back, or do it after all, and show what comes of it."""
        others = tuple(name for name in self._keep if name != step)
        self._keep = (*others, step) if kept else others
        self.ask(lambda: self._prepare(False))

    def load(self, path: str) -> None:
        """Open a file as a layer that is called a PSF, and choose it."""

        def work() -> Generator[str, None, Measurement]:
            from napari_selfsup_recon.io import volumes

            yield "Reading the file"
            return volumes.read(path)

        self.wanted.emit(work, lambda read: self._add_read(read, Path(path).stem))

    def _prepare(self, add: bool) -> tuple[Work, Callable[[Any], None]]:
        image = self.image.source().measurement
        layer = self.psf.layer
        if layer is None:
            raise InputError("There is no PSF to prepare.", hint="Open its file.")
        name = str(layer.name)
        if self.image.layer is layer:
            raise InputError(f"{name!r} is chosen as PSF and as image.", hint="Choose another one.")
        choice = PsfChoice(kind=PsfKind.LAYER, layer=weakref.ref(layer))
        given = psf_of(choice, image.spatial_ndim)
        config = RunConfig(physics=PhysicsChoice(psf="array", keep=self._keep))
        name += "" if is_psf(layer) else " PSF"

        def work() -> Generator[str, None, Made]:
            yield "Preparing the PSF"
            kernel, found = choose_psf(config, image, given)
            assert kernel is not None
            kept = list(config.physics.keep)
            recipe = {"from": "layer", "source": given.describe(), "keep": kept}
            return made_of(kernel, image, f"{name} prepared", found, recipe)

        return work, lambda made: self.made.emit(made, add)

    def _on_psf(self) -> None:
        self._keep = ()  # what was undone was undone for another PSF

    def _browse(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "PSF", "", "Images (*.tif *.tiff *.npy *.npz);;All files (*)"
        )
        if chosen:
            self.load(chosen)

    def _add_read(self, read: Measurement, stem: str) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        name = stem if "psf" in stem.lower() else f"{stem} PSF"
        layer = Image(
            read.data,
            name=unique_name(name, [other.name for other in viewer.layers]),
            scale=read.scale,
            units=read.units,
            axis_labels=read.axes,
            visible=False,
        )
        viewer.layers.append(layer)
        self.psf.refresh()
        self.psf.choose(layer)
        self.ask(lambda: self._prepare(False))


def _likely(viewer: Any, layers: list[Layer]) -> Layer | None:
    active = viewer.layers.selection.active if viewer is not None else None
    named = [layer for layer in layers if is_psf(layer)]
    if active in named:
        return active
    return next(iter(named or layers[-1:]), None)
