"""The PSF at a glance: two small pictures and what was found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_selfsup_recon.widgets.parts import describe, note
from napari_selfsup_recon.widgets.texts import TEXTS

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.psf import Finding

_SIDE = 56
_MARKS = {"ok": "✓", "repaired": "✓", "warning": "⚠"}


class PsfView(QWidget):
    """Shows a prepared PSF."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures = (QLabel(), QLabel())
        pictures = QHBoxLayout()
        pictures.setSpacing(4)
        for picture in self._pictures:
            describe(picture, *TEXTS["thumbnail"])
            pictures.addWidget(picture)
        pictures.addStretch(1)
        self._words = note()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(pictures)
        layout.addWidget(self._words)

    @property
    def text(self) -> str:
        """What is said about the PSF."""
        return self._words.text()

    def show_psf(
        self,
        psf: np.ndarray[Any, Any] | None,
        findings: Sequence[Finding] = (),
        scale: Sequence[float] = (),
    ) -> None:
        """Show ``psf`` (2D or 3D, prepared) and its findings.

        Parameters
        ----------
        psf
            The PSF, None where there is none.
        findings
            What was looked at; all that was fine shares one line.
        scale
            Voxel size an axis, so that xz has its true proportions.
        """
        for picture in self._pictures:
            picture.hide()
        self._words.setText(in_words(findings))
        self._words.setVisible(bool(findings))
        if psf is None:
            return
        size = tuple(scale) or (1.0,) * psf.ndim
        middle = tuple(n // 2 for n in psf.shape)
        views = [psf] if psf.ndim == 2 else [psf[middle[0]], psf[:, middle[1]]]
        sizes = [size] if psf.ndim == 2 else [size[1:], (size[0], size[2])]
        for picture, view, (tall, wide) in zip(self._pictures, views, sizes, strict=False):
            picture.setPixmap(_picture(view, tall, wide))
            picture.show()

    def say(self, text: str) -> None:
        """Show a sentence in the place of a PSF."""
        self.show_psf(None)
        self._words.setText(text)
        self._words.setVisible(bool(text))


def in_words(findings: Sequence[Finding]) -> str:
    """Return the findings as lines; all that was fine shares the first one."""
    fine = [finding.step for finding in findings if finding.level == "ok"]
    lines = [f"{_MARKS['ok']} {', '.join(fine)}"] if fine else []
    lines += [f"{_MARKS[f.level]} {f.message}" for f in findings if f.level != "ok"]
    return "\n".join(lines)


def _picture(view: np.ndarray[Any, Any], tall: float, wide: float) -> QPixmap:
    """Return a grey picture; the square root shows the faint flanks."""
    peak = float(view.max()) or 1.0
    grey = np.ascontiguousarray(255 * np.sqrt(np.clip(view / peak, 0, 1)), dtype=np.uint8)
    height, width = grey.shape
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
    ratio = (height * tall) / (width * wide)
    w = _SIDE if ratio <= 1 else max(4, round(_SIDE / ratio))
    h = max(4, round(_SIDE * ratio)) if ratio <= 1 else _SIDE
    return QPixmap.fromImage(image).scaled(
        w, h, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
    )
