"""A PSF from what is printed on the microscope."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.runs.psf import describe, micrometers, theoretical
from napari_selfsup_recon.widgets.background import Work
from napari_selfsup_recon.widgets.image_picker import ImagePicker
from napari_selfsup_recon.widgets.microscope_form import MicroscopeForm
from napari_selfsup_recon.widgets.parts import button
from napari_selfsup_recon.widgets.psf_layer import Made, made_of
from napari_selfsup_recon.widgets.psf_page import PsfPage
from napari_selfsup_recon.widgets.texts import TEXTS


class TheoryPage(PsfPage):
    """Computes the PSF of an ideal microscope for the voxels of an image.

    Attributes
    ----------
    described
        Emitted with the microscope that a PSF is computed for.
    """

    described = Signal(object)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("The PSF of an ideal microscope, for the voxels of an image.", parent)
        self.image = ImagePicker(viewer, *TEXTS["psf for"])
        self.microscope = MicroscopeForm()
        self.compute = button("&Compute", *TEXTS["psf compute"])
        for widget in (self.image, self.microscope, self.compute):
            self.body.addWidget(widget)
        self.image.changed.connect(self._on_image)
        self.compute.clicked.connect(lambda *_: self.ask(self._prepare))
        self._on_image()

    def refresh(self) -> None:
        """Follow the layer list."""
        self.image.refresh()

    def _on_image(self) -> None:
        layer = self.image.layer
        if layer is not None:
            self.microscope.take_from(layer.metadata)

    def _prepare(self) -> tuple[Work, Callable[[Any], None]]:
        image = self.image.source().measurement
        microscope = self.microscope.value()
        sizes = micrometers(image)
        self.described.emit(microscope)

        def work() -> Generator[str, None, Made]:
            yield "Computing the PSF"
            kernel = theoretical(microscope, sizes)
            found = psf.check_sampling(microscope, voxel_size=sizes, shape=kernel.shape)
            recipe = {"from": "theory", "microscope": microscope.model_dump(mode="json")}
            return made_of(kernel, image, f"PSF {describe(microscope)}", found, recipe)

        return work, lambda made: self.made.emit(made, True)
