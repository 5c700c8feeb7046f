"""The dock Batch: one run on many files."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.runs.batch.events import RowReport, RowState
from napari_selfsup_recon.runs.batch.plan import plan_batch
from napari_selfsup_recon.runs.batch.rows import Input
from napari_selfsup_recon.widgets._humanize import duration
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.batch_card import BatchCard
from napari_selfsup_recon.widgets.batch_files import FilesCard
from napari_selfsup_recon.widgets.batch_job import BatchJob
from napari_selfsup_recon.widgets.batch_open import add_file, read_file
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.help import help_button
from napari_selfsup_recon.widgets.message import Action, MessageCard
from napari_selfsup_recon.widgets.parts import Card, button, describe, is_alive, line, row
from napari_selfsup_recon.widgets.remedies import copy
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.texts import TEXTS


class BatchWidget(QWidget):
    """Works through files; the batch belongs to the viewer and goes on when this dock is closed.

    Parameters
    ----------
    napari_viewer
        The napari viewer; napari gives it to a parameter of this name.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = unwrap(napari_viewer)
        self.session = Session.of(self._viewer)
        self._background = Background(self)
        self._outputs: dict[Input, Path] = {}
        self.files = FilesCard()
        self.card = BatchCard(self._viewer)
        self.message = MessageCard()
        self.run = button("&Run", *TEXTS["batch start"])
        font = self.run.font()
        font.setBold(True)
        self.run.setFont(font)
        self.stop = button("S&top after this file", *TEXTS["batch stop"])
        self.leave = button("Stop &now", *TEXTS["batch leave"])
        self._status, self._stage = line(), line()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(10)
        self.bar.setRange(0, 1000)
        describe(self.bar, *TEXTS["progress"])
        self._lay_out()
        self.files.table.rowChosen.connect(self._show_row)
        self.files.table.rowOpened.connect(self.open_row)
        self.files.changed.connect(self.refresh)
        self.files.refused.connect(lambda text: self.message.tell("error", text))
        self.card.told.connect(lambda text: self.message.tell("info", text))
        self.run.clicked.connect(lambda *_: self.start())
        self.stop.clicked.connect(lambda *_: self._send("stop"))
        self.leave.clicked.connect(lambda *_: self._send("discard"))
        self._attach()
        if self.job is not None:
            self._follow(self.job)
        self.refresh()

    @property
    def job(self) -> BatchJob | None:
        """The batch of this viewer, running or done; None if its last job was none."""
        job = self.session.job
        return job if isinstance(job, BatchJob) else None

    def start(self) -> None:
        """Work through what waits or failed."""
        self.message.clear()
        try:
            settings = self.card.settings()
            plan = plan_batch(
                settings.config,
                self.files.value(),
                folder=self.card.target(),
                ending=self.card.ending.currentText(),
                overwrite=self.card.overwrite.isChecked(),
                reading=settings.reading,
                psf=settings.psf,
                given=settings.given,
            )
            job = BatchJob(self._viewer, plan)
            self.session.start(job)
            self._follow(job)
        except ReconError as error:
            self.message.tell("error", str(error))

    def open_row(self, number: int) -> None:
        """Open the result of a row as a layer; of a row without one say why."""
        one = self.files.inputs[number]
        path = self._outputs.get(one)
        if path is None or not self._report(one).state.has_result:
            self._show_row()
            return
        self._open(path)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls this whenever it changes."""
        if is_alive(self):
            self.card.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        state, batch = self.session.state, self.job
        busy = self.session.busy
        mine = busy and batch is not None
        self.files.lock(mine)
        self.card.setEnabled(not mine)
        self.run.setEnabled(not busy and bool(self.files.inputs))
        self.run.setVisible(not mine)
        for widget in (self.stop, self.leave, self.bar, self._stage):
            widget.setVisible(mine)
        self.stop.setEnabled(state is not State.STOPPING)
        self._show_counts()
        if busy and not mine:
            self._status.setText("Another reconstruction is under way in this viewer.")
        if batch is not None and state is State.FAILED and batch.error is not None:
            self.message.tell("error", str(batch.error))
        self._on_progress()

    def enterEvent(self, event: Any) -> None:
        """Look again at what the main dock says."""
        self.card.refresh()
        super().enterEvent(event)

    def _follow(self, job: BatchJob) -> None:
        """Show the rows of ``job`` and what becomes of them."""
        inputs = [one.input for one in job.plan.rows]
        self._outputs |= {one.input: one.output for one in job.plan.rows}
        if set(inputs) != set(self.files.inputs):
            self.files.setValue(inputs)
        for one, report in zip(inputs, job.reports, strict=True):
            self.files.show_report(one, report)
        job.rowChanged.connect(self._on_row)

    def _on_row(self, number: int) -> None:
        job = self.job
        if job is None or not is_alive(self):
            return
        one = job.plan.rows[number].input
        self.files.show_report(one, job.reports[number])
        self._show_counts()
        if one in [self.files.inputs[n] for n in self.files.table.chosen()]:
            self._show_row()

    def _show_counts(self) -> None:
        states = [self._report(one).state for one in self.files.inputs]
        counts = [f"{states.count(state)} {state}" for state in RowState if state in states]
        self._status.setText(", ".join(counts) or "Add files to work on.")

    def _report(self, one: Input) -> RowReport:
        return self.files.reports.get(one, RowReport())

    def _show_row(self) -> None:
        """Say what is known of the selected row, and what can be done."""
        chosen = self.files.table.chosen()
        if len(chosen) != 1:
            self.message.clear()
            return
        one = self.files.inputs[chosen[0]]
        report, path = self._report(one), self._outputs.get(one)
        words = " ".join([report.message, report.hint]).strip()
        if report.state is RowState.FAILED:
            named = words if one.path.name in words else f"{one.name}: {words}"
            self.message.tell("error", named, self._ways_out(one, report))
        elif report.state.has_result and path is not None:
            if report.state is RowState.DONE:
                words = f"{report.label}, {duration(report.seconds)}: {path.name}"
            tip = "Adds the result as a layer (also with a double click)."
            self.message.tell(
                "info", f"{one.name}: {words}", [("Open result", tip, lambda: self._open(path))]
            )
        else:
            self.message.clear()

    def _ways_out(self, one: Input, report: RowReport) -> list[Action]:
        tip = "Opens the file as a layer, to be looked at and tried in the main dock."
        ways: list[Action] = [("Open the file", tip, lambda: self._open(one.path, one.scene))]
        if not self.session.busy:
            again = "Tries again what failed or waits; what is done is left as it is."
            ways.insert(0, ("Try again", again, self.start))
        if report.details:
            ways.append(
                (
                    "Copy details",
                    "Copies what a report of a bug needs.",
                    lambda: copy(report.details),
                )
            )
        return ways

    def _open(self, path: Path, scene: int = 0) -> None:
        def work() -> Generator[str, None, Any]:
            yield f"Reading {path.name}"
            return read_file(path, scene)

        self._background.start(
            work,
            lambda found: add_file(self._viewer, path, *found),
            lambda error: self.message.tell("error", str(error)),
        )

    def _send(self, verb: str) -> None:
        if self.job is not None:
            getattr(self.job, verb)()

    def _on_state(self) -> None:
        if is_alive(self):
            self.refresh()

    def _on_progress(self) -> None:
        job = self.job
        if not is_alive(self) or job is None:
            return
        facts = job.facts
        self._stage.setText(f"{facts.stage or 'Starting'} ({facts.part + 1} of {facts.parts})")
        self.bar.setValue(round(1000 * facts.fraction))

    def _attach(self) -> None:
        """Listen to the session until this dock is deleted."""
        session = self.session
        session.changed.connect(self._on_state)
        session.progressed.connect(self._on_progress)
        listeners = [weakref.WeakMethod(self._on_state), weakref.WeakMethod(self._on_progress)]

        def detach(*_: object) -> None:
            for signal, listener in zip(
                (session.changed, session.progressed), listeners, strict=True
            ):
                if (method := listener()) is not None:
                    signal.disconnect(method, missing_ok=True)

        self.destroyed.connect(detach)

    def _lay_out(self) -> None:
        self.files.add_help(help_button("batch"))
        work = Card("3  Work")
        work.body.addWidget(self._status)
        work.body.addWidget(self._stage)
        work.body.addWidget(self.bar)
        work.body.addLayout(row(self.run, self.stop, self.leave))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(2, 4, 2, 2)
        column.setSpacing(8)
        column.addWidget(self.files, 1)
        column.addWidget(self.card)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        outer.addWidget(self.message)
        outer.addWidget(work)
        self.setMinimumWidth(300)
