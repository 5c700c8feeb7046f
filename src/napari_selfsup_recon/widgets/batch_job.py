"""A batch in the background of a viewer: it can be paused, and ended after a file or at once."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

from napari.qt.threading import create_worker
from napari.utils import progress
from psygnal import Signal

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.events import Done, Event, Notice, Stage
from napari_selfsup_recon.runs.batch.control import BatchControl
from napari_selfsup_recon.runs.batch.events import RowChanged, RowReport, RowState
from napari_selfsup_recon.runs.batch.plan import BatchPlan
from napari_selfsup_recon.runs.batch.run import run_batch
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.driver import Failure, Progress, Valve, drive
from napari_selfsup_recon.widgets.facts import Facts
from napari_selfsup_recon.widgets.states import State


class _Task(partial[Generator[Event | None, None, None]]):
    """What napari lists as being executed when its window is closed; shown by this name."""

    title = "batch"

    def __str__(self) -> str:
        return self.title

    __repr__ = __str__


def _pump(events: Iterator[Event | None]) -> Generator[Event | None, None, None]:
    yield from events


class BatchJob:
    """A batch and where its rows stand; to the window it is a job like any other.

    Everything here is called on the main thread.

    Parameters
    ----------
    viewer
        Whose window shows the progress; held weakly.
    plan
        What is run.
    run
        What executes the plan; for tests.

    Attributes
    ----------
    reports
        Where each row of the plan stands.
    changed
        Emitted with the new state.
    rowChanged
        Emitted with the number of a row whose report changed.
    progressed
        Emitted when the facts changed, 10 times a second at most.
    finished
        Emitted when nothing runs any more.
    """

    changed = Signal(State)
    rowChanged = Signal(int)
    progressed = Signal()
    finished = Signal()

    def __init__(
        self,
        viewer: Any,
        plan: BatchPlan,
        *,
        run: Callable[[BatchPlan, BatchControl], Iterator[Event]] = run_batch,
    ) -> None:
        self.plan = plan
        self.reports = [RowReport() for _ in plan.rows]
        self.facts = Facts()
        self.error: ReconError | None = None
        self.details = ""
        self._state = State.RUNNING
        self._end = State.READY
        self._begun = -1
        self._viewer = weakref.ref(unwrap(viewer))
        # One core is left to the window.
        self._control = BatchControl(threads=max(1, (os.cpu_count() or 2) - 1))
        self._valve = Valve(self._control)
        # The driver hands on what it drives; it need not know that this is a plan of many.
        self._events = drive(lambda: cast(Any, plan), cast(Any, run), self._valve)
        self._bar: Any = None
        task = _Task(_pump, self._events)
        task.title = f"batch of {len(plan.rows)} files"
        self._worker: Any = create_worker(task, _start_thread=False, _ignore_errors=True)
        self._worker.yielded.connect(self._on_event)
        self._worker.errored.connect(self._on_error)
        self._worker.finished.connect(self._on_finished)

    def start(self) -> BatchJob:
        """Begin; returns itself."""
        self._bar = progress(total=len(self.plan.rows), desc="batch")
        self._worker.start()
        return self

    @property
    def state(self) -> State:
        """What the job is doing, and how it ended."""
        return self._state

    @property
    def done(self) -> bool:
        """Whether nothing runs any more."""
        return not self._state.busy

    @property
    def made(self) -> list[str]:
        """What came of it, in words."""
        counts = [(state, sum(r.state is state for r in self.reports)) for state in RowState]
        return [f"files {state}: {count}" for state, count in counts if count]

    def pause(self) -> None:
        """Hold the work at its next step."""
        if self._state is State.RUNNING:
            self._valve.pause()
            self._go(State.PAUSED)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        if self._state is State.PAUSED:
            self._valve.resume()
            self._go(State.RUNNING)

    def stop(self) -> None:
        """End after the file that is under way."""
        if self._state.busy and self._state is not State.STOPPING:
            self._control.stop()
            self._valve.resume()
            self._go(State.STOPPING)

    def discard(self) -> None:
        """End at once; the file that is under way gives no result."""
        if self._state.busy:
            self._control.leave()
            self._valve.resume()
            self._go(State.STOPPING)

    # -- from the worker, on the main thread ---------------------------------------------------

    def _on_event(self, event: Event | None) -> None:
        if event is None or self._worker is None or self._worker.abort_requested:
            return
        if isinstance(event, RowChanged):
            self._take_row(event)
        elif isinstance(event, Progress):
            self.facts.add(event.steps)
        elif isinstance(event, Stage):
            self._begin(event)
        elif isinstance(event, Notice):
            self.facts.notices.append(event)
        elif isinstance(event, Failure):
            self.error, self.details, self._end = event.error, event.details, State.FAILED
        elif isinstance(event, Done):
            self._end = State.READY if event.reason == "stopped" else State.DONE
            failed = sum(report.state is RowState.FAILED for report in self.reports)
            if failed:
                words = f"{failed} of {len(self.reports)} files failed; the dock Batch says why."
                self.facts.notices.append(Notice(words, "warning"))
        self.progressed.emit()

    def _take_row(self, event: RowChanged) -> None:
        self.reports[event.index] = event.report
        if event.report.state is RowState.RUNNING:
            self._begun = event.index
            self._begin(Stage("Reading"))
        if event.report.state not in (RowState.WAITING, RowState.RUNNING):
            self._bar.update(1)
        self.rowChanged.emit(event.index)

    def _begin(self, stage: Stage) -> None:
        """Show a stage of the row that is under way; parts are rows."""
        name = f"{self.plan.rows[self._begun].name}: {stage.name}"
        self.facts.begin(replace(stage, name=name, part=self._begun, parts=len(self.reports)))

    def _on_error(self, error: Exception) -> None:
        """Take what even the driver did not catch."""
        self.error = as_recon_error(error)
        self._end = State.FAILED

    def _on_finished(self) -> None:
        self._events.close()  # type: ignore[attr-defined]
        self._worker = None
        if self._bar is not None:
            self._bar.close()
        for index, report in enumerate(self.reports):
            if report.state is RowState.RUNNING:  # ended from outside
                self.reports[index] = RowReport()
                self.rowChanged.emit(index)
        gc.collect()
        self._go(self._end)
        self.finished.emit()

    def _go(self, state: State) -> None:
        self._state = state
        self.changed.emit(state)
