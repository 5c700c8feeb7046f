"""The noise: what the image tells of it, and what a person knows better."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.config import NoiseChoice
from napari_selfsup_recon.runs.noise import look_at, with_choice
from napari_selfsup_recon.widgets._editors import TidyNumberBox, guard_wheel
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.parts import button, describe, form_label, note
from napari_selfsup_recon.widgets.texts import TEXTS

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

_FIELDS = ("gain", "offset", "read_noise")
_ATTRIBUTES = {"gain": "gain", "offset": "offset", "read_noise": "sigma"}
_YOURS, _ESTIMATED = "yours", "estimated"


@dataclass(frozen=True, eq=False)
class Scene:
    """What the noise is estimated of. The array and the PSF tell whether it is the same again."""

    measurement: Measurement
    array: Any
    frame: tuple[int | None, ...]
    psf: np.ndarray[Any, Any] | None

    def same_as(self, other: Scene | None) -> bool:
        """Whether ``other`` would give the same estimate."""
        return other is not None and (
            self.array is other.array
            and self.frame == other.frame
            and self.psf is other.psf
            and self.measurement.axes == other.measurement.axes
        )


class NoiseSection(QWidget):
    """Shows the noise and takes corrections. Nothing is computed before it is unfolded.

    Attributes
    ----------
    valueChanged
        Emitted when a person changed what is known.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.background = Background(self)
        self.estimate: NoiseEstimate | None = None
        self._choice = NoiseChoice()
        self._scene: Scene | None = None
        self._seen: Scene | None = None
        self.boxes: dict[str, TidyNumberBox] = {}
        self.states: dict[str, QLabel] = {}
        self._status = note()
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for line, name in enumerate(_FIELDS):
            field = NoiseChoice.model_fields[name]
            box, state = TidyNumberBox(), QLabel()
            box.setDecimals(6)
            box.setRange(-1e9 if name == "offset" else 0, 1e9)
            box.setStepType(TidyNumberBox.StepType.AdaptiveDecimalStepType)
            box.setMinimumWidth(80)
            guard_wheel(box)
            describe(box, str(field.title), str(field.description))
            grid.addWidget(form_label(str(field.title), box), line, 0)
            grid.addWidget(box, line, 1)
            grid.addWidget(state, line, 2)
            box.valueChanged.connect(lambda value, name=name: self._on_edit(name, value))
            self.boxes[name], self.states[name] = box, state
        self.reset = button("Use the estimates", *TEXTS["noise reset"])
        self.reset.clicked.connect(self._on_reset)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(grid)
        column.addWidget(self._status)
        column.addWidget(self.reset)
        self.fold = QCollapsible("Noise", expandedIcon="▾", collapsedIcon="▸")
        self.fold.setDuration(0)
        describe(self.fold.toggleButton(), *TEXTS["noise"])
        self.fold.setContent(content)
        if (margins := self.fold.layout()) is not None:
            margins.setContentsMargins(0, 0, 0, 0)
        self.fold.collapse(animate=False)
        self.fold.toggled.connect(lambda _: self._look())
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.fold)
        self._show()

    @property
    def text(self) -> str:
        """What is said beside the numbers."""
        return self._status.text()

    def value(self) -> NoiseChoice | None:
        """Return what a person said; None if nothing."""
        return self._choice if self._choice.given else None

    def setValue(self, choice: NoiseChoice | None) -> None:
        """Show ``choice``; emits nothing."""
        self._choice = choice or NoiseChoice()
        self._show()

    def refresh(self, scene: Scene | None) -> None:
        """Look at another image, if it is another one and somebody wants to see."""
        self._scene = scene
        self._look()

    def _look(self) -> None:
        scene = self._scene
        if scene is None:
            self._forget()
            self._show()
            return
        if not self.fold.isExpanded() or scene.same_as(self._seen):
            return
        self._forget()
        self._seen = scene

        def work() -> Generator[str, None, NoiseEstimate]:
            yield "Looking at the noise"
            return look_at(scene.measurement, scene.psf)

        self.background.start(work, self._on_estimate, self._on_failure)
        self._show("Looking at the noise …")

    def _forget(self) -> None:
        self.background.cancel()
        self.estimate, self._seen = None, None

    def _on_estimate(self, estimate: NoiseEstimate) -> None:
        self.estimate = estimate
        self._show(_in_words(estimate, self._seen))

    def _on_failure(self, error: ReconError) -> None:
        self._show(f"⚠ {error}")

    def _on_edit(self, name: str, value: float) -> None:
        self._choice = self._choice.model_copy(update={name: value})
        self._show(self._status.text())
        self.valueChanged.emit()

    def _on_reset(self) -> None:
        self._choice = NoiseChoice()
        self._show(self._status.text())
        self.valueChanged.emit()

    def _show(self, status: str = "") -> None:
        """Show numbers, whose they are, and what is said."""
        shown = None if self.estimate is None else with_choice(self.estimate, self._choice)
        for name, box in self.boxes.items():
            mine = getattr(self._choice, name)
            value = mine if shown is None else getattr(shown, _ATTRIBUTES[name])
            with QSignalBlocker(box):
                # Four digits are more than an estimate is good for.
                box.setValue(0.0 if value is None else float(f"{value:.4g}"))
            known = "" if shown is None else _ESTIMATED
            self.states[name].setText(known if mine is None else _YOURS)
            box.setEnabled(shown is not None or mine is not None)
        self.reset.setEnabled(self._choice.given)
        self._status.setText(status)
        self._status.setVisible(bool(status))


def _in_words(estimate: NoiseEstimate, scene: Scene | None) -> str:
    lines = []
    if scene is not None and scene.psf is not None:
        lines.append(f"Wrong pixels (hot, dead or hit): {estimate.outliers:.2%}")
    return "\n".join([*lines, *estimate.remarks])
