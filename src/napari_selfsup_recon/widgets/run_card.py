"""Card 4: start, watch, pause, stop."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QToolButton, QWidget

from napari_selfsup_recon.core.memory import readable_bytes
from napari_selfsup_recon.widgets._humanize import duration
from napari_selfsup_recon.widgets.curves import Curves
from napari_selfsup_recon.widgets.device_box import DeviceBox
from napari_selfsup_recon.widgets.facts import Facts
from napari_selfsup_recon.widgets.message import MessageCard
from napari_selfsup_recon.widgets.parts import (
    Card,
    button,
    describe,
    form_label,
    form_layout,
    line,
    note,
    row,
)
from napari_selfsup_recon.widgets.result_place import ResultPlace
from napari_selfsup_recon.widgets.states import Look
from napari_selfsup_recon.widgets.texts import TEXTS

# Sentences of methods that are shown at once.
_NEWS = 4


class RunCard(Card):
    """Sends what a person wants, and shows how it goes; it decides nothing.

    Attributes
    ----------
    previewed, ran, paused, resumed, stopped, discarded
        Emitted when the button of that name is pressed.
    curvesWanted
        Emitted when the curves shall be saved.
    deviceChanged
        Emitted when another device is chosen.
    """

    previewed = Signal()
    ran = Signal()
    paused = Signal()
    resumed = Signal()
    stopped = Signal()
    discarded = Signal()
    curvesWanted = Signal()
    deviceChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("4  Run", parent)
        self.message = MessageCard()
        self.device = DeviceBox()
        self.place = ResultPlace()
        self._needs = line()
        self.preview = button("&Preview", *TEXTS["preview"])
        self.run = button("&Run", *TEXTS["run"])
        font = self.run.font()
        font.setBold(True)
        self.run.setFont(font)
        self._status = note()
        self._stage, self._left = line(), QLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(10)
        self.bar.setRange(0, 1000)
        describe(self.bar, *TEXTS["progress"])
        self._numbers = line()
        self._news = note()
        self._news.hide()
        self.pause = button("Pause", *TEXTS["pause"])
        self.resume = button("Resume", *TEXTS["resume"])
        self.stop = button("Stop and keep", *TEXTS["stop"])
        self.discard = button("Discard", *TEXTS["discard"])
        self.curves = Curves()
        self.save_curves = QToolButton()
        self.save_curves.setText("Save CSV ...")
        describe(self.save_curves, *TEXTS["save curves"])
        self._buttons = (self.preview, self.run, self.pause, self.resume, self.stop, self.discard)
        self._progress = (self._stage, self._left, self.bar, self._numbers)
        form = form_layout()
        form.addRow(form_label("Device", self.device), self.device)
        form.addRow("", self._needs)
        form.addRow(form_label("Result", self.place), self.place)
        form.setRowVisible(self.place, False)
        self._form = form
        self.body.addLayout(form)
        self.body.addWidget(self.message)
        self.body.addLayout(row(self.preview, self.run))
        told = row(self._status, self.save_curves)
        told.setStretch(0, 1)
        self.body.addLayout(told)
        now = row(self._stage, self._left)
        now.setStretch(0, 1)
        self.body.addLayout(now)
        self.body.addWidget(self.bar)
        self.body.addWidget(self._numbers)
        self.body.addWidget(self._news)
        self.body.addLayout(row(self.pause, self.resume, self.stop, self.discard))
        self.body.addWidget(self.curves)
        self.curves.hide()
        self.save_curves.hide()
        for push, signal in (
            (self.preview, self.previewed),
            (self.run, self.ran),
            (self.pause, self.paused),
            (self.resume, self.resumed),
            (self.stop, self.stopped),
            (self.discard, self.discarded),
            (self.save_curves, self.curvesWanted),
        ):
            push.clicked.connect(lambda *_, signal=signal: signal.emit())
        self.device.valueChanged.connect(self.deviceChanged.emit)

    def show_look(self, look: Look) -> None:
        """Enable, show and name things as ``look`` says."""
        window = self.window()
        held = window.focusWidget() if window is not None else None
        self.device.setEnabled(look.can_edit)
        self.place.setEnabled(look.can_edit)
        self.preview.setEnabled(look.can_preview)
        self.run.setEnabled(look.can_run)
        self.pause.setEnabled(look.can_pause)
        self.stop.setEnabled(look.can_stop)
        self.discard.setEnabled(look.can_discard)
        for widget in (*self._progress, self.stop, self.discard):
            widget.setVisible(look.shows_progress)
        self.pause.setVisible(look.shows_progress and not look.shows_resume)
        self.resume.setVisible(look.shows_resume)
        self.save_curves.setVisible(self.curves.isVisibleTo(self) and not look.shows_progress)
        self._status.setText(look.text)
        # A message says more than the state, and while it runs the progress does.
        said = self.message.level is not None or (look.can_pause and look.shows_progress)
        self._status.setVisible(not said)
        if held in (*self._buttons, self.bar) and not (held.isEnabled() and held.isVisible()):
            self._hand_on()

    def _hand_on(self) -> None:
        """Give the keys to what comes next; Qt would take them out of the card.

        Never to *Discard*: who presses a key twice means the button that is gone.
        """
        for push in (self.pause, self.resume, self.run):
            if push.isEnabled() and push.isVisible():
                push.setFocus()
                return
        self.bar.setFocus()

    def show_facts(self, facts: Facts) -> None:
        """Show how far the work is."""
        part = f" ({facts.part + 1} of {facts.parts})" if facts.parts > 1 else ""
        self._stage.setText(f"{facts.stage or 'Starting'}{part}")
        left = f"{duration(facts.seconds_left)} left" if facts.seconds_left is not None else ""
        self._left.setText(left)
        # An unknown length is shown as a bar that moves, not as one that stands at zero.
        known = bool(facts.total) or facts.part > 0
        self.bar.setRange(0, 1000 if known else 0)
        self.bar.setValue(round(1000 * facts.fraction))
        numbers = [f"step {facts.step} / {facts.total}"] if facts.total else []
        if facts.loss is not None:
            numbers.append(f"loss {facts.loss:.3g}")
        if facts.score is not None:
            numbers.append(f"held-out {facts.score:.3g}")
        self._numbers.setText("   ".join(numbers))
        # What the methods tell of themselves: a weight they chose, pixels they repaired.
        told = dict.fromkeys(n.message for n in facts.notices if n.level == "info")
        self._news.setText("\n".join(list(told)[-_NEWS:]))
        self._news.setVisible(bool(told))
        if len(facts.losses) > 1:
            self.curves.show()
            self.curves.show_curves(facts.losses, facts.scores)

    def show_memory(self, needed: int | None, free: int) -> None:
        """Show what the run needs and what there is."""
        if needed is None:
            self._needs.setText("")
            return
        text = f"needs {readable_bytes(needed)} of {readable_bytes(free)}"
        self._needs.setText(f"⚠ {text}" if needed > free else text)

    def offer_disk(self, offered: bool) -> None:
        """Offer to write results to disk, where that helps or was chosen."""
        self._form.setRowVisible(self.place, offered or bool(self.place.value()))

    def hide_curves(self) -> None:
        """Make room for what is being set."""
        self.curves.hide()
        self.save_curves.hide()

    def forget(self) -> None:
        """Begin with an empty plot and no message."""
        self.message.clear()
        self.curves.prepare()
        self.hide_curves()
        self.bar.setRange(0, 0)
        self._numbers.setText("")
        self._news.hide()
        self._left.setText("")
        self._stage.setText("Starting")
