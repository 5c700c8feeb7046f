"""A batch in the background of a viewer: it can be paused, and ended after a file or at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

from psygnal import Signal

from napari_selfsup_recon.core.events import Done, Event, Notice, Stage
from napari_selfsup_recon.runs.batch.control import BatchControl
from napari_selfsup_recon.runs.batch.events import RowChanged, RowReport, RowState
from napari_selfsup_recon.runs.batch.plan import BatchPlan
from napari_selfsup_recon.runs.batch.run import run_batch
from napari_selfsup_recon.widgets.driver import Failure, Progress, Valve, drive
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.viewer_job import ViewerJob


class BatchJob(ViewerJob):
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
    rowChanged
        Emitted with the number of a row whose report changed.
    """

    rowChanged = Signal(int)

    def __init__(
        self,
        viewer: Any,
        plan: BatchPlan,
        *,
        run: Callable[[BatchPlan, BatchControl], Iterator[Event]] = run_batch,
    ) -> None:
        self.plan = plan
        self.reports = [RowReport() for _ in plan.rows]
        self._begun = -1
        # One core is left to the window.
        self._control = BatchControl(threads=max(1, (os.cpu_count() or 2) - 1))
        valve = Valve(self._control)
        # The driver hands on what it drives; it need not know that this is a plan of many.
        events = drive(lambda: cast(Any, plan), cast(Any, run), valve)
        super().__init__(viewer, events, valve, title=f"batch of {len(plan.rows)} files")

    def start(self) -> BatchJob:
        """Begin; returns itself."""
        return self._begin_work(len(self.plan.rows), "batch")

    @property
    def made(self) -> list[str]:
        """What came of it, in words."""
        counts = [(state, sum(r.state is state for r in self.reports)) for state in RowState]
        return [f"files {state}: {count}" for state, count in counts if count]

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

    def _take(self, event: Event) -> None:
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

    def _clear_up(self) -> None:
        for index, report in enumerate(self.reports):
            if report.state is RowState.RUNNING:  # ended from outside
                self.reports[index] = RowReport()
                self.rowChanged.emit(index)
