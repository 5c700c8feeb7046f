"""A box that is dragged over a large image: what is inside is sharpened while it moves."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QSlider, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import add_layer, source_of, unwrap
from napari_selfsup_recon.widgets.parts import describe, note

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.blur import Blur

SIDE = 112
MOST, FIRST = 60, 20
_LEAST = 16
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")

Box = tuple[slice, slice]


class BoxWidget(QWidget):
    """Adds a box to an image and keeps what is inside sharp; a slider says how sharp.

    The newest place counts: while one is computed, those that are passed over are forgotten.

    Parameters
    ----------
    viewer
        The napari viewer.
    image
        Measured image (y, x).
    psf
        Its point spread function.
    offset
        Counts of the camera in the dark.

    Attributes
    ----------
    box
        The layer with the box.
    shown
        Emitted when the answer for a place came into view.
    """

    shown = Signal()

    def __init__(
        self,
        viewer: Any,
        image: Image,
        psf: NDArray[Any],
        *,
        offset: float = 0.0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(unwrap(viewer))
        self._source = source_of(image)
        self._sharpen = Sharpen(np.asarray(image.data), np.asarray(psf), offset)
        self._answer: weakref.ReferenceType[Image] | None = None
        self._wanted: tuple[Box, int] | None = None
        self._working: tuple[Box, int] | None = None
        self._done: tuple[Box, int] | None = None
        self._background = Background(self)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, MOST)
        describe(self.slider, "Iterations", "More iterations are sharper and noisier.")
        self._words = note()
        column = QVBoxLayout(self)
        column.addWidget(self.slider)
        column.addWidget(self._words)
        self.setMaximumHeight(90)
        with QSignalBlocker(self.slider):
            self.slider.setValue(FIRST)
        self.slider.valueChanged.connect(lambda _: self._follow())
        self.box = self._draw(image.data.shape[-2:])
        self.box.events.set_data.connect(self._follow)
        self._follow()

    @property
    def answer(self) -> Image | None:
        """The layer inside the box, None before the first answer."""
        viewer, layer = self._viewer(), self._answer() if self._answer is not None else None
        return layer if viewer is not None and layer in viewer.layers else None

    @property
    def place(self) -> Box:
        """Rows and columns of the image inside the box, at least 16 of each."""
        corners = np.asarray(self.box.data[0])[:, -2:]
        sides = []
        for low, high, n in zip(
            corners.min(0), corners.max(0), self._source.measurement.shape, strict=True
        ):
            length = min(n, max(_LEAST, round(float(high - low))))
            start = int(np.clip(round(float(low)), 0, n - length))
            sides.append(slice(start, start + length))
        return sides[0], sides[1]

    def _draw(self, shape: tuple[int, ...]) -> Shapes:
        """Add the box to the middle of the image, ready to be dragged."""
        starts = [max(0, (n - SIDE) // 2) for n in shape]
        ends = [min(n, start + SIDE) for n, start in zip(shape, starts, strict=True)]
        layer = Shapes(
            [np.array([starts, ends])],
            shape_type="rectangle",
            name="box",
            face_color="transparent",
            edge_color="yellow",
            edge_width=2,
            **{key: self._source.spatial[key] for key in _PLACE},
        )
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.append(layer)
            viewer.layers.selection.active = layer
        layer.mode = "select"
        layer.selected_data = {0}
        return layer

    def _follow(self, event: Any = None) -> None:
        """Ask for the answer at the place where the box is now."""
        if not self.box.data:
            return
        wanted = (self.place, self.slider.value())
        if wanted not in (self._working, self._done) or self._wanted is not None:
            self._wanted = wanted
            self._begin()

    def _begin(self) -> None:
        if self._working is not None or self._wanted is None:
            return
        self._working, self._wanted = self._wanted, None
        (place, iterations), sharpen = self._working, self._sharpen

        def work() -> Generator[str, None, tuple[FloatImage, float]]:
            yield "Getting ready"
            sharpen.prepare(place)
            yield "Sharpening"
            began = perf_counter()
            return sharpen.at(place, iterations), perf_counter() - began

        self._background.start(work, self._on_image, self._on_failure)

    def _on_image(self, answer: tuple[FloatImage, float]) -> None:
        assert self._working is not None
        image, seconds = answer
        self._done, self._working = self._working, None
        self._put(image, self._done[0])
        self._words.setText(
            f"Lucy-Richardson, {self._done[1]} iterations, in {1000 * seconds:.0f} ms. Drag the "
            "box or its corners; the slider makes it sharper. Run does the whole image."
        )
        self.shown.emit()
        self._begin()

    def _on_failure(self, error: ReconError) -> None:
        self._working = None
        self._words.setText(str(error))

    def _put(self, image: FloatImage, place: Box) -> None:
        viewer, layer = self._viewer(), self.answer
        offset = [side.start for side in place]
        if viewer is None:
            return
        if layer is not None:
            data, facts = self._source.placed(image, offset)
            layer.data, layer.translate = data, facts["translate"]
            return
        layer = add_layer(viewer, self._source, image, "inside the box", offset=offset)
        viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(self.box))
        viewer.layers.selection.active = self.box
        self._answer = weakref.ref(layer)


class Sharpen:
    """Sharpens parts of one image; what does not depend on the place is computed once.

    Parameters
    ----------
    image, psf
        Measured image and its point spread function, (y, x).
    offset
        Counts of the camera in the dark.
    """

    def __init__(self, image: NDArray[Any], psf: NDArray[Any], offset: float) -> None:
        self._image, self._psf, self._offset = image, psf, offset
        self._blurs: dict[tuple[int, ...], Blur] = {}

    def prepare(self, place: Box) -> Blur:
        """Return the blur of parts of this size; loads torch."""
        from napari_selfsup_recon.physics.blur import Blur

        shape = tuple(side.stop - side.start for side in self._around(place))
        if shape not in self._blurs:
            self._blurs.clear()
            self._blurs[shape] = Blur(self._psf, shape)
        return self._blurs[shape]

    def _around(self, place: Box) -> Box:
        """Return the place with what the PSF reaches around it."""
        rows, columns = (
            slice(max(0, side.start - k), min(n, side.stop + k))
            for side, k, n in zip(place, self._psf.shape, self._image.shape, strict=True)
        )
        return rows, columns

    def at(self, place: Box, iterations: int) -> FloatImage:
        """Return the part of the image in ``place``, sharpened; its surroundings are heeded."""
        from napari_selfsup_recon.methods.richardson_lucy.method import RichardsonLucy
        from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions

        around = self._around(place)
        options = RichardsonLucyOptions(
            iterations=iterations, background=self._offset, repair=False
        )
        lucy = RichardsonLucy(self.prepare(place), options)
        sharp = lucy.reconstruct(self._image[around])
        inner = tuple(
            slice(side.start - wide.start, side.stop - wide.start)
            for side, wide in zip(place, around, strict=True)
        )
        return cast(FloatImage, sharp[inner])


def add_box(viewer: Any, dock: Any) -> BoxWidget:
    """Add the box to the window of the demo."""
    from napari_selfsup_recon.demos.samples import OFFSET_KEY

    image, psf = viewer.layers["large_2d"], viewer.layers["large_2d PSF"]
    widget = BoxWidget(viewer, image, psf.data, offset=float(image.metadata[OFFSET_KEY]))
    viewer.window.add_dock_widget(widget, name="Box", area="bottom")
    viewer.reset_view()  # the new row took some of its height
    return widget
