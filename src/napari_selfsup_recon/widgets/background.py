"""Work of seconds in a thread of its own: the last that was asked for counts, and nothing is lost.

Reconstructions have a :class:`~napari_selfsup_recon.widgets.job.Job`, which napari lists when its
window is closed. This is for what a dock has to find out to show something. It does not use the
workers of Qt, either: these change the filters of warnings of the whole process, and two of them
that overlap leave them changed. Nor does the thread emit signals: the dock may be deleted at any
moment, in the midst of one. It leaves its news in a queue, and the window looks there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_selfsup_recon.core.errors import JobFailedError, ReconError
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.widgets.warm_up import wait_for_torch

logger = logging.getLogger("napari_selfsup_recon")

_LOOK_MS = 20

Work = Callable[[], Generator[str, None, Any]]
"""Yields the names of its stages, between which it can be ended, and returns its result."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What the thread knows: nothing of the window, whose parts it must not outlive."""

    work: Work
    dropped: threading.Event = field(default_factory=threading.Event)
    news: SimpleQueue[tuple[str, Any]] = field(default_factory=SimpleQueue)


@dataclass(frozen=True, eq=False)
class _Errand:
    """One piece of work and who waits for it."""

    task: _Task
    done: Callable[[Any], None]
    failed: Callable[[ReconError], None]


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

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: _Errand | None = None
        self._next: _Errand | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._hear)
        self._launched: list[_Task] = []

    @property
    def busy(self) -> bool:
        """Whether something that somebody waits for is under way."""
        return self._running is not None and not self._idle

    @property
    def _idle(self) -> bool:
        running = self._running
        return self._next is None and (running is None or running.task.dropped.is_set())

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
        errand = _Errand(_Task(work), done, failed)
        if self._running is not None:
            # It ends at its next stage; the new one waits for that, so that never two compute.
            self._running.task.dropped.set()
            self._next = errand
        else:
            self._launch(errand)
        self.busyChanged.emit(True)

    def cancel(self) -> None:
        """Drop what is under way; it ends at its next stage, and nobody hears of it."""
        if self._running is not None:
            self._running.task.dropped.set()
        self._next = None
        self.busyChanged.emit(False)

    def end_with(self, dock: QObject) -> None:
        """Drop what is under way, too, when ``dock`` is deleted.

        ``dock`` has no Qt parent that deletes it: the signals of children that are deleted with
        their parents come when Python has let go of them.
        """
        launched = self._launched
        dock.destroyed.connect(lambda *_: _drop(launched))

    def _launch(self, errand: _Errand) -> None:
        self._running = errand
        self._launched[:] = [errand.task]
        self._timer.start()
        threading.Thread(target=_run, args=(errand.task,), name="background", daemon=True).start()

    def _hear(self) -> None:
        """Look for news of the thread."""
        errand = self._running
        while errand is not None and errand is self._running and not errand.task.news.empty():
            what, value = errand.task.news.get()
            self._on_arrival(errand, what, value)
        if self._running is None:
            self._timer.stop()

    def _on_arrival(self, errand: _Errand, what: str, value: Any) -> None:
        """Take in what the thread told."""
        wanted = not errand.task.dropped.is_set()
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


def _drop(tasks: list[_Task]) -> None:
    for task in tasks:
        task.dropped.set()


def _run(task: _Task) -> None:
    """Work; in the other thread, which knows nothing of the window."""
    try:
        wait_for_torch()
        result = _stages(task)
    except Exception as error:
        known = as_recon_error(error)
        if isinstance(known, JobFailedError):
            logger.exception("Work in the background failed.")
        task.news.put(("failed", known))
    else:
        task.news.put(("done", result))


def _stages(task: _Task) -> Any:
    stages = task.work()
    try:
        while True:
            name = next(stages)
            if task.dropped.is_set():
                stages.close()
                return None
            task.news.put(("stage", name))
    except StopIteration as end:
        return end.value
