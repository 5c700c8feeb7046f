"""Card 2: what the instrument did to the image."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any, cast

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFileDialog, QLineEdit, QToolButton, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import unit_symbol
from napari_selfsup_recon.runs.config import PhysicsChoice
from napari_selfsup_recon.widgets._editors import TidyNumberBox, guard_wheel
from napari_selfsup_recon.widgets.bridge import is_psf
from napari_selfsup_recon.widgets.choices import PsfChoice, PsfKind
from napari_selfsup_recon.widgets.instrument_section import InstrumentSection
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.microscope_form import MicroscopeForm
from napari_selfsup_recon.widgets.noise_section import NoiseSection, Scene
from napari_selfsup_recon.widgets.options_form import OptionsForm
from napari_selfsup_recon.widgets.parts import Card, describe, form_label, form_layout, note, row
from napari_selfsup_recon.widgets.psf_check import Answer, PsfCheck
from napari_selfsup_recon.widgets.psf_view import PsfView
from napari_selfsup_recon.widgets.request import Request
from napari_selfsup_recon.widgets.texts import TEXTS

# Widths that light microscopes have, in voxels of a well sampled image; only a first guess.
_LATERAL, _AXIAL = 2.5, 3.0


_ELSEWHERE = (
    "psf",
    "path",
    "fwhm",
    "microscope",
    "keep",
    "instrument",
    "scan",
    "sampling",
    "channel",
)


class PhysicsCard(Card):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.PsfChoice` and the noise.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    checked
        Emitted when it turned out later whether the PSF can be used.
    makingWanted
        Emitted when a person asks for the dock that makes PSFs.
    problem
        Why the PSF cannot be used, empty where it can.
    """

    valueChanged = Signal()
    checked = Signal()
    makingWanted = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("2  Physics", parent)
        self.problem = ""
        self._guessed = True  # the widths are guesses
        self._chosen = False  # a person said where the PSF comes from
        self._keep: tuple[str, ...] = ()
        self._scale: tuple[float, ...] = ()
        self._shown: Answer | None = None
        self.check = PsfCheck(self)
        self.kind = QComboBox()
        for kind in PsfKind:
            self.kind.addItem(kind.value, kind)
        guard_wheel(self.kind)
        describe(self.kind, *TEXTS["psf kind"])
        self.lateral, self.axial = _width_box("lateral"), _width_box("axial")
        self.microscope = MicroscopeForm()
        self.layer = LayerBox(viewer, _first_psf)
        describe(self.layer, *TEXTS["psf layer"])
        self.make = QToolButton()
        self.make.setText("Make …")
        describe(self.make, *TEXTS["psf make"])
        self._layer = QWidget()
        self._layer.setLayout(row(self.layer, self.make))
        self.path = QLineEdit()
        self.path.setPlaceholderText("psf.tif")
        describe(self.path, *TEXTS["psf path"])
        browse = QToolButton()
        browse.setText("…")
        describe(browse, *TEXTS["psf browse"])
        self._file = QWidget()
        self._file.setLayout(row(self.path, browse))
        self._none = note("Denoising needs nothing to be known of the instrument.")
        self.view = PsfView()
        self.more = OptionsForm(PhysicsChoice, hidden=_ELSEWHERE, lazy=True)
        self.instrument = InstrumentSection(viewer)
        self.noise = NoiseSection()
        self._form = form_layout()
        self._form.addRow(form_label("PSF", self.kind), self.kind)
        self._form.addRow(form_label("Width xy", self.lateral), self.lateral)
        self._form.addRow(form_label("Width z", self.axial), self.axial)
        self._form.addRow(form_label("Layer", self.layer), self._layer)
        self._form.addRow(form_label("File", self._file), self._file)
        self.body.addWidget(self._none)
        self.body.addLayout(self._form)
        for widget in (self.microscope, self.view, self.more, self.instrument, self.noise):
            self.body.addWidget(widget)
        self._find_psf()
        self.kind.activated.connect(self._on_kind)
        self.kind.currentIndexChanged.connect(self._on_source)
        self.layer.chosen.connect(self._on_layer)
        self.make.clicked.connect(lambda *_: self.makingWanted.emit())
        self.path.editingFinished.connect(self._on_path)
        browse.clicked.connect(self._browse)
        for box in (self.lateral, self.axial):
            box.valueChanged.connect(self._on_width)
        self.microscope.valueChanged.connect(self._on_microscope)
        self.view.keptChanged.connect(self._on_kept)
        self.more.valueChanged.connect(self._on_change)
        self.noise.valueChanged.connect(self._on_change)
        self.check.answered.connect(self._on_answer)
        self.instrument.valueChanged.connect(self._on_change)
        self.instrument.checked.connect(self.checked.emit)

    def value(self) -> PsfChoice:
        """Return what is chosen.

        Raises
        ------
        InputError
            If the microscope cannot exist.
        """
        layer = self.layer.layer
        kind = self.kind.currentData()
        return PsfChoice(
            kind=kind,
            layer=None if layer is None else weakref.ref(layer),
            path=self.path.text().strip(),
            lateral=self.lateral.value(),
            axial=self.axial.value(),
            microscope=self.microscope.value() if kind is PsfKind.THEORY else None,
            keep=self._keep,
            physics=cast(PhysicsChoice, self.more.value()),
        )

    def setValue(self, choice: PsfChoice) -> None:
        """Show ``choice``; layers that are gone are passed over."""
        layer = choice.layer() if choice.layer is not None else None
        if layer is not None:
            self.layer.choose(layer)
        self._choose_kind(choice.kind)
        self._chosen = True
        self.path.setText(choice.path)
        for box, width in ((self.lateral, choice.lateral), (self.axial, choice.axial)):
            if width:
                with QSignalBlocker(box):
                    box.setValue(width)
                self._guessed = False
        if choice.microscope is not None:
            self.microscope.setValue(choice.microscope)
        self._keep = choice.keep
        self.more.setValue(choice.physics)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; take a PSF that is opened, unless a person chose otherwise."""
        self.layer.refresh()
        self.instrument.reset_choices()
        if self._find_psf():
            self._on_source()

    def refresh(
        self,
        task: str,
        measurement: Measurement | None,
        metadata: Any = None,
        request: Request | None = None,
    ) -> None:
        """Check the PSF, or the instrument, against the image and show what was found.

        Parameters
        ----------
        task
            ``"denoise"`` needs no PSF.
        measurement
            The image, None where there is none.
        metadata
            What its layer knows of the microscope, perhaps.
        request
            What would be run, where the task is to reconstruct.
        """
        self.problem = ""
        sharpen = task == "deconvolve"
        kind = self.kind.currentData()
        rebuild = task == "reconstruct"
        self._none.setVisible(task == "denoise")
        self.instrument.setVisible(rebuild)
        self.more.setVisible(sharpen)
        self.more.show_rows({"wavelengths": kind is PsfKind.THEORY})
        known = measurement is not None
        volume = measurement is not None and measurement.spatial_ndim == 3
        for widget, shown in (
            (self.kind, True),
            (self.lateral, kind is PsfKind.GAUSSIAN and known),
            (self.axial, kind is PsfKind.GAUSSIAN and volume),
            (self._layer, kind is PsfKind.LAYER),
            (self._file, kind is PsfKind.FILE),
        ):
            self._form.setRowVisible(widget, sharpen and shown)
        self.microscope.setVisible(sharpen and kind is PsfKind.THEORY)
        self.view.setVisible(sharpen and measurement is not None)
        if rebuild:
            self.instrument.refresh(request)
            self.problem = self.instrument.problem
        else:
            self.instrument.leave()
        if not sharpen or measurement is None:
            return
        self._guess_widths(measurement)
        self.microscope.take_from(metadata)
        if kind is PsfKind.FILE and not self.path.text().strip():
            self.problem = "Choose the file that holds the PSF."
            self._say("")
            self.check.forget()
            return
        try:
            choice = self.value()
        except InputError as error:  # which the form says beside the numbers
            self.problem = str(error)
            self._say("")
            return
        channel = request.config.physics.channel if request is not None else None
        answer = self.check.look(choice, measurement, channel)
        if answer is None:  # the pictures stay until there are better ones
            self.view.findings.say("Looking at the PSF …")
            self._shown = None
        else:
            self._show(answer, measurement.spatial_scale)
        self._scale = measurement.spatial_scale

    def show_noise(self, scene: Scene | None) -> None:
        """Look at the noise of an image."""
        self.noise.refresh(scene)

    @property
    def psf(self) -> np.ndarray[Any, Any] | None:
        """The PSF as it will be used, where that is known already."""
        answer = self.check.answer
        return answer.psf if answer is not None and not self.view.isHidden() else None

    def _on_answer(self) -> None:
        answer = self.check.answer
        if answer is not None:
            self._show(answer, self._scale)
            self.checked.emit()

    def _show(self, answer: Answer, scale: tuple[float, ...]) -> None:
        self.problem = answer.problem
        if answer is self._shown:
            return
        if answer.psf is None:
            self._say(f"⚠ {answer.problem}")
        else:
            self.view.show_psfs(answer.psfs, answer.findings, scale)
        self._shown = answer

    def _say(self, text: str) -> None:
        self.view.say(text)
        self._shown = None

    def _guess_widths(self, measurement: Measurement) -> None:
        """Begin with widths that fit the voxels; never overwrite what a person typed."""
        lead = len(measurement.leading_shape)
        unit = measurement.units[lead:][-1]
        symbol = "px" if unit == "pixel" else unit_symbol(unit)
        scale = measurement.spatial_scale
        for box, width in ((self.lateral, _LATERAL * scale[-1]), (self.axial, _AXIAL * scale[0])):
            with QSignalBlocker(box):
                box.setSuffix(f" {symbol}")
                if self._guessed:
                    box.setValue(width)

    def _find_psf(self) -> bool:
        """Choose a layer that is called a PSF; whether that changed anything."""
        if self._chosen or self.kind.currentData() is PsfKind.LAYER:
            return False
        found = self.layer.first_that(is_psf)
        if found is None:
            return False
        self.layer.choose(found)
        self._choose_kind(PsfKind.LAYER)
        return True

    def _on_kind(self, _: int) -> None:
        self._chosen = True

    def _on_source(self, *_: object) -> None:
        self._keep = ()  # what was undone was undone for another PSF
        self._on_change()

    def _on_layer(self) -> None:
        if self.kind.currentData() is PsfKind.LAYER:
            self._on_source()

    def _on_path(self) -> None:
        if self.path.isModified():
            self.path.setModified(False)
            self._on_source()

    def _on_width(self, _: float) -> None:
        self._guessed, self._chosen = False, True
        self._on_change()

    def _on_microscope(self) -> None:
        self._chosen = True
        self._on_change()

    def _on_kept(self, step: str, kept: bool) -> None:
        """Take a repair back, or do it after all."""
        others = tuple(name for name in self._keep if name != step)
        self._keep = (*others, step) if kept else others
        self._on_change()

    def _on_change(self, *_: object) -> None:
        self.valueChanged.emit()

    def _choose_kind(self, kind: PsfKind) -> None:
        with QSignalBlocker(self.kind):
            self.kind.setCurrentIndex(list(PsfKind).index(kind))

    def _browse(self) -> None:
        start = str(Path(self.path.text()).parent) if self.path.text() else ""
        chosen, _ = QFileDialog.getOpenFileNames(
            self, "PSF", start, "Images (*.tif *.tiff *.npy *.npz);;All files (*)"
        )
        if chosen:
            self.path.setText("; ".join(chosen))
            self._on_source()


def _width_box(key: str) -> QDoubleSpinBox:
    box = TidyNumberBox()
    box.setDecimals(4)
    box.setRange(0.0001, 1e6)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    guard_wheel(box)
    describe(box, *TEXTS[key])
    return box


def _first_psf(viewer: Any, layers: list[Layer]) -> Layer | None:
    named = [layer for layer in layers if is_psf(layer)]
    return next(iter(named or layers[-1:]), None)
