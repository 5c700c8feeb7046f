"""A PSF from images of beads."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from napari.layers import Layer, Points
from qtpy.QtWidgets import QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.widgets.background import Work
from napari_selfsup_recon.widgets.beads_layer import positions_of, show_beads
from napari_selfsup_recon.widgets.bridge import Source
from napari_selfsup_recon.widgets.image_picker import ImagePicker
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import button, describe, form_label, form_layout, row
from napari_selfsup_recon.widgets.psf_layer import Made, made_of
from napari_selfsup_recon.widgets.psf_page import PsfPage
from napari_selfsup_recon.widgets.texts import TEXTS

# Symbols are drawn so much larger than the beads are wide.
_AROUND = 2.5


class BeadsPage(PsfPage):
    """Finds beads and averages them."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("The mean of small beads, recorded as the image was.", parent)
        self._viewer = viewer
        self.image = ImagePicker(viewer, *TEXTS["beads image"])
        self.points = LayerBox(viewer, _last, kind=Points, nothing="found by themselves")
        describe(self.points, *TEXTS["beads points"])
        self.search = button("&Find beads", *TEXTS["beads find"])
        self.average = button("&Average", *TEXTS["beads average"])
        form = form_layout()
        form.addRow(form_label("Points", self.points), self.points)
        self.body.addWidget(self.image)
        self.body.addLayout(form)
        self.body.addLayout(row(self.search, self.average))
        self.search.clicked.connect(lambda *_: self.ask(self._finding))
        self.average.clicked.connect(lambda *_: self.ask(self._averaging))

    def refresh(self) -> None:
        """Follow the layer list."""
        self.image.refresh()
        self.points.refresh()

    def _finding(self) -> tuple[Work, Callable[[Any], None]]:
        source = self.image.source()
        image = source.measurement

        def work() -> Generator[str, None, Any]:
            yield "Reading the image"
            volume = image.frame((0,) * len(image.leading_shape))
            yield "Looking for beads"
            found = psf.find_beads(volume)
            if not len(found):
                raise InputError(
                    "No bead was found.",
                    hint="Choose a volume with bright beads on a dark ground, or set points on "
                    "them.",
                )
            yield "Looking at each of them"
            try:
                judged = psf.from_beads(volume, found, voxel_size=image.spatial_scale)
            except InputError as error:
                # They are shown all the same: the person sees what they are.
                return found, None, str(error)
            return found, judged, ""

        def done(result: Any) -> None:
            found, judged, problem = result
            self._mark(source, found, judged, None)
            if judged is None:
                self.refused.emit(InputError(problem))
            else:
                self.made.emit(_made(judged, source), False)

        return work, done

    def _averaging(self) -> tuple[Work, Callable[[Any], None]]:
        source = self.image.source()
        image = source.measurement
        layer = self.points.layer
        points = None if layer is None else positions_of(layer, source)
        if points is not None and not len(points):
            raise InputError(
                f"{layer.name if layer is not None else ''!r} holds no points.",
                hint="Set points on the beads, or let them be found.",
            )

        def work() -> Generator[str, None, Any]:
            yield "Reading the image"
            volume = image.frame((0,) * len(image.leading_shape))
            yield "Averaging the beads"
            return psf.from_beads(volume, points, voxel_size=image.spatial_scale)

        def done(judged: Any) -> None:
            self._mark(source, None, judged, layer)
            self.made.emit(_made(judged, source), True)

        return work, done

    def _mark(
        self,
        source: Source,
        found: np.ndarray[Any, Any] | None,
        judged: Any,
        layer: Layer | None,
    ) -> None:
        """Show the beads with what became of them, and choose them."""
        if judged is None:
            assert found is not None
            places, reasons, width = list(found), None, 8.0
        else:
            beads = (*judged.used, *judged.rejected)
            places, reasons = [bead.position for bead in beads], [bead.reason for bead in beads]
            lateral = zip(judged.fwhm[-2:], judged.scale[-2:], strict=True)
            width = max(4.0, _AROUND * max(w / s for w, s in lateral))
        mine = layer if isinstance(layer, Points) else _beads_of(self._viewer, source)
        shown = show_beads(self._viewer, source, places, reasons, width, mine)
        self.points.refresh()
        self.points.choose(shown)


def _made(judged: Any, source: Source) -> Made:
    used = [list(map(float, bead.position)) for bead in judged.used]
    recipe = {
        "from": "beads",
        "source": source.measurement.describe(),
        "beads": used,
        "left_out": [bead.reason for bead in judged.rejected],
        "quality": judged.quality,
    }
    name = f"{source.name} bead PSF"
    return made_of(judged.psf, source.measurement, name, judged.findings, recipe, fwhm=judged.fwhm)


def _beads_of(viewer: Any, source: Source) -> Points | None:
    """Return the points that an earlier search left for this image."""
    for layer in viewer.layers:
        ours = isinstance(layer, Points) and {"bead", "reason"} <= set(layer.features)
        if ours and layer.name.startswith(f"{source.name} beads"):
            return layer
    return None


def _last(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the active points, if they are active."""
    active = viewer.layers.selection.active if viewer is not None else None
    return active if active in layers else None
