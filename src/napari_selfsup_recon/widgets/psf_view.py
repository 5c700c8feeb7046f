"""The PSF at a glance: two small pictures and what was found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_selfsup_recon.core.units import unit_symbol
from napari_selfsup_recon.widgets.findings import Findings
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.psf import Finding

_SIDE = 72
_MOST = 4  # pictures
_SEEN = 0.004  # of the peak; after the square root a sixteenth of white


class PsfView(QWidget):
    """Shows a prepared PSF.

    Attributes
    ----------
    keptChanged
        Emitted with the name of a step and whether a person wants it left out.
    """

    keptChanged = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures = tuple(QLabel() for _ in range(_MOST))
        pictures = QHBoxLayout()
        pictures.setSpacing(4)
        for picture in self._pictures:
            describe(picture, *TEXTS["thumbnail"])
            pictures.addWidget(picture)
        pictures.addStretch(1)
        self.findings = Findings()
        self.findings.keptChanged.connect(self.keptChanged.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(pictures)
        layout.addWidget(self.findings)

    @property
    def text(self) -> str:
        """What is said about the PSF."""
        return self.findings.text

    def show_psf(
        self,
        psf: np.ndarray[Any, Any] | None,
        findings: Sequence[Finding] = (),
        scale: Sequence[float] = (),
    ) -> None:
        """Show the one PSF, None where there is none; see :meth:`show_psfs`."""
        self.show_psfs(() if psf is None else (psf,), findings, scale)

    def show_psfs(
        self,
        psfs: Sequence[np.ndarray[Any, Any]],
        findings: Sequence[Finding] = (),
        scale: Sequence[float] = (),
    ) -> None:
        """Show PSFs (2D or 3D, prepared) and their findings.

        Parameters
        ----------
        psfs
            The PSF, or one for each channel, of which the first ones are seen from above.
        findings
            What was looked at; all that was fine shares one line.
        scale
            Voxel size an axis, so that xz has its true proportions.
        """
        for picture in self._pictures:
            picture.hide()
        self.findings.show_findings(findings)
        if not psfs:
            return
        size = tuple(scale) or (1.0,) * psfs[0].ndim
        middles = [psf if psf.ndim == 2 else psf[psf.shape[0] // 2] for psf in psfs]
        sizes = [size[-2:]] * len(psfs)
        told = [f"Channel {n}, seen from above (xy)." for n in range(len(psfs))]
        if len(psfs) == 1:
            told = ["Seen from above (xy)."]
            if psfs[0].ndim == 3:
                middles.append(psfs[0][:, psfs[0].shape[1] // 2])
                sizes.append((size[0], size[2]))
                told.append("Seen from the side (xz).")
        views = [_core(view) for view in middles]
        name, tip = TEXTS["thumbnail"]
        for picture, words in zip(self._pictures, told, strict=False):
            describe(picture, name, f"{tip} {words}")
        for picture, view, (tall, wide) in zip(self._pictures, views, sizes, strict=False):
            picture.setPixmap(_picture(view, tall, wide))
            picture.show()

    def say(self, text: str) -> None:
        """Show a sentence in the place of a PSF."""
        self.show_psf(None)
        self.findings.say(text)


def width_in_words(widths: Sequence[float], unit: str) -> str:
    """Return full widths at half maximum (z, y, x) or (y, x), for example ``"0.24 µm (xy)"``."""
    symbol = "px" if unit == "pixel" else unit_symbol(unit)
    *axial, y, x = widths
    alike = abs(y - x) <= 0.02 * max(y, x)
    lateral = f"{y:.3g} {symbol} (xy)" if alike else f"{y:.3g} × {x:.3g} {symbol} (y, x)"
    return ", ".join([lateral, *(f"{z:.3g} {symbol} (z)" for z in axial)])


def _core(view: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the part around the middle that is bright enough to be seen."""
    bright = np.argwhere(view > _SEEN * view.max())
    if not len(bright):
        return view
    middle = np.array(view.shape) // 2
    reach = np.maximum(np.abs(bright - middle).max(axis=0) + 1, 3)
    return view[tuple(slice(max(0, m - r), m + r + 1) for m, r in zip(middle, reach, strict=True))]


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
