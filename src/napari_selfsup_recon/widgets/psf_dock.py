"""The dock of the PSF: from theory, from beads, or from a layer or file."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QProgressBar,
    QScrollArea,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.widgets.background import Background, Work
from napari_selfsup_recon.widgets.beads_page import BeadsPage
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.help import help_button
from napari_selfsup_recon.widgets.message import MessageCard
from napari_selfsup_recon.widgets.parts import button, describe, is_alive, line, row
from napari_selfsup_recon.widgets.prepare_page import PreparePage
from napari_selfsup_recon.widgets.psf_layer import Made, add_psf
from napari_selfsup_recon.widgets.psf_page import PsfPage
from napari_selfsup_recon.widgets.psf_view import PsfView
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.theory_page import TheoryPage


class PsfWidget(QWidget):
    """Makes point spread functions as layers.

    Parameters
    ----------
    napari_viewer
        The napari viewer; napari gives it to a parameter of this name.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = unwrap(napari_viewer)
        self._viewer = viewer
        self.background = Background(self)
        self.theory = TheoryPage(viewer)
        self.beads = BeadsPage(viewer)
        self.prepare = PreparePage(viewer)
        # A QTabWidget would always be as high as its highest page.
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        for _, title in self._pages():
            self.tabs.addTab(title)
        describe(self.tabs, *TEXTS["psf ways"])
        self.message = MessageCard()
        self.view = PsfView()
        self._stage = line()
        self.cancel = button("Cancel", *TEXTS["psf cancel"])
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(10)
        describe(self.bar, *TEXTS["progress"])
        self._lay_out()
        for page, _ in self._pages():
            page.wanted.connect(self._on_wanted)
            page.made.connect(self._on_made)
            page.refused.connect(self._on_refused)
        self.view.keptChanged.connect(self.prepare.set_kept)
        self.tabs.currentChanged.connect(self._on_page)
        self.cancel.clicked.connect(lambda *_: self.background.cancel())
        self.background.busyChanged.connect(self._on_busy)
        self.background.staged.connect(self._stage.setText)
        session = Session.of(viewer)
        if session.microscope is not None:
            self.theory.microscope.setValue(session.microscope)
        self.theory.described.connect(session.remember_microscope)
        selection = viewer.layers.selection.events.changed
        selection.connect(self._on_selection)
        self._on_busy(False)
        self._on_page(0)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls this whenever it changes."""
        if is_alive(self):
            for page, _ in self._pages():
                page.refresh()

    def _pages(self) -> tuple[tuple[PsfPage, str], ...]:
        return (self.theory, "Theory"), (self.beads, "Beads"), (self.prepare, "Layer or file")

    def _on_selection(self, event: Any = None) -> None:
        self.reset_choices()

    def _on_wanted(self, work: Work, done: Any) -> None:
        self._forget()
        self.background.start(work, done, self._on_refused)

    def _on_made(self, made: Made, add: bool) -> None:
        self.view.show_psf(made.psf, made.findings, made.scale)
        if add:
            layer = add_psf(self._viewer, made)
            self.message.tell("info", f"Added the layer {layer.name!r}. It is hidden.")

    def _on_refused(self, error: ReconError) -> None:
        self.message.tell("error", str(error))

    def _on_busy(self, busy: bool) -> None:
        for part in (self.tabs, self.theory, self.beads, self.prepare):
            part.setEnabled(not busy)
        for widget in (self._stage, self.bar, self.cancel):
            widget.setVisible(busy)

    def _on_page(self, index: int) -> None:
        """Show another page."""
        for number, (page, _) in enumerate(self._pages()):
            page.setVisible(number == index)
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing said and shown."""
        self.message.clear()
        self.view.say("")

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("content")
        column = QVBoxLayout(content)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        ways = row(self.tabs, help_button("psf_dock"))
        ways.setStretch(0, 1)
        column.addLayout(ways)
        for part in (self.theory, self.beads, self.prepare):
            column.addWidget(part)
        now = row(self._stage, self.cancel)
        now.setStretch(0, 1)
        column.addLayout(now)
        for widget in (self.bar, self.message, self.view):
            column.addWidget(widget)
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
