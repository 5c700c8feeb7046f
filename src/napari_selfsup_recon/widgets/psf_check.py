"""Is the PSF of any use for the image? Found out at once where that is quick, else in a thread."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.psf import choose_psfs
from napari_selfsup_recon.runs.psf_channels import called, merged
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.choices import PsfChoice, PsfKind
from napari_selfsup_recon.widgets.psf_view import width_in_words
from napari_selfsup_recon.widgets.request import channels_of, paths_of, physics_of, psf_of

# Voxels of a PSF that are looked at without holding up the window.
_QUICK = 4_000_000


@dataclass(frozen=True, eq=False)
class Answer:
    """The PSF, or one for each channel, with what was found; or why there is none."""

    psfs: tuple[np.ndarray[Any, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: str = ""

    @property
    def psf(self) -> np.ndarray[Any, Any] | None:
        """The PSF, of the first channel where each has its own."""
        return self.psfs[0] if self.psfs else None


class PsfCheck(QObject):
    """Looks at a PSF; at the same one only once.

    Attributes
    ----------
    answered
        Emitted when an answer came later than :meth:`look` returned.
    """

    answered = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.background = Background(self)
        self._asked: object = None
        self._answer: Answer | None = None

    @property
    def answer(self) -> Answer | None:
        """What is known, None while it is being found out or nothing was asked."""
        return self._answer

    def look(
        self, choice: PsfChoice, measurement: Measurement, channel: tuple[int, int] | None = None
    ) -> Answer | None:
        """Return what is to be said of the PSF; None if that takes a while.

        Parameters
        ----------
        choice
            Where the PSF comes from.
        measurement
            The image it shall serve.
        channel
            Which channel of how many that is, if it is a single one of several.
        """
        question = (_question(choice, measurement), channel)
        if question == self._asked:
            return self._answer
        self._asked, self._answer = question, None
        if self.background.busy:
            self.background.cancel()
        try:
            given = None
            if choice.kind is PsfKind.LAYER:
                channels = channels_of(measurement, channel)
                given = psf_of(choice, measurement.spatial_ndim, channels)
        except ReconError as error:
            self._answer = Answer(problem=str(error))
            return self._answer
        config = RunConfig(physics=physics_of(choice, measurement, channel))
        if _is_quick(choice):
            self._answer = _look(config, measurement, given)
            return self._answer

        def work() -> Generator[str, None, Answer]:
            yield "Looking at the PSF"
            return _look(config, measurement, given)

        self.background.start(work, self._on_answer, self._on_failure)
        return None

    def forget(self) -> None:
        """Look anew at what comes next."""
        self._asked, self._answer = None, None
        if self.background.busy:
            self.background.cancel()

    def _on_answer(self, answer: Answer) -> None:
        self._answer = answer
        self.answered.emit()

    def _on_failure(self, error: ReconError) -> None:
        self._on_answer(Answer(problem=str(error)))


def _look(config: RunConfig, measurement: Measurement, given: Measurement | None) -> Answer:
    try:
        kernels, findings = choose_psfs(config, measurement, given)
    except ReconError as error:
        return Answer(problem=str(error))
    named = [finding for finding in findings if finding.step == "origin"]
    widths = [_width(kernel, measurement) for kernel in kernels]
    others = [finding for finding in findings if finding not in named]
    return Answer(kernels, (*named, *merged(widths, called(measurement, config)), *others))


def _width(kernel: np.ndarray[Any, Any], measurement: Measurement) -> tuple[Finding, ...]:
    widths = psf.fwhm(kernel, measurement.spatial_scale)
    if not all(map(math.isfinite, widths)):
        return ()
    words = width_in_words(widths, measurement.units[-1])
    return (Finding("width", f"Full width at half maximum: {words}."),)


def _is_quick(choice: PsfChoice) -> bool:
    if choice.kind is PsfKind.LAYER:
        layer = choice.layer() if choice.layer is not None else None
        return layer is None or _size(layer) <= _QUICK
    return choice.kind is PsfKind.GAUSSIAN


def _question(choice: PsfChoice, measurement: Measurement) -> tuple[Any, ...]:
    """Return all that the answer depends on, to be compared."""
    layer = choice.layer() if choice.kind is PsfKind.LAYER and choice.layer is not None else None
    facts: tuple[Any, ...] = ()
    if layer is not None:
        facts = (id(layer.data), tuple(layer.scale), tuple(map(str, layer.units)))
    elif choice.kind is PsfKind.FILE:
        named = paths_of(choice.path) or ()
        paths = [Path(p).expanduser() for p in ((named,) if isinstance(named, str) else named)]
        facts = tuple(path.stat().st_mtime_ns if path.exists() else None for path in paths)
    # Other kinds have a layer and a path in store, too, which change by themselves.
    if choice.kind is not PsfKind.LAYER:
        choice = replace(choice, layer=None)
    return choice, facts, measurement.axes, measurement.shape, measurement.scale, measurement.units


def _size(layer: Layer) -> int:
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return prod(data.shape)
