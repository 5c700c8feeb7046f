"""Clean examples for methods that learn from them, too: a layer, from disk, or of the image."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.io.volumes import ENDINGS
from napari_selfsup_recon.runs.clean_files import glance
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets._humanize import shape
from napari_selfsup_recon.widgets.bridge import is_psf
from napari_selfsup_recon.widgets.choices import CleanPick
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.parts import button, describe, form_label, form_layout, note, row
from napari_selfsup_recon.widgets.texts import TEXTS

_HERE = "the image itself"
_KINDS = {
    "slices": "some of its slices",
    "average": "averages of neighbours",
    "denoised": "a denoised copy",
}
_MOST = 99

Ask = Callable[[QWidget, str, str], str]


class CleanRow(QWidget):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.CleanPick`.

    Parameters
    ----------
    viewer
        The napari viewer.
    parent
        Qt parent.
    ask
        Asks for a ``"file"`` or ``"folder"``, beginning at a path; returns "" if nothing is chosen.

    Attributes
    ----------
    valueChanged
        Emitted when a person, or the layer list, changed it.
    shownWanted
        Emitted with ``"first"`` or ``"last"`` when the slice in view is to be that one; answered
        with :meth:`take`.
    """

    valueChanged = Signal()
    shownWanted = Signal(str)

    def __init__(
        self, viewer: Any, parent: QWidget | None = None, *, ask: Ask | None = None
    ) -> None:
        super().__init__(parent)
        self.ask = ask or ask_for_path
        self.layer = LayerBox(viewer, _called_clean, nothing=_HERE)
        describe(self.layer, *TEXTS["clean"])
        self.kind = QComboBox()
        for key, words in _KINDS.items():
            self.kind.addItem(words, key)
        guard_wheel(self.kind)
        describe(self.kind, *TEXTS["clean kind"])
        self.slices = QLineEdit()
        self.slices.setPlaceholderText("first:last, for example 0:25")
        describe(self.slices, *TEXTS["clean slices"])
        self.first = button("First", *TEXTS["clean first"])
        self.last = button("Last", *TEXTS["clean last"])
        self._shown = QWidget()
        self._shown.setLayout(row(self.first, self.last))
        self.average = QSpinBox()
        self.average.setRange(2, _MOST)
        self.average.setValue(CleanPick().average)
        self.average.setSuffix(" slices")
        guard_wheel(self.average)
        describe(self.average, *TEXTS["clean average"])
        self.path = QLineEdit()
        self.path.setPlaceholderText("none: as above")
        self.path.setClearButtonEnabled(True)
        describe(self.path, *TEXTS["clean path"])
        for clearing in self.path.findChildren(QToolButton):
            describe(clearing, *TEXTS["clean forget"])
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        describe(self.browse, *TEXTS["clean browse"])
        menu = QMenu(self.browse)
        for words, what in (("File ...", "file"), ("Folder ...", "folder")):
            action = QAction(words, menu)
            action.triggered.connect(lambda *_, what=what: self._ask(what))
            menu.addAction(action)
        self.browse.setMenu(menu)
        self.browse.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        disk = QWidget()
        disk.setLayout(row(self.path, self.browse))
        self._facts = note()
        self._form = form_layout()
        for label, field in (
            ("Clean", self.layer),
            ("On disk", disk),
            ("", self._facts),
            ("Made from", self.kind),
            ("Slices", self.slices),
            ("Slice shown", self._shown),
            ("Averaged", self.average),
        ):
            self._form.addRow(form_label(label, field), field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        self.layer.chosen.connect(self._on_choice)
        self.kind.currentIndexChanged.connect(lambda _: self._on_choice())
        # What is half typed is not looked for, but what is cleared is gone at once.
        self.path.editingFinished.connect(self._on_path)
        self.path.textChanged.connect(lambda text: None if text else self._on_choice())
        self.slices.textChanged.connect(lambda _: self.valueChanged.emit())
        self.first.clicked.connect(lambda *_: self.shownWanted.emit("first"))
        self.last.clicked.connect(lambda *_: self.shownWanted.emit("last"))
        self.average.valueChanged.connect(lambda _: self.valueChanged.emit())
        self._show()

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """What Tab leads through, in the order of the rows."""
        rows = (self.layer, self.path, self.browse, self.kind, self.slices)
        return (*rows, self.first, self.last, self.average)

    def value(self) -> CleanPick:
        """Return what is chosen."""
        if path := self.path.text().strip():
            return CleanPick(path=str(Path(path).expanduser().absolute()))
        layer = self.layer.layer
        if layer is not None:
            return CleanPick(layer=weakref.ref(layer))
        kind = self.kind.currentData()
        if kind == "slices":
            return CleanPick(slices=self.slices.text().strip())
        if kind == "average":
            return CleanPick(kind=kind, average=self.average.value())
        return CleanPick(kind=kind)

    def setValue(self, pick: CleanPick) -> None:
        """Show ``pick``; a layer that is gone is passed over."""
        layer = pick.layer() if pick.layer is not None else None
        if layer is not None:
            self.layer.choose(layer)
        with (
            QSignalBlocker(self.path),
            QSignalBlocker(self.slices),
            QSignalBlocker(self.kind),
            QSignalBlocker(self.average),
        ):
            self.path.setText(pick.path)
            self.kind.setCurrentIndex(max(0, self.kind.findData(pick.kind)))
            self.slices.setText(pick.slices)
            self.average.setValue(pick.average)
        self._show()

    def take(self, which: str, index: int) -> None:
        """Make slice ``index`` the ``"first"`` or the ``"last"`` clean one; the other follows."""
        ends = [int(part) for part in self.slices.text().split(":") if part.strip().isdecimal()]
        first, behind = ends if len(ends) == 2 else (index, index + 1)
        if which == "first":
            first, behind = index, max(behind, index + 1)
        else:
            first, behind = min(first, index), index + 1
        self.slices.setText(f"{first}:{behind}")

    def refresh(self) -> None:
        """Follow the layer list."""
        self.layer.refresh()

    def _on_choice(self) -> None:
        self._show()
        self.valueChanged.emit()

    def _ask(self, what: str) -> None:
        if chosen := self.ask(self, what, self.path.text()):
            self.path.setText(chosen)
            self._on_choice()

    def _on_path(self) -> None:
        if self.path.isModified():
            self.path.setModified(False)
            self._on_choice()

    def _show(self) -> None:
        path = self.value().path
        self.layer.setEnabled(not path)
        self._facts.setText(_told(path) if path else "")
        self._form.setRowVisible(self._facts, bool(path))
        kind = self.kind.currentData() if self.layer.layer is None and not path else None
        self._form.setRowVisible(self.kind, kind is not None)
        self._form.setRowVisible(self.slices, kind == "slices")
        self._form.setRowVisible(self._shown, kind == "slices")
        self._form.setRowVisible(self.average, kind == "average")


def ask_for_path(parent: QWidget, what: str, start: str) -> str:
    """Ask for a file or folder with a dialog; returns "" if nothing was chosen."""
    if what == "folder":
        return QFileDialog.getExistingDirectory(parent, "Clean examples", start)
    kinds = " ".join(f"*{ending}" for ending in ENDINGS if ending != ".zarr")
    name, _ = QFileDialog.getOpenFileName(
        parent, "Clean examples", start, f"Images ({kinds});;All files (*)"
    )
    return name


def _told(path: str) -> str:
    """Return what is at ``path`` in words; why it cannot be used is told where runs are started."""
    try:
        count, first = glance(path)
    except ReconError as error:
        return f"⚠ {error.message}"
    files = f"{count} files, each " if count > 1 else ""
    return f"{files}{shape(first.axes, first.shape)}, {first.dtype}"


def _called_clean(viewer: Any, layers: list[Layer]) -> Layer | None:
    """Return the layer that is called clean, if there is one."""
    named = (x for x in layers if "clean" in x.name.lower() and not is_psf(x))
    return next(named, None)
