"""Offers to go on with a run that was ended with its window."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.runs.stash import unfinished
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.message import MessageCard
from napari_selfsup_recon.widgets.parts import is_alive
from napari_selfsup_recon.widgets.resume import Offer, job_to_resume, offers
from napari_selfsup_recon.widgets.session import Session

# Several layers may come at once.
_REST_MS = 150


class ResumeCard(QWidget):
    """Shows one offer at a time; hidden while there is none, and while something runs.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = unwrap(viewer)
        self._session = Session.of(viewer)
        self._background = Background(self)
        self.message = MessageCard()
        self.offer: Offer | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        self.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._look)
        self.refresh()

    def refresh(self) -> None:
        """Look anew, in a moment."""
        if not is_alive(self):
            return
        if self._session.busy:
            self._show(None)
        else:
            self._timer.start()

    def resume(self) -> None:
        """Go on with the run that is offered."""
        offer = self.offer
        if offer is None:
            return
        self._show(None)
        try:
            self._session.start(job_to_resume(self._viewer, offer))
        except ReconError as error:
            self.show()
            self.message.tell("error", str(error))

    def discard(self) -> None:
        """Remove what was kept of the run that is offered."""
        if self.offer is not None:
            self.offer.unfinished.remove()
        self._show(None)
        self.refresh()

    def _look(self) -> None:
        known = unfinished() if not self._session.busy else []
        if not known:
            self._show(None)
            return
        layers = list(self._viewer.layers)

        def work() -> Any:
            yield "Looking for runs that were not finished"
            return offers(known, layers)

        self._background.start(work, self._take, lambda _: self._show(None))

    def _take(self, found: list[Offer]) -> None:
        if is_alive(self):
            self._show(None if self._session.busy or not found else found[0])

    def _show(self, offer: Offer | None) -> None:
        self.offer = offer
        self.setVisible(offer is not None)
        if offer is None:
            self.message.clear()
            return
        actions = (
            ("Go on", "Trains on from where the run was when its window was closed.", self.resume),
            ("Discard", "Removes what was kept of that run; no layer is touched.", self.discard),
        )
        self.message.tell("info", offer.text, actions)
