"""Long work in the background of a viewer, whatever it makes: started, paused, ended."""

from __future__ import annotations

import gc
import weakref
from abc import abstractmethod
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any, Self

from napari.qt.threading import create_worker
from napari.utils import progress
from psygnal import Signal
from qtpy.QtCore import Qt

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.driver import Valve
from napari_selfsup_recon.widgets.facts import Facts
from napari_selfsup_recon.widgets.spinner import CALM, USUAL, turn_spinners
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.warm_up import loaded_torch


class _Task(partial[Generator[Event | None, None, None]]):
    """What napari lists as being executed when its window is closed; shown by this name."""

    title = ""

    def __str__(self) -> str:
        return self.title

    __repr__ = __str__


def _pump(events: Iterator[Event | None]) -> Generator[Event | None, None, None]:
    yield from events


class ViewerJob:
    """Events that a worker thread draws and the main thread takes.

    Everything here is called on the main thread.

    Parameters
    ----------
    viewer
        Whose window shows the progress; held weakly.
    events
        Of the driver.
    valve
        Of the same driver.
    title
        What napari calls the work.
    at_work
        The state while it runs.

    Attributes
    ----------
    changed
        Emitted with the new state.
    progressed
        Emitted when the facts changed, 10 times a second at most.
    finished
        Emitted when nothing runs any more.
    """

    changed = Signal(State)
    progressed = Signal()
    finished = Signal()

    def __init__(
        self,
        viewer: Any,
        events: Iterator[Event | None],
        valve: Valve,
        *,
        title: str,
        at_work: State = State.RUNNING,
    ) -> None:
        self.facts = Facts()
        self.error: ReconError | None = None
        self.details = ""
        self._at_work = self._state = at_work
        self._end = State.READY  # unless an event says otherwise, it was ended from outside
        self._viewer = weakref.ref(unwrap(viewer))
        self._valve = valve
        self._events = events
        self._bar: Any = None
        task = _Task(_pump, events)
        task.title = title
        self._worker: Any = create_worker(task, _start_thread=False, _ignore_errors=True)
        # Where it is ended from outside, what was reached is put away in the thread of the work.
        self._worker.aborted.connect(events.close, type=Qt.ConnectionType.DirectConnection)  # type: ignore[attr-defined]
        self._worker.yielded.connect(self._on_event)
        self._worker.errored.connect(self._on_error)
        self._worker.finished.connect(self._on_finished)

    @property
    def state(self) -> State:
        """What the job is doing, and how it ended."""
        return self._state

    @property
    def done(self) -> bool:
        """Whether nothing runs any more."""
        return not self._state.busy

    def pause(self) -> None:
        """Hold the work at its next step."""
        if self._state is self._at_work:
            self._valve.pause()
            self._go(State.PAUSED)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        if self._state is State.PAUSED:
            self._valve.resume()
            self._go(self._at_work)

    def _begin_work(self, total: int, name: str) -> Self:
        self._bar = progress(total=total, desc=name)
        turn_spinners(CALM)
        self._worker.start()
        return self

    # -- from the worker, on the main thread ---------------------------------------------------

    def _on_event(self, event: Event | None) -> None:
        if event is None or self._worker is None or self._worker.abort_requested:
            return
        self._take(event)
        self.progressed.emit()

    @abstractmethod
    def _take(self, event: Event) -> None:
        """Take an event."""

    @abstractmethod
    def _clear_up(self) -> None:
        """Let go of what only the work needed."""

    def _on_error(self, error: Exception) -> None:
        """Take what even the driver did not catch."""
        self.error = as_recon_error(error)
        self._end = State.FAILED

    def _on_finished(self) -> None:
        self._events.close()  # type: ignore[attr-defined]
        self._worker = None
        if self._bar is not None:
            self._bar.close()
            turn_spinners(USUAL)
        self._clear_up()
        gc.collect()
        torch = loaded_torch()
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._go(self._end)
        self.finished.emit()

    def _go(self, state: State) -> None:
        self._state = state
        self.changed.emit(state)
