"""Work of seconds in a thread of its own: the last that was asked for counts, and nothing is lost.

Reconstructions have a :class:`~napari_selfsup_recon.widgets.job.Job`, which napari lists when its
window is closed. This is for what a dock has to find out to show something. It does not use the
workers of Qt, either: these change the filters of warnings of the whole process, and two of them
that overlap leave them changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_selfsup_recon.core.errors import JobFailedError, ReconError
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.widgets.warm_up import wait_for_torch

logger = logging.getLogger("napari_selfsup_recon")

Work = Callable[[], Generator[str, None, Any]]
"""Yields the names of its stages, between which it can be ended, and returns its result."""


@dataclass(frozen=True, eq=False)
class _Errand:
    """One piece of work and who waits for it."""

    work: Work
    done: Callable[[Any], None]
    failed: Callable[[ReconError], None]
    dropped: threading.Event = field(default_factory=threading.Event)


class Background(QObject):
    """Runs one piece of work at a time.

    Attributes
    ----------
    busyChanged
        Emitted with whether something is under way.
    staged
        Emitted with the name of each stage.
    """

    busyChanged = Signal(bool)
    staged = Signal(str)
    _arrived = Signal(object, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: _Errand | None = None
        self._next: _Errand | None = None
        self._arrived.connect(self._on_arrival)

    @property
    def busy(self) -> bool:
        """Whether something that somebody waits for is under way."""
        return self._running is not None and not self._idle

    @property
    def _idle(self) -> bool:
        running = self._running
        return self._next is None and (running is None or running.dropped.is_set())

    def start(
        self, work: Work, done: Callable[[Any], None], failed: Callable[[ReconError], None]
    ) -> None:
        """Do ``work`` in a thread; what is under way is dropped.

        Parameters
        ----------
        work
            Called without arguments in another thread; must not touch widgets or layers.
        done, failed
            Called with the result or the error, in the thread of the window.
        """
        errand = _Errand(work, done, failed)
        if self._running is not None:
            # It ends at its next stage; the new one waits for that, so that never two compute.
            self._running.dropped.set()
            self._next = errand
        else:
            self._launch(errand)
        self.busyChanged.emit(True)

    def cancel(self) -> None:
        """Drop what is under way; it ends at its next stage, and nobody hears of it."""
        if self._running is not None:
            self._running.dropped.set()
        self._next = None
        self.busyChanged.emit(False)

    def _launch(self, errand: _Errand) -> None:
        self._running = errand
        threading.Thread(target=self._run, args=(errand,), name="background", daemon=True).start()

    def _run(self, errand: _Errand) -> None:
        """Work; in the other thread."""
        try:
            wait_for_torch()
            result = self._stages(errand)
        except Exception as error:
            known = as_recon_error(error)
            if isinstance(known, JobFailedError):
                logger.exception("Work in the background failed.")
            self._tell(errand, "failed", known)
        else:
            self._tell(errand, "done", result)

    def _stages(self, errand: _Errand) -> Any:
        stages = errand.work()
        try:
            while True:
                name = next(stages)
                if errand.dropped.is_set():
                    stages.close()
                    return None
                self._tell(errand, "stage", name)
        except StopIteration as end:
            return end.value

    def _tell(self, errand: _Errand, what: str, value: Any) -> None:
        with suppress(RuntimeError):  # the dock is gone, and with it who wanted to know
            self._arrived.emit(errand, what, value)

    def _on_arrival(self, errand: _Errand, what: str, value: Any) -> None:
        """Hear of the other thread; in the thread of the window."""
        wanted = not errand.dropped.is_set()
        if what == "stage":
            if wanted:
                self.staged.emit(value)
            return
        self._running, following, self._next = None, self._next, None
        if following is not None:
            self._launch(following)
            return
        self.busyChanged.emit(False)
        if wanted:
            (errand.done if what == "done" else errand.failed)(value)
