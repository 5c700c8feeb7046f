"""The dock that compares any layers: side by side, one over the other, along a line, in numbers."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import Any

from napari.layers import Image, Layer, Shapes
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError, ReconError
from napari_selfsup_recon.core.units import unit_symbol
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import unique_name, unwrap
from napari_selfsup_recon.widgets.companions import result_of
from napari_selfsup_recon.widgets.compare_card import selected_images
from napari_selfsup_recon.widgets.comparison import related, with_like_values
from napari_selfsup_recon.widgets.help import help_button
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.line_profile import ends_of, profile
from napari_selfsup_recon.widgets.mode_bar import ModeBar
from napari_selfsup_recon.widgets.pairing import (
    DIVERGING,
    difference,
    overlap,
    placed_like,
    values,
)
from napari_selfsup_recon.widgets.parts import (
    Card,
    button,
    form_label,
    form_layout,
    is_alive,
    note,
    row,
)
from napari_selfsup_recon.widgets.profile_view import ProfileView
from napari_selfsup_recon.widgets.reblur import can_reblur, residual_of
from napari_selfsup_recon.widgets.score_resolution import grid_of, is_raw, remember_as_made
from napari_selfsup_recon.widgets.score_table import ScoreTable
from napari_selfsup_recon.widgets.scores import scores
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.trust_bar import TrustBar

# A line that is being dragged changes at every move of the mouse.
_REST_MS = 60


class CompareWidget(QWidget):
    """Compares the selected images, or an image and what was made from it.

    Parameters
    ----------
    napari_viewer
        The napari viewer; napari gives it to a parameter of this name.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = unwrap(napari_viewer)
        self._background = Background(self)
        self._line: weakref.ReferenceType[Shapes] | None = None
        self._names = note()
        self.bar = ModeBar(napari_viewer, self.layers)
        self.difference = button("&Difference", *TEXTS["difference"])
        self.trust = TrustBar(napari_viewer, self.result)
        self.draw = button("Draw a &line", *TEXTS["draw line"])
        self.profile = ProfileView()
        self.reference = LayerBox(napari_viewer, lambda *_: None, nothing="none")
        self.reference.setAccessibleName(TEXTS["reference"][0])
        self.reference.setToolTip(f"<qt>{TEXTS['reference'][1]}</qt>")
        self.measure = button("M&easure", *TEXTS["measure"])
        self.table = ScoreTable()
        self._problem = note()
        self._problem.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self.show_profile)
        self.bar.refused.connect(self._tell)
        self.difference.clicked.connect(lambda *_: self.add_difference())
        self.draw.clicked.connect(lambda *_: self.start_line())
        self.measure.clicked.connect(lambda *_: self.start_measuring())
        self._background.busyChanged.connect(lambda busy: self.measure.setEnabled(not busy))
        selection, dims = self._viewer.layers.selection.events.changed, self._viewer.dims.events
        for event in (selection, dims.current_step):
            event.connect(self._on_view)
        self._lay_out()
        self.refresh()

    def layers(self) -> list[Layer]:
        """Return what is compared: the selected images if there are several, else a family."""
        chosen = selected_images(self._viewer)
        return chosen or related(self._viewer, self._active())

    def result(self) -> Layer | None:
        """Return the result that is asked about: the active one, else the latest."""
        family = self.layers()
        active = result_of(self._viewer.layers.selection.active)
        return active if active in family else next(iter(family[::-1]), None)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls this whenever it changes."""
        if is_alive(self):
            self.reference.refresh()
            self.refresh()

    def refresh(self) -> None:
        """Look anew at what is compared."""
        names = [layer.name for layer in self.layers()]
        enough = len(names) > 1
        self._names.setText(
            " | ".join(names)
            if enough
            else "Select two or more images in the layer list, or one that something was made from."
        )
        self.bar.refresh()
        self.trust.refresh()
        for push in (self.difference, self.draw):
            push.setEnabled(bool(names) if push is self.draw else enough)
        self.measure.setEnabled(bool(names) and not self._background.busy)

    def add_difference(self) -> None:
        """Add the last layer less the first as a layer."""
        self._tell("")
        try:
            pair = with_like_values([x for x in self.layers() if isinstance(x, Image)])
            if len(pair) < 2:
                raise InputError("There is only one image.", hint="Select two or more.")
            first, last = pair[0], pair[-1]
            parts = overlap([first, last])
        except ReconError as error:
            self._tell(str(error))
            return

        def work() -> Generator[str, None, Any]:
            yield "Reading"
            return difference(values(first, parts[0]), values(last, parts[1]))

        def done(found: Any) -> None:
            data, most = found
            taken = [layer.name for layer in self._viewer.layers]
            layer = Image(
                data,
                name=unique_name(f"{last.name} - {first.name}", taken),
                colormap=DIVERGING,
                contrast_limits=(-most, most),
                **placed_like(first, [part.start for part in parts[0]]),
            )
            remember_as_made(layer)
            self._viewer.layers.append(layer)

        self._background.start(work, done, lambda error: self._tell(str(error)))

    def start_line(self) -> None:
        """Add a layer to draw a line on, or take up the one there is."""
        layer = self._line() if self._line is not None else None
        images = self.layers()
        if layer is None or layer not in self._viewer.layers:
            if not images:
                return
            self._compared = [weakref.ref(image) for image in images]
            layer = Shapes(
                ndim=images[0].ndim,
                name=unique_name("line profile", [x.name for x in self._viewer.layers]),
                edge_color="yellow",
                edge_width=float(max(images[0].scale[-2:])) * 1.5,
                units=images[0].units,
                axis_labels=images[0].axis_labels,
            )
            layer.events.data.connect(self._on_line)
            self._line = weakref.ref(layer)
            self._viewer.layers.append(layer)
        self._viewer.layers.selection.active = layer
        layer.mode = "add_line"
        self.profile.tell("Draw a line on the image.")

    def show_profile(self) -> None:
        """Draw the grey values of the compared images along the line."""
        layer = self._line() if self._line is not None else None
        if layer is None or layer not in self._viewer.layers or not is_alive(self):
            return
        images = [x for ref in self._compared if isinstance(x := ref(), Image) and not x.rgb]
        images = [x for x in images if x in self._viewer.layers]
        try:
            start, end = ends_of(layer, self._viewer.dims.ndim)
            found = [profile(image, start, end) for image in with_like_values(images)]
        except InputError as error:
            self.profile.tell(str(error))
            return
        unit = unit_symbol(str(images[0].units[-1])) if images else ""
        self.profile.show_profiles(found, unit)

    def start_measuring(self) -> None:
        """Measure the compared images in the background."""
        self._tell("")
        images = with_like_values([x for x in self.layers() if isinstance(x, Image) and not x.rgb])
        true = self.reference.layer
        chosen = [*images, true] if isinstance(true, Image) else list(images)
        try:
            parts = overlap(chosen)
            grid = grid_of(images[0])
        except ReconError as error:
            self._tell(str(error))
            return

        raw = [image.name for image in images if is_raw(image)]

        def work() -> Generator[str, None, Any]:
            yield "Reading"
            arrays = {
                image.name: values(image, part) for image, part in zip(images, parts, strict=False)
            }
            residuals = {}
            for image in images:
                if can_reblur(image):
                    left, _ = yield from residual_of(image)
                    residuals[image.name] = left
            best = values(true, parts[-1]) if isinstance(true, Image) else None
            return (yield from scores(arrays, residuals, best, grid=grid, raw=raw))

        self._background.start(work, self.table.show_scores, lambda error: self._tell(str(error)))

    def _active(self) -> Layer | None:
        active = result_of(self._viewer.layers.selection.active)
        if isinstance(active, Image):
            return active
        known = getattr(self, "_compared", [])
        return next((x for ref in known if (x := ref()) is not None), None)

    def _tell(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def _on_line(self, event: Any = None) -> None:
        self._timer.start()

    def _on_view(self, event: Any = None) -> None:
        if is_alive(self):
            self.refresh()

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(2, 4, 2, 2)
        column.setSpacing(8)
        layers, along, numbers = Card("Layers"), Card("Line profile"), Card("Numbers")
        layers.add_help(help_button("compare_dock"))
        layers.body.addWidget(self._names)
        layers.body.addWidget(self.bar)
        layers.body.addLayout(row(self.bar.link, self.difference))
        layers.body.addWidget(self.trust)
        layers.body.addWidget(self._problem)
        along.body.addWidget(self.draw)
        along.body.addWidget(self.profile)
        form = form_layout()
        form.addRow(form_label("Reference", self.reference), self.reference)
        numbers.body.addLayout(form)
        numbers.body.addWidget(self.measure)
        numbers.body.addWidget(self.table)
        for card in (layers, along, numbers):
            column.addWidget(card)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.setMinimumWidth(300)
