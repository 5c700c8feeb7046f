"""The card of the dock Batch that holds the files."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.io.volumes import ENDINGS
from napari_selfsup_recon.runs.batch.events import RowReport
from napari_selfsup_recon.runs.batch.files import images_in
from napari_selfsup_recon.runs.batch.parts import Part, parts_of
from napari_selfsup_recon.runs.batch.rows import Input
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.batch_table import BatchTable
from napari_selfsup_recon.widgets.parts import (
    Card,
    button,
    describe,
    form_label,
    form_layout,
    may_shrink,
    row,
)
from napari_selfsup_recon.widgets.texts import TEXTS

_EACH = ("file", "scene", "time", "channel")


class FilesCard(Card):
    """A table of files with what is known of them.

    Attributes
    ----------
    inputs
        What is read, in the order of the rows.
    reports
        Where each of them stands; an input that is not there waits.
    changed
        Emitted when files were added or removed.
    refused
        Emitted with what is wrong with what was added.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("1  Files", parent)
        self.inputs: list[Input] = []
        self.reports: dict[Input, RowReport] = {}
        self._background = Background(self)
        self.table = BatchTable()
        self.each = QComboBox()
        for word in _EACH:
            self.each.addItem(f"each {word} that is added", word)
        guard_wheel(self.each)
        may_shrink(self.each)
        describe(self.each, *TEXTS["batch each"])
        self.pattern = QLineEdit("*")
        describe(self.pattern, *TEXTS["batch pattern"])
        self.add = button("&Add files", *TEXTS["batch add"])
        self.add_folder = button("Add &folder", *TEXTS["batch add folder"])
        self.remove = button("Re&move", *TEXTS["batch remove"])
        self.clear = button("&Clear", *TEXTS["batch clear"])
        form = form_layout()
        form.addRow(form_label("A row for", self.each), self.each)
        form.addRow(form_label("Pattern", self.pattern), self.pattern)
        # Two and two: four in a row would be cut in a narrow dock.
        self.body.addLayout(form)
        self.body.addLayout(row(self.add, self.add_folder))
        self.body.addWidget(self.table, 1)
        self.body.addLayout(row(self.remove, self.clear))
        self.add.clicked.connect(lambda *_: self._ask_files())
        self.add_folder.clicked.connect(lambda *_: self._ask_folder())
        self.remove.clicked.connect(lambda *_: self.drop(self.table.chosen()))
        self.clear.clicked.connect(lambda *_: self.drop(range(len(self.inputs))))
        self.table.removeWanted.connect(lambda: self.drop(self.table.chosen()))
        self.table.rowChosen.connect(self._show_buttons)
        self._locked = False
        self._show_buttons()

    def add_paths(self, paths: Sequence[Path]) -> None:
        """Add files; those that are there already count once."""
        by = self.each.currentData()
        if by == "file":
            self._take([Input(path) for path in paths])
            return

        def work() -> Generator[str, None, Any]:
            found: list[Input] = []
            for path in paths:
                yield f"Reading {path.name}"
                found += parts_of(path, (cast(Part, by),))
            return found

        self._background.start(work, self._take, lambda error: self.refused.emit(str(error)))

    def add_from(self, folder: Path) -> None:
        """Add the images of a folder whose names are like the pattern."""
        try:
            zarr = folder.suffix.lower() == ".zarr"
            self.add_paths([folder] if zarr else images_in(folder, self.pattern.text().strip()))
        except ReconError as error:
            self.refused.emit(str(error))

    def drop(self, rows: Sequence[int]) -> None:
        """Take rows out of the table; files stay where they are."""
        if self._locked:
            return
        gone = set(rows)
        self.setValue([one for n, one in enumerate(self.inputs) if n not in gone])

    def value(self) -> list[Input]:
        """Return what is read."""
        return list(self.inputs)

    def setValue(self, inputs: Sequence[Input]) -> None:
        """Show these rows; what is known of them is kept."""
        self.inputs = list(inputs)
        self.reports = {one: r for one, r in self.reports.items() if one in set(self.inputs)}
        self.table.show_rows(self.inputs, self.reports)
        self._show_buttons()
        self.changed.emit()

    def show_report(self, one: Input, report: RowReport) -> None:
        """Show where a row stands."""
        self.reports[one] = report
        if one in self.inputs:
            self.table.show_report(self.inputs.index(one), report)

    def lock(self, locked: bool) -> None:
        """Let nothing be added or removed while it runs."""
        self._locked = locked
        self._show_buttons()

    def _take(self, inputs: Sequence[Input]) -> None:
        known = dict.fromkeys((*self.inputs, *inputs))
        self.setValue(list(known))

    def _show_buttons(self) -> None:
        free = not self._locked
        for widget in (self.add, self.add_folder, self.each, self.pattern):
            widget.setEnabled(free)
        self.remove.setEnabled(free and bool(self.table.chosen()))
        self.clear.setEnabled(free and bool(self.inputs))

    def _ask_files(self) -> None:
        kinds = " ".join(f"*{ending}" for ending in ENDINGS if ending != ".zarr")
        names, _ = QFileDialog.getOpenFileNames(self, "Add images", "", f"Images ({kinds})")
        if names:
            self.add_paths([Path(name) for name in names])

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Add the images of a folder, or a .zarr")
        if name:
            self.add_from(Path(name))
