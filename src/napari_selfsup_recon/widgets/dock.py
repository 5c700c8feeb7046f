"""The dock: five cards over one session. It reads state and sends intents."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import InputError, ReconError
from napari_selfsup_recon.runs.memory import device_memory
from napari_selfsup_recon.widgets import last_settings, preferences
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.blink import hold_to_peek
from napari_selfsup_recon.widgets.bridge import check_layer, unwrap
from napari_selfsup_recon.widgets.choices import Intent
from napari_selfsup_recon.widgets.compare_card import CompareCard
from napari_selfsup_recon.widgets.data_card import DataCard
from napari_selfsup_recon.widgets.help import help_button
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.levels import array_of
from napari_selfsup_recon.widgets.method_card import MethodCard
from napari_selfsup_recon.widgets.needs import needs_of
from napari_selfsup_recon.widgets.noise_section import Scene
from napari_selfsup_recon.widgets.parts import column_of, is_alive
from napari_selfsup_recon.widgets.physics_card import PhysicsCard
from napari_selfsup_recon.widgets.remedies import disk_actions, remedies, sample_actions
from napari_selfsup_recon.widgets.request import Request, make_request, slice_shown
from napari_selfsup_recon.widgets.resume_card import ResumeCard
from napari_selfsup_recon.widgets.run_card import RunCard
from napari_selfsup_recon.widgets.run_files import ask_for_curves
from napari_selfsup_recon.widgets.script_button import ScriptButton
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.shortcuts import bind_keys
from napari_selfsup_recon.widgets.states import State, look
from napari_selfsup_recon.widgets.timing import Timing
from napari_selfsup_recon.widgets.verdict import verdict
from napari_selfsup_recon.widgets.warm_up import torch_is_loading, warm_up

# Typing a number changes it at every key; the PSF is looked at when the hand rests.
_REST_MS = 200
_PLUGIN, _PSF_DOCK = "napari-selfsup-recon", "PSF: from theory, beads or file"
_COMPARE_DOCK = "Compare layers"
_STEP = 0.02


class ReconWidget(QWidget):
    """Sharpen and denoise the images of a viewer.

    Parameters
    ----------
    napari_viewer
        The napari viewer; napari gives it to a parameter of this name.

    Attributes
    ----------
    session
        What the viewer is doing; it goes on when this dock is closed.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = unwrap(napari_viewer)
        self.session = Session.of(viewer)
        self._viewer = viewer
        self.data = DataCard(viewer)
        self.physics = PhysicsCard(viewer)
        self.method = MethodCard(viewer)
        self.resume = ResumeCard(viewer)
        self.run_card = RunCard()
        self.run_card.device.setValue(preferences.device())
        self.compare = CompareCard(viewer, lambda: self.data.image.layer)
        self.script = ScriptButton(lambda: make_request(self.value(), viewer))
        self.script.told.connect(self.compare.say)
        self.compare.add_tool(self.script)
        self._background = Background(self)
        self.timing = Timing(self.method, self.value, viewer, self)
        self._blocked = self._advice = ""
        self._told: object = None
        self._lay_out()
        if self.session.intent is not None:
            self.setValue(self.session.intent)
        elif preferences.remembers():
            self._recall()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self.refresh)
        for card in (self.data, self.physics, self.method):
            card.valueChanged.connect(self._on_edit)
        self.physics.checked.connect(self._on_checked)
        self.physics.makingWanted.connect(lambda: self._open(_PSF_DOCK))
        self.compare.moreWanted.connect(lambda: self._open(_COMPARE_DOCK))
        self.method.verdictWanted.connect(self._ask_meter)
        self.method.timesWanted.connect(self._ask_times)
        self.method.clean.shownWanted.connect(self._take_slice)
        self.run_card.deviceChanged.connect(self._on_edit)
        self.run_card.place.valueChanged.connect(self._on_edit)
        self.run_card.device.found.connect(self._timer.start)
        self.run_card.curvesWanted.connect(self._save_curves)
        self.run_card.previewed.connect(lambda: self.start(attempt=True))
        self.run_card.ran.connect(self.start)
        for name in ("pause", "resume", "stop", "discard"):
            signal = getattr(self.run_card, f"{name}d" if name.endswith("e") else _PAST[name])
            signal.connect(lambda name=name: self._send(name))
        self._attach()
        hold_to_peek(viewer, self, self.compare.layers)
        bind_keys(
            self,
            {
                "Ctrl+Return": self.start,
                "Ctrl+Shift+Return": lambda: self.start(attempt=True),
                "Ctrl+.": lambda: self._send("stop"),
                "Ctrl+Alt+K": self.script.copy,
                "Ctrl+Alt+G": self.compare.grid.toggle,
                "Ctrl+Alt+Left": lambda: self.compare.bar.shift(-_STEP),
                "Ctrl+Alt+Right": lambda: self.compare.bar.shift(_STEP),
            },
        )
        self.refresh()

    def value(self) -> Intent:
        """Return what is chosen.

        Raises
        ------
        InputError
            If options do not fit each other.
        """
        return Intent(
            data=self.data.value(),
            psf=self.physics.value(),
            method=self.method.value(),
            noise=self.physics.noise.value(),
            device=self.run_card.device.value(),
            instrument=self.physics.instrument.value(),
            folder=self.run_card.place.value(),
        )

    def setValue(self, intent: Intent) -> None:
        """Show ``intent``; layers that are gone are passed over."""
        self.data.setValue(intent.data)
        self.physics.setValue(intent.psf)
        self.physics.instrument.setValue(intent.instrument)
        self.physics.noise.setValue(intent.noise)
        self.method.set_task(intent.data.task, intent.instrument.kind)
        self.method.setValue(intent.method)
        self.run_card.device.setValue(intent.device)
        self.run_card.place.setValue(intent.folder)

    def _recall(self) -> None:
        """Begin with the settings of the last run, where they serve the image that is there."""
        last = last_settings.recalled()
        if last is None:
            return
        if "reconstruct" not in (last.task, self.data.task):
            self.data.choose_task(last.task)
        if last.task == self.data.task:
            self.method.set_task(last.task, self.physics.instrument.kind.currentData())
            self.method.setValue(last.method)
        if last.microscope is not None:
            self.physics.microscope.setValue(last.microscope)

    def reset_choices(self, event: Any = None) -> None:
        """Follow the layer list; napari calls this whenever it changes."""
        if is_alive(self):
            self.data.reset_choices()
            self.physics.reset_choices()
            self.method.clean.refresh()
            self.compare.refresh()
            self.resume.refresh()

    def start(self, attempt: bool = False) -> None:
        """Run what is chosen, or only try it on a small part."""
        self._timer.stop()
        self.refresh()
        button = self.run_card.preview if attempt else self.run_card.run
        if not button.isEnabled():
            return
        self.run_card.forget()
        self._told = None
        self.data.image.keep()  # results will be selected next, and are not what is meant
        try:
            intent = self.value()
            self.session.run(intent, attempt=attempt)
        except ReconError as error:
            self.run_card.message.tell("error", str(error))
        else:
            last_settings.remember(intent)

    def refresh(self) -> None:
        """Read all cards anew: what is wrong, what the PSF is, what the run needs."""
        choice = self.data.value()
        self.method.set_task(choice.task, self.physics.instrument.kind.currentData())
        request = None
        layer = choice.layer() if choice.layer is not None else None
        self._blocked = ""
        try:
            if layer is not None:
                check_layer(layer)
                request = make_request(self.value(), self._viewer)
        except ReconError as error:
            self._blocked = str(error)
        measurement = request.source.measurement if request is not None else None
        metadata = getattr(layer, "metadata", None)
        self.physics.refresh(choice.task, measurement, metadata, request)
        self.physics.show_noise(self._scene(request))
        if choice.task != "denoise" and not self._blocked:
            self._blocked = self.physics.problem
        self._show_needs(request)
        self.timing.show(request)
        self.compare.refresh()
        self._show_state()

    def _take_slice(self, which: str) -> None:
        """Take the slice in view as the first or last clean one."""
        choice = self.data.value()
        layer = choice.layer() if choice.layer is not None else None
        if layer is not None:
            with suppress(ReconError):  # what is wrong with the layer is told beside the button
                index = slice_shown(layer, self._viewer, choice.axes, choice.level)
                self.method.clean.take(which, index)

    def _scene(self, request: Request | None) -> Scene | None:
        """Return what the noise is estimated of."""
        layer = request.source.layer() if request is not None else None
        if request is None or layer is None:
            return None
        source = request.source
        array = array_of(layer, source.level)
        return Scene(source.measurement, array, source.fixed, self.physics.psf)

    def _ask_meter(self) -> None:
        """Say what the chosen method can learn of the chosen scan."""
        try:
            request = make_request(self.value(), self._viewer)
        except ReconError as error:
            self.method.show_verdict(str(error))
            return
        self.timing.cancel()
        self.method.show_verdict("Looking at what can be learned ...")
        show = self.method.show_verdict
        self._background.start(lambda: verdict(request), show, lambda error: show(str(error)))

    def _ask_times(self) -> None:
        self._background.cancel()
        self.timing.ask()

    def _open(self, name: str) -> None:
        """Open another dock of this plugin, beside this one."""
        window = getattr(self._viewer, "window", None)
        if window is not None:
            window.add_plugin_dock_widget(_PLUGIN, name, tabify=name == _COMPARE_DOCK)

    def _save_curves(self) -> None:
        job = self.session.job
        if isinstance(job, Job):
            name, card = f"{job.source.name} curves", self.run_card
            ask_for_curves(self, name, job.history.marks, card.message)

    def _on_checked(self) -> None:
        if not self.session.busy:
            self.refresh()

    def _show_needs(self, request: Request | None) -> None:
        self._advice = ""
        if request is None:
            self.run_card.show_memory(None, 0)
            return
        needs = needs_of(request, self.method.value())
        self._advice = needs.advice
        self.run_card.offer_disk(needs.splits)
        if torch_is_loading():
            return
        self.run_card.device.refresh()
        try:
            free = device_memory(self.run_card.device.value())
        except InputError as error:
            self._blocked = str(error)
            free = 0
        self.run_card.show_memory(needs.needed, free)

    def _show_state(self) -> None:
        """Let every card look as the state says."""
        state = self.session.state
        if not state.busy and self.data.image.layer is None:
            state = State.EMPTY
        shown = look(state, blocked=self._blocked)
        for card in (self.data, self.physics, self.method):
            card.setEnabled(shown.can_edit)
        self._show_message(state)
        self.run_card.show_look(shown)
        if self.session.job is not None:
            self.run_card.show_facts(self.session.job.facts)

    def _show_message(self, state: State) -> None:
        message, job = self.run_card.message, self.session.job
        if state is State.EMPTY:
            message.tell("info", "Open an image, or try a sample.", sample_actions(self._viewer))
        elif state is State.FAILED and job is not None and job.error is not None:
            if self._told is not job.error:
                self._told = job.error
                message.tell("error", str(job.error), remedies(self, job))
        elif self._blocked and not state.busy:
            self._told = None
            message.tell("warning", self._blocked, remedies(self, None))
        elif self._advice and not state.busy:
            message.tell("warning", self._advice, disk_actions(self))
        elif job is not None and (news := [n for n in job.facts.notices if n.level != "info"]):
            message.tell("warning", "\n".join(dict.fromkeys(n.message for n in news)))
        else:
            message.clear()

    def _on_selection(self, event: Any = None) -> None:
        if is_alive(self):
            self.data.reset_choices()
            self.compare.refresh()

    def _on_edit(self) -> None:
        self._background.cancel()
        self.method.show_verdict("")
        self._told = None
        if not self.session.busy:
            self.run_card.hide_curves()
        self._timer.start()

    def _send(self, verb: str) -> None:
        if self.session.job is not None:
            getattr(self.session.job, verb)()

    def _on_state(self) -> None:
        if is_alive(self):
            self.resume.refresh()
            if self.session.busy:
                self.timing.cancel()
                self._show_state()
            else:
                self.refresh()

    def _on_progress(self) -> None:
        if is_alive(self) and self.session.job is not None:
            self.run_card.show_facts(self.session.job.facts)

    def enterEvent(self, event: Any) -> None:
        """Get ready to compute as soon as somebody reaches for the controls."""
        if self.data.image.layer is not None:
            warm_up()
            self.run_card.device.watch()
        super().enterEvent(event)

    def _attach(self) -> None:
        """Listen to the session until this dock is deleted; the session goes on."""
        session = self.session
        session.changed.connect(self._on_state)
        session.progressed.connect(self._on_progress)
        selection = self._viewer.layers.selection.events.changed
        selection.connect(self._on_selection)
        listeners = [weakref.WeakMethod(self._on_state), weakref.WeakMethod(self._on_progress)]

        def detach(*_: object) -> None:
            for signal, listener in zip(
                (session.changed, session.progressed), listeners, strict=True
            ):
                if (method := listener()) is not None:
                    signal.disconnect(method, missing_ok=True)

        self.destroyed.connect(detach)

    def _lay_out(self) -> None:
        """What is chosen scrolls; what starts and shows the work is always in sight."""
        self.data.add_help(help_button("quickstart"))
        content = QWidget()
        column = column_of(content, (self.resume, self.data, self.physics, self.method))
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumHeight(36)  # a message and its buttons shall not make the window grow
        area.setWidget(content)
        foot = QWidget()
        column_of(foot, (self.run_card, self.compare))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        outer.addWidget(foot)
        self.setMinimumWidth(300)


_PAST = {"stop": "stopped", "discard": "discarded"}
