"""The dock of the runs of a viewer: their models, and the undo of the last result."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import is_psf, is_result, unwrap
from napari_selfsup_recon.widgets.help import help_button
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.layer_box import LayerBox
from napari_selfsup_recon.widgets.message import MessageCard
from napari_selfsup_recon.widgets.parts import Card, button, describe, is_alive, note, row
from napari_selfsup_recon.widgets.rerun import (
    BUSY,
    job_to_apply,
    job_to_train_on,
    learned_from,
    misfit,
    reasons,
)
from napari_selfsup_recon.widgets.resume_card import ResumeCard
from napari_selfsup_recon.widgets.run_files import RunFiles
from napari_selfsup_recon.widgets.run_list import RunList
from napari_selfsup_recon.widgets.run_log import Run
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.texts import TEXTS


class RunsWidget(QWidget):
    """Lists what was made in a viewer, and uses its models again.

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
        self._told: object = None
        self.resume = ResumeCard(self._viewer)
        self.list = RunList()
        self.message = MessageCard()
        self.files = RunFiles(self._viewer, self.list, self.message, self._background)
        self.save = button("&Save model ...", *TEXTS["save model"])
        self.layer = LayerBox(self._viewer, self._preferred, fits=self._fits)
        describe(self.layer, *TEXTS["apply to"])
        self.apply = button("&Apply", *TEXTS["apply"])
        self.steps = QSpinBox()
        self.steps.setRange(1, 100_000)
        self.steps.setValue(200)
        self.steps.setSingleStep(50)
        self.steps.setSuffix(" steps")
        guard_wheel(self.steps)
        describe(self.steps, *TEXTS["more steps"])
        self.train = button("&Train on", *TEXTS["train on"])
        self.undo = button("&Undo last result", *TEXTS["undo result"])
        self.redo = button("&Bring it back", *TEXTS["redo result"])
        self._why = note()
        self._last = note()
        self._state = note()
        self._lay_out()
        self.list.chosen.connect(self._on_chosen)
        self.save.clicked.connect(lambda *_: self.files.ask_save())
        self.files.forget.clicked.connect(lambda *_: self.forget_run())
        self.apply.clicked.connect(lambda *_: self.start_applying())
        self.train.clicked.connect(lambda *_: self.start_training())
        self.undo.clicked.connect(lambda *_: self.session.undo.undo())
        self.redo.clicked.connect(lambda *_: self.session.undo.redo())
        self._background.busyChanged.connect(lambda _: self.refresh())
        self._attach()
        self._on_log()

    @property
    def run(self) -> Run | None:
        """The chosen run."""
        return self.list.run

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls this whenever it changes."""
        if is_alive(self):
            self.list.show_runs(self.session.log.runs)  # layers may have other names now
            self.resume.refresh()
            self.refresh()

    def refresh(self) -> None:
        """Look anew at what can be done."""
        if not is_alive(self):
            return
        busy = self.session.busy or self._background.busy
        run, can = self.run, reasons(self.run, busy=busy)
        self.layer.refresh()
        misses = "" if can.apply or self.layer.layer is not None else self._misfit()
        self._enable(self.save, "save model", can.save)
        self._enable(self.apply, "apply", can.apply or misses)
        self._enable(self.train, "train on", can.train)
        self._enable(self.files.forget, "forget run", can.forget)
        self._enable(self.files.save_run, "save run", can.keep)
        self._enable(self.files.curves, "save curves", can.curves)
        self._enable(self.files.zoo, "export zoo", can.zoo)
        for push, text in ((self.files.load, "load model"), (self.files.open_run, "open run")):
            self._enable(push, text, BUSY if busy else "")
        self.layer.setEnabled(self.apply.isEnabled())
        self.steps.setEnabled(self.train.isEnabled())
        found = (can.save, can.apply or misses, can.train)
        said = [text for text in dict.fromkeys(found) if text]
        self._why.setText("\n".join(said) if run is not None else "")
        self._why.setVisible(bool(self._why.text()))
        self._show_undo()
        self._show_state()

    def start_applying(self) -> None:
        """Reconstruct the layer with the model of the chosen run."""
        run, layer = self.run, self.layer.layer
        if run is not None and layer is not None:
            self._start(lambda: job_to_apply(self._viewer, run, layer))

    def start_training(self) -> None:
        """Train the model of the chosen run on."""
        run = self.run
        if run is not None:
            self._start(lambda: job_to_train_on(self._viewer, run, self.steps.value()))

    def forget_run(self) -> None:
        """Take the chosen run off the list."""
        if self.run is not None:
            self.session.log.forget(self.run)

    def _start(self, make: Callable[[], Job]) -> None:
        self.message.clear()
        try:
            self.session.start(make())
        except ReconError as error:
            self._on_failed(error)

    def _on_failed(self, error: ReconError) -> None:
        self.message.tell("error", str(error))

    def _enable(self, push: QWidget, text: str, why: str) -> None:
        """Let a button be pressed, or say why not."""
        name, tooltip = TEXTS[text]
        push.setEnabled(not why)
        describe(push, name, f"{why}<br>{tooltip}" if why else tooltip)

    def _show_undo(self) -> None:
        undo, busy = self.session.undo, self.session.busy
        last, following = undo.last, undo.next
        idle = BUSY if busy else ""
        self._enable(self.undo, "undo result", idle or ("" if last else "There is no result."))
        self._enable(self.redo, "redo result", idle or ("" if following else "Nothing was undone."))
        text = f"Last result: {_names(last)}" if last else "No result yet."
        self._last.setText(f"{text}\nUndone: {_names(following)}" if following else text)

    def _show_state(self) -> None:
        job = self.session.job
        if self.session.busy and job is not None:
            facts = job.facts
            at = f" {facts.step} of {facts.total}" if facts.total else ""
            name = job.source.name if isinstance(job, Job) else "Batch"
            self._state.setText(f"{name}: {facts.stage or 'getting ready'}{at}")
        elif self._background.busy:
            self._state.setText("Working on a file ...")
        self._state.setVisible(self.session.busy or self._background.busy)

    def _fits(self, layer: Layer) -> bool:
        run = self.run
        return run is not None and bool(run.models) and not misfit(run, layer, self._viewer)

    def _preferred(self, viewer: Any, layers: list[Layer]) -> Layer | None:
        """Return the active layer if it fits; else one that the model does not know yet."""
        active = viewer.layers.selection.active if viewer is not None else None
        if active in layers:
            return active
        origin = learned_from(self.run) if self.run is not None else None
        known = origin() if origin is not None else None
        return next((x for x in layers if x is not known), next(iter(layers), None))

    def _misfit(self) -> str:
        """Say why no layer fits."""
        run = self.run
        images = [x for x in self._viewer.layers if isinstance(x, Image) and not is_result(x)]
        measured = [x for x in images if not is_psf(x)]
        said = [misfit(run, layer, self._viewer) for layer in measured] if run is not None else []
        return f"No image here fits. {said[0] if said else ''}".strip()

    def _on_chosen(self) -> None:
        self.message.clear()
        self.refresh()

    def _on_log(self) -> None:
        if is_alive(self):
            runs = self.session.log.runs
            newest = runs[0] if runs and runs[0] not in self.list.runs else None
            self.list.show_runs(runs, choose=newest)
            self.refresh()

    def _on_change(self) -> None:
        """The session has another state."""
        if not is_alive(self):
            return
        job = self.session.job
        failed = self.session.state is State.FAILED and job is not None
        if failed and job is not None and job.error not in (None, self._told):
            self._told = job.error
            self._on_failed(job.error)
        self.resume.refresh()
        self.refresh()

    def _on_progress(self) -> None:
        if is_alive(self):
            self._show_state()

    def _attach(self) -> None:
        """Listen to the session until this dock is deleted; the session goes on."""
        session = self.session
        pairs = (
            (session.changed, self._on_change),
            (session.progressed, self._on_progress),
            (session.log.changed, self._on_log),
            (session.undo.changed, self.refresh),
        )
        listeners = []
        for signal, listener in pairs:
            signal.connect(listener)
            listeners.append((signal, weakref.WeakMethod(listener)))

        def detach(*_: object) -> None:
            for signal, reference in listeners:
                if (method := reference()) is not None:
                    signal.disconnect(method, missing_ok=True)

        self.destroyed.connect(detach)

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(2, 4, 2, 2)
        column.setSpacing(8)
        runs, chosen, last = Card("Runs"), Card("Model of the chosen run"), Card("Last result")
        runs.add_help(help_button("runs_dock"))
        runs.body.addWidget(self.list)
        runs.body.addWidget(self.files)
        chosen.body.addLayout(row(self.save, self.files.curves))
        chosen.body.addWidget(self.files.zoo)
        chosen.body.addLayout(_wide(row(self.layer, self.apply)))
        chosen.body.addLayout(_wide(row(self.steps, self.train)))
        chosen.body.addWidget(self._why)
        last.body.addWidget(self._last)
        last.body.addLayout(row(self.undo, self.redo))
        for widget in (self.resume, runs, chosen, last, self._state, self.message):
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


def _wide(layout: Any) -> Any:
    """Give what is chosen more room than its button."""
    layout.setStretch(0, 3)
    layout.setStretch(1, 2)
    return layout


def _names(layers: list[Layer]) -> str:
    return ", ".join(layer.name for layer in layers)
