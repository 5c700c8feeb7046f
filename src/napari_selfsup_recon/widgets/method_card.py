"""Card 3: how the image is restored."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QWidget

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.instruments import LABELS, SCANS, Instrument
from napari_selfsup_recon.runs.suits import suited
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.choices import MethodChoice, default_options
from napari_selfsup_recon.widgets.clean_row import CleanRow
from napari_selfsup_recon.widgets.options_form import OptionsForm
from napari_selfsup_recon.widgets.parts import (
    Card,
    button,
    describe,
    note,
    order_tabs,
    row,
    tab_stops,
)
from napari_selfsup_recon.widgets.texts import TEXTS

_HOW_LONG = "How &long here?"
_VERBS = {"deconvolve": "sharpen", "denoise": "denoise", "reconstruct": "reconstruct"}


class MethodCard(Card):
    """Chooses a :class:`~napari_selfsup_recon.widgets.choices.MethodChoice`.

    What was set for a method is kept while another one is looked at.

    Attributes
    ----------
    valueChanged
        Emitted when a person changed it.
    verdictWanted
        Emitted when a person asks what the method can learn at all.
    timesWanted
        Emitted when a person asks how long the methods take; answered with :meth:`show_times`.
    """

    valueChanged = Signal()
    verdictWanted = Signal()
    timesWanted = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("3  Method", parent)
        self._task = ""
        self._instrument: Instrument = "blur"
        self._wanted: dict[str, bool] = {}  # whether a task begins with a baseline
        self._kept: dict[str, Options] = {}
        self._form: OptionsForm | None = None
        self._form_key = ""
        self._baseline_form: OptionsForm | None = None
        self._baseline_key = ""
        self.method = QComboBox()
        guard_wheel(self.method)
        describe(self.method, *TEXTS["method"])
        self._summary = note()
        self._place, self._baseline_place = QWidget(), QWidget()
        self.baseline = QCheckBox("First run")
        self.baseline.setChecked(True)
        describe(self.baseline, *TEXTS["baseline"])
        self.rival = QComboBox()
        guard_wheel(self.rival)
        describe(self.rival, *TEXTS["rival"])
        self.trust = QCheckBox("Also show what to trust")
        describe(self.trust, *TEXTS["trust"])
        self.clean = CleanRow(viewer)
        self.clean.hide()
        self.meter = button("&What can be learned?", *TEXTS["meter"])
        self.clock = button(_HOW_LONG, *TEXTS["times"])
        self._times: Mapping[str, str] = {}
        self._verdict = note()
        self._verdict.hide()
        self._rivals = row(self.baseline, self.rival)
        self._rivals.setStretch(1, 1)
        for widget in (self.method, self._summary, self._place):
            self.body.addWidget(widget)
        self.body.insertWidget(self.body.indexOf(self._place), self.clean)
        self.body.addWidget(self.clock)
        self.body.addWidget(self.meter)
        self.body.addWidget(self._verdict)
        self.body.addLayout(self._rivals)
        self.body.addWidget(self._baseline_place)
        self.body.addWidget(self.trust)
        self.clean.valueChanged.connect(self.valueChanged.emit)
        self.meter.clicked.connect(lambda *_: self.verdictWanted.emit())
        self.clock.clicked.connect(lambda *_: self.timesWanted.emit())
        self.method.currentIndexChanged.connect(self._on_method)
        self.baseline.toggled.connect(self._on_baseline)
        self.rival.currentIndexChanged.connect(self._on_method)
        self.set_task("deconvolve")

    @property
    def form(self) -> OptionsForm:
        """The form of the chosen method."""
        assert self._form is not None
        return self._form

    def value(self) -> MethodChoice:
        """Return what is chosen.

        Raises
        ------
        InputError
            If options do not fit each other.
        """
        baseline = self._baseline_key if self._wants_baseline else None
        return MethodChoice(
            key=self._form_key,
            options=self.form.value(),
            baseline=baseline,
            baseline_options=self._baseline_form.value()
            if baseline and self._baseline_form
            else None,
            trust=self.trust.isChecked() and not self.trust.isHidden(),
            clean=self.clean.value() if self._entry().clean else None,
        )

    def setValue(self, choice: MethodChoice) -> None:
        """Show ``choice``, as far as it serves the task."""
        self._kept[choice.key] = choice.options
        if choice.baseline is not None and choice.baseline_options is not None:
            self._kept[choice.baseline] = choice.baseline_options
        self.trust.setChecked(choice.trust)
        if choice.clean is not None:
            self.clean.setValue(choice.clean)
        with QSignalBlocker(self.baseline), QSignalBlocker(self.rival):
            self.baseline.setChecked(choice.baseline is not None)
            self.rival.setCurrentIndex(max(0, self.rival.findData(choice.baseline)))
        index = self.method.findData(choice.key)
        if index >= 0:
            with QSignalBlocker(self.method):
                self.method.setCurrentIndex(index)
        if self.method.currentData() != self._form_key:
            self._form_key = ""
        if self.rival.currentData() != self._baseline_key:
            self._baseline_key = ""
        self._build()
        for key, form in (
            (self._form_key, self._form),
            (self._baseline_key, self._baseline_form),
        ):
            if form is not None and key in self._kept:
                form.setValue(self._kept[key])

    def set_task(self, task: str, instrument: Instrument = "blur") -> None:
        """Offer the methods that serve ``task``, and what ``instrument`` measures."""
        rebuild = task == "reconstruct"
        if task == self._task and (instrument == self._instrument or not rebuild):
            return
        if self._task:
            self._wanted[self._task] = self.baseline.isChecked()
        self._task, self._instrument = task, instrument
        with QSignalBlocker(self.baseline):
            self.baseline.setChecked(self._wanted.get(task, task != "denoise"))
        if rebuild:
            _offer(self.method, suited(instrument), "ei", why=_why(task, instrument))
            first = "filtered-back-projection" if instrument in SCANS else "least-squares"
            _offer(self.rival, suited(instrument, learned=False), first)
        else:
            _offer(self.method, METHODS.for_task(task), why=_why(task, instrument))
            _offer(self.rival, METHODS.for_task(task, learned=False))
        self._build()

    def offered(self) -> dict[str, MethodChoice]:
        """Return what would be run with each method that can be chosen, the chosen one first.

        Raises
        ------
        InputError
            If options of the chosen one do not fit each other.
        """
        keys = [self._form_key, *(self.method.itemData(i) for i in range(self.method.count()))]
        found: dict[str, MethodChoice] = {}
        for key in filter(None, keys):
            options = self.form.value() if key == self._form_key else self._kept.get(key)
            clean = self.clean.value() if METHODS.find(key).clean else None
            found.setdefault(
                key, MethodChoice(key, options or default_options(key), None, clean=clean)
            )
        return found

    def show_times(
        self, times: Mapping[str, str], reasons: Mapping[str, str], measuring: str = ""
    ) -> None:
        """Show how long methods take, why some could not be measured, and which one is."""
        self._times = times
        self.clock.setEnabled(not measuring)
        self.clock.setText(f"Measuring {measuring} ..." if measuring else _HOW_LONG)
        for box in (self.method, self.rival):
            for index in range(box.count()):
                key = box.itemData(index)
                if key is not None:
                    entry = METHODS.find(key)
                    more = f", {times[key]}" if key in times else ""
                    box.setItemText(index, entry.label + more)
                    tip = f"{_about(entry)}{_lasts(entry, times.get(key))}"
                    if key in reasons:
                        tip += f" Its time could not be measured: {_lower(reasons[key])}"
                    box.setItemData(index, f"<qt>{tip}</qt>", Qt.ItemDataRole.ToolTipRole)
        self._show_summary()

    def _show_summary(self) -> None:
        entry = self._entry()
        self._summary.setText(_about(entry) + _lasts(entry, self._times.get(entry.key)))

    def show_verdict(self, text: str) -> None:
        """Show what can be learned; nothing where ``text`` is empty."""
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))

    @property
    def _wants_baseline(self) -> bool:
        return self.baseline.isChecked() and not self.baseline.isHidden()

    def _entry(self) -> Entry:
        return METHODS.find(self.method.currentData())

    def _on_method(self, _: int) -> None:
        self._build()
        self.valueChanged.emit()

    def _on_baseline(self, wanted: bool) -> None:
        self._baseline_place.setVisible(wanted and not self.baseline.isHidden())
        self.rival.setEnabled(wanted)
        self.valueChanged.emit()

    def _build(self) -> None:
        """Put the forms of the chosen methods in place."""
        entry = self._entry()
        self._show_summary()
        if entry.key != self._form_key:
            self._keep(self._form_key, self._form)
            self._form = self._replace(entry, self._form, self._place)
            self._form_key = entry.key
            self._place = self._form
        self.clean.setVisible(entry.clean)
        self.trust.setVisible(entry.learned and self._task == "reconstruct")
        self.meter.setVisible(entry.learned and self._task == "reconstruct")
        rivals = entry.learned and self.rival.count() > 0
        self.baseline.setVisible(rivals)
        self.rival.setVisible(rivals)
        self.rival.setEnabled(self.baseline.isChecked())
        if rivals:
            rival = METHODS.find(self.rival.currentData())
            if rival.key != self._baseline_key:
                self._keep(self._baseline_key, self._baseline_form)
                self._baseline_form = self._replace(
                    rival, self._baseline_form, self._baseline_place
                )
                self._baseline_key = rival.key
                self._baseline_place = self._baseline_form
        self._baseline_place.setVisible(rivals and self.baseline.isChecked())
        order_tabs(
            (
                *(self.method, *self.clean.stops),
                *tab_stops(self._place),
                *(self.clock, self.meter, self.baseline, self.rival),
                *tab_stops(self._baseline_place),
                self.trust,
            )
        )

    def _replace(self, entry: Entry, old: OptionsForm | None, place: QWidget) -> OptionsForm:
        form = OptionsForm(entry.load_options(), hidden=("device",))
        if entry.key in self._kept:
            form.setValue(self._kept[entry.key])
        form.valueChanged.connect(lambda _: self.valueChanged.emit())
        self.body.replaceWidget(place, form)
        place.setParent(None)
        place.deleteLater()
        return form

    def _keep(self, key: str, form: OptionsForm | None) -> None:
        if key and form is not None:
            with suppress(InputError):  # what does not fit is not worth keeping
                self._kept[key] = form.value()


def _why(task: str, instrument: Instrument) -> dict[str, str]:
    """Return the methods that cannot be chosen, and why."""
    found: dict[str, str] = {}
    for entry in METHODS.values():
        if entry.tasks and task not in entry.tasks:
            found[entry.key] = f"Cannot {_VERBS[task]}: it is for {_those(entry.tasks)}."
        elif entry.tasks and task == "reconstruct" and entry not in suited(instrument):
            found[entry.key] = f"Does not fit {LABELS[instrument]!r}. Needs: {_lower(entry.needs)}"
    return found


def _those(tasks: tuple[str, ...]) -> str:
    return " and ".join(f"{_VERBS[task]}ing".replace("eing", "ing") for task in tasks)


def _offer(
    box: QComboBox,
    entries: tuple[Entry, ...],
    first: str = "",
    *,
    why: Mapping[str, str] | None = None,
) -> None:
    """Fill a box with methods; the one that was chosen stays, if it is among them.

    Those in ``why`` follow, greyed out, with the reason as their tooltip.
    """
    before = box.currentData()
    if before not in [entry.key for entry in entries]:
        before = first
    with QSignalBlocker(box):
        box.clear()
        for entry in entries:
            box.addItem(entry.label, entry.key)
            tip = f"<qt>{_about(entry)}</qt>"
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        model = box.model()
        for key, reason in (why or {}).items():
            box.addItem(METHODS.find(key).label)  # without its key nothing can choose it
            box.setItemData(box.count() - 1, f"<qt>{reason}</qt>", Qt.ItemDataRole.ToolTipRole)
            item = model.item(box.count() - 1) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(False)
        box.setCurrentIndex(max(0, box.findData(before)))


def _about(entry: Entry) -> str:
    """Return what a method is best for, and what it needs."""
    return f"{entry.summary} Needs: {_lower(entry.needs)}"


def _lasts(entry: Entry, time: str | None) -> str:
    """Return how long it takes, as a sentence; nothing where that is not known."""
    if time is None:
        return ""
    return (
        f" Here: {time} of training, if it does not end earlier."
        if entry.learned
        else f" Here: {time}."
    )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
