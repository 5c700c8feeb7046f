"""The part of the physics card that says what measured: a tomograph, a scanner, a mask."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any, cast

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QToolButton, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.runs._scan import ANGLE_KEYS
from napari_selfsup_recon.runs.instruments import (
    LABELS,
    SCANS,
    Instrument,
    Sampling,
    Tomograph,
)
from napari_selfsup_recon.runs.problem import Problem
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.axis_layer import AxisLayer
from napari_selfsup_recon.widgets.axis_row import AxisRow
from napari_selfsup_recon.widgets.choices import InstrumentChoice, LayerRef
from napari_selfsup_recon.widgets.findings import Findings
from napari_selfsup_recon.widgets.instrument_check import InstrumentCheck, Posed
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.options_form import OptionsForm
from napari_selfsup_recon.widgets.parts import describe, form_label, form_layout, note, row
from napari_selfsup_recon.widgets.request import Request
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.wedge_view import WedgeView

# Chosen by rows of their own, or not offered here.
_OWN = ("angles", "view_angles", "axis", "size", "slices", "flat", "dark", "air")
_FAN = ("source_distance", "detector_distance")


class InstrumentSection(QWidget):
    """Chooses an :class:`~napari_selfsup_recon.widgets.choices.InstrumentChoice`.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    checked
        Emitted when it turned out later what the measurement is.
    problem
        Why it cannot be used, empty where it can.
    """

    valueChanged = Signal()
    checked = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.problem = ""
        self._keep: tuple[str, ...] = ()
        self._request: Request | None = None
        self._shown: Posed | None = None
        self._last: Problem | None = None  # what the slice follows while a new answer is awaited
        self.check = InstrumentCheck(self)
        self.live = AxisLayer(viewer, self)
        self.kind = QComboBox()
        for key, label in LABELS.items():
            if key != "blur":
                self.kind.addItem(label, key)
        guard_wheel(self.kind)
        describe(self.kind, *TEXTS["instrument"])
        self.angles = QLineEdit()
        self.angles.setPlaceholderText("of the image, or the range below")
        describe(self.angles, *TEXTS["angles"])
        browse = QToolButton()
        browse.setText("…")
        describe(browse, *TEXTS["angles browse"])
        self._angles = QWidget()
        self._angles.setLayout(row(self.angles, browse))
        self.flat = LayerBox(viewer, _called("flat"), nothing="none")
        describe(self.flat, *TEXTS["flat"])
        self.dark = LayerBox(viewer, _called("dark"), nothing="none")
        describe(self.dark, *TEXTS["dark"])
        self.air = QLineEdit()
        self.air.setPlaceholderText("first:last, for example 0:30")
        describe(self.air, *TEXTS["air"])
        self.mask_box = LayerBox(viewer, _called("mask"), kind=Layer, nothing="from the values")
        describe(self.mask_box, *TEXTS["mask"])
        self.axis = AxisRow()
        self.scan = OptionsForm(Tomograph, hidden=_OWN, lazy=True)
        self.sampling = OptionsForm(Sampling, hidden=("mask", "path"), lazy=True)
        self.wedge = WedgeView()
        self._words = note()
        self._picture = QWidget()
        picture = row(self.wedge, self._words)
        picture.setStretch(1, 1)
        self._picture.setLayout(picture)
        self.findings = Findings()
        self._form = form_layout()
        for text, field in (
            ("Instrument", self.kind),
            ("Angle file", self._angles),
            ("Flat field", self.flat),
            ("Dark field", self.dark),
            ("Air columns", self.air),
            ("Axis", self.axis),
            ("Mask", self.mask_box),
        ):
            self._form.addRow(form_label(text, field), field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self._form)
        for widget in (self.scan, self.sampling, self._picture, self.findings):
            column.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.angles.editingFinished.connect(self._on_text)
        self.air.editingFinished.connect(self._on_text)
        browse.clicked.connect(self._browse)
        for box in (self.flat, self.dark, self.mask_box):
            box.chosen.connect(self.valueChanged.emit)
        for form in (self.scan, self.sampling):
            form.valueChanged.connect(lambda _: self.valueChanged.emit())
        self.axis.valueChanged.connect(self._on_axis)
        self.axis.lookChanged.connect(self._on_look)
        self.findings.keptChanged.connect(self._on_kept)
        self.check.answered.connect(self._on_answer)
        self.live.failed.connect(self._say)
        self._show_rows()

    def value(self) -> InstrumentChoice:
        """Return what is chosen.

        Raises
        ------
        InputError
            If values do not fit each other.
        """
        scan = cast(Tomograph, self.scan.value())
        update: dict[str, Any] = {
            "angles": self.angles.text().strip() or None,
            "axis": self.axis.value(),
            "air": self.air.text().strip() or None,
        }
        scan = validate(Tomograph, scan.model_dump() | update, where="")
        return InstrumentChoice(
            kind=self._kind,
            scan=scan,
            sampling=cast(Sampling, self.sampling.value()),
            flat=_reference(self.flat),
            dark=_reference(self.dark),
            mask=_reference(self.mask_box),
            keep=self._keep,
        )

    def setValue(self, choice: InstrumentChoice) -> None:
        """Show ``choice``; layers that are gone are passed over. Emits nothing."""
        with QSignalBlocker(self.kind):
            self.kind.setCurrentIndex(self.kind.findData(choice.kind))
        for box, reference in (
            (self.flat, choice.flat),
            (self.dark, choice.dark),
            (self.mask_box, choice.mask),
        ):
            layer = reference() if reference is not None else None
            if layer is not None:
                box.choose(layer)
        self.angles.setText(choice.scan.angles or "")
        self.air.setText("" if choice.scan.air is None else ":".join(map(str, choice.scan.air)))
        self.axis.setValue(choice.scan.axis)
        self.scan.setValue(choice.scan)
        self.sampling.setValue(choice.sampling)
        self._keep = choice.keep
        self._show_rows()

    def reset_choices(self) -> None:
        """Follow the layer list."""
        for box in (self.flat, self.dark, self.mask_box):
            box.refresh()

    def refresh(self, request: Request | None) -> None:
        """Look at the measurement of ``request`` and say what was found."""
        self._request = request
        if request is None:
            self.problem, self._last = "", None
            return
        answer = self.check.look(request)
        if answer is None:
            self.findings.say("Looking at the measurement …")
            self._shown = None
        else:
            self._show(answer)

    def leave(self) -> None:
        """Take away what only this section shows."""
        self.live.hide()
        with QSignalBlocker(self.axis.look):
            self.axis.look.setChecked(False)

    @property
    def _kind(self) -> Instrument:
        return cast(Instrument, self.kind.currentData())

    def _show(self, answer: Posed) -> None:
        self.problem = answer.why
        if answer is self._shown:
            return
        self._shown = answer
        problem = self._last = answer.problem
        self.wedge.show_angles(None if problem is None else problem.degrees)
        self._picture.setVisible(problem is not None)
        self.wedge.setVisible(problem is not None and problem.degrees is not None)
        if problem is None:
            self.findings.say(f"⚠ {answer.why}")
            return
        self._words.setText("\n".join(problem.lines))
        self.findings.show_findings(problem.findings)
        known = self._request is not None and not ANGLE_KEYS.isdisjoint(
            self._request.source.measurement.metadata
        )
        spread = not (known or self.angles.text().strip())
        self.scan.show_rows(dict.fromkeys(("span", "start"), spread))
        if problem.axis is not None:
            self.axis.show_found(problem.axis, problem.y.shape[-1])
        self._follow()

    def _follow(self) -> None:
        """Show the slice for the axis as it stands, if that is wanted."""
        problem = self._last
        if not self.axis.look.isChecked() or problem is None or self._request is None:
            return
        if problem.axis is not None and "source_distance" not in problem.facts:
            axis = self.axis.value()
            where = problem.axis if isinstance(axis, str) else axis
            self.live.show(problem, self._request.source, where)

    def _show_rows(self) -> None:
        scan, counts = self._kind in SCANS, self._kind == "transmission"
        fan = self._kind == "fan-beam"
        for field in (self._angles, self.flat, self.dark, self.air, self.axis):
            self._form.setRowVisible(field, scan)
        self._form.setRowVisible(self.mask_box, not scan)
        self.scan.setVisible(scan)
        self.sampling.setVisible(not scan)
        self.axis.look.setVisible(not fan)
        self.scan.show_rows(
            {
                **dict.fromkeys(_FAN, fan),
                "light": counts,
                "attenuation": counts,
                "stripes": not counts,
            }
        )
        self.sampling.show_rows(
            {"missing": self._kind == "inpainting", "centred": self._kind == "mri"}
        )

    def _on_kind(self, _: int) -> None:
        self._keep = ()
        self._show_rows()
        self.leave()
        self.valueChanged.emit()

    def _on_axis(self) -> None:
        self._follow()  # at once; the rest follows when the hand rests
        self.valueChanged.emit()

    def _on_look(self, wanted: bool) -> None:
        if wanted:
            self._follow()
        else:
            self.live.hide()

    def _on_text(self) -> None:
        for line in (self.angles, self.air):
            if line.isModified():
                line.setModified(False)
                self.valueChanged.emit()

    def _on_kept(self, step: str, kept: bool) -> None:
        """Take a repair back, or do it after all; of the axis: stay where it is."""
        others = tuple(name for name in self._keep if name != step)
        self._keep = (*others, step) if kept else others
        self.valueChanged.emit()

    def _on_answer(self) -> None:
        if self.check.answer is not None:
            self._show(self.check.answer)
            self.checked.emit()

    def _say(self, text: str) -> None:
        self.findings.say(f"⚠ {text}")

    def _browse(self) -> None:
        start = str(Path(self.angles.text()).parent) if self.angles.text() else ""
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Angles", start, "Angles (*.txt *.csv *.tlt *.rawtlt *.npy *.npz);;All files (*)"
        )
        if chosen:
            self.angles.setText(chosen)
            self.valueChanged.emit()


def _called(word: str) -> Any:
    """Return a preference for the first image or labels layer whose name has ``word`` in it."""

    def prefer(viewer: Any, layers: list[Layer]) -> Layer | None:
        images = [layer for layer in layers if isinstance(layer, Image | Labels)]
        return next((layer for layer in images if word in layer.name.lower()), None)

    return prefer


def _reference(box: LayerBox) -> LayerRef | None:
    if box.isHidden():
        return None
    layer = box.layer
    if layer is not None and not isinstance(layer, Image | Labels):
        raise InputError(f"{layer.name!r} is no image.", hint="Choose an image or labels layer.")
    return None if layer is None else weakref.ref(layer)
