"""Between the method card and the stopwatch: what is measured, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QObject

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.widgets.choices import Intent, MethodChoice
from napari_selfsup_recon.widgets.method_card import MethodCard
from napari_selfsup_recon.widgets.request import Request, make_request
from napari_selfsup_recon.widgets.stopwatch import Stopwatch


class Timing(QObject):
    """Lets a method card tell how long methods take on this machine.

    Parameters
    ----------
    card
        Where it is asked and told.
    intent
        Returns what is chosen in all cards.
    viewer
        What is in view.
    dock
        Qt parent, with which it ends.

    Attributes
    ----------
    stopwatch
        What measures.
    """

    def __init__(
        self,
        card: MethodCard,
        intent: Callable[[], Intent],
        viewer: Any,
        dock: QObject,
    ) -> None:
        super().__init__(dock)
        self._card, self._intent, self._viewer = card, intent, viewer
        self.stopwatch = Stopwatch(dock)
        self.stopwatch.changed.connect(self.show)

    def ask(self) -> None:
        """Measure the methods that can be chosen, the chosen one first."""
        try:
            intent, choices = self._intent(), self._card.offered()
        except ReconError as error:
            self._card.show_verdict(str(error))
            return
        wanted: dict[str, tuple[MethodChoice, Request | ReconError]] = {}
        for key, choice in choices.items():
            try:
                request = make_request(replace(intent, method=choice), self._viewer)
                wanted[key] = (choice, request)
            except ReconError as error:
                wanted[key] = (choice, error)
        if not any(isinstance(request, Request) for _, request in wanted.values()):
            self._card.show_verdict(str(next(iter(wanted.values()))[1]))
        self.stopwatch.measure(wanted)

    def show(self, request: Request | None = None) -> None:
        """Show how long methods would take, as far as that is known for what is chosen."""
        times: dict[str, str] = {}
        reasons: dict[str, str] = {}
        with suppress(ReconError):  # without an image nothing is known
            choices = self._card.offered()
            if request is None:
                plain = next(choice for choice in choices.values() if choice.clean is None)
                request = make_request(replace(self._intent(), method=plain), self._viewer)
            times, reasons = self.stopwatch.told(request, choices)
        self._card.show_times(times, reasons, self.stopwatch.now)

    def cancel(self) -> None:
        """Measure no more."""
        self.stopwatch.cancel()
