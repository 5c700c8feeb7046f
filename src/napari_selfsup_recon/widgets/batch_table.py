"""The files of a batch and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_selfsup_recon.runs.batch.events import RowReport, RowState
from napari_selfsup_recon.runs.batch.rows import Input
from napari_selfsup_recon.widgets._humanize import duration
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS

# The word tells; the sign only helps the eye.
SIGNS = {
    RowState.WAITING: "·",
    RowState.RUNNING: "▶",
    RowState.DONE: "✓",
    RowState.EXISTS: "=",
    RowState.FAILED: "✗",
}


class BatchTable(QTableWidget):
    """One row a file.

    Attributes
    ----------
    rowChosen
        Emitted when the selection changed.
    rowOpened
        Emitted with the number of a row that was double-clicked or on which Return was pressed.
    removeWanted
        Emitted when Delete was pressed.
    """

    rowChosen = Signal()
    rowOpened = Signal(int)
    removeWanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self.setHorizontalHeaderLabels(["File", "State"])
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setMinimumHeight(140)
        describe(self, *TEXTS["batch files"])
        upright = self.verticalHeader()
        if upright is not None:
            upright.hide()
            upright.setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.itemSelectionChanged.connect(self.rowChosen)
        self.cellDoubleClicked.connect(lambda row, _: self.rowOpened.emit(row))

    def show_rows(self, inputs: Sequence[Input], reports: Mapping[Input, RowReport]) -> None:
        """Fill the table."""
        self.setRowCount(len(inputs))
        for row, one in enumerate(inputs):
            item = QTableWidgetItem(one.name)
            item.setToolTip(str(one.path))
            self.setItem(row, 0, item)
            self.show_report(row, reports.get(one, RowReport()))

    def show_report(self, row: int, report: RowReport) -> None:
        """Show where one row stands."""
        took = f", {duration(report.seconds)}" if report.state is RowState.DONE else ""
        item = QTableWidgetItem(f"{SIGNS[report.state]} {report.state}{took}")
        item.setToolTip(" ".join([report.message, report.hint]).strip() or str(report.state))
        self.setItem(row, 1, item)

    def chosen(self) -> list[int]:
        """Return the numbers of the selected rows."""
        model = self.selectionModel()
        return [] if model is None else sorted(index.row() for index in model.selectedRows())

    def keyPressEvent(self, event: Any) -> None:
        """Open with Return, remove with Delete."""
        rows = self.chosen()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and rows:
            self.rowOpened.emit(rows[0])
        elif event.key() == Qt.Key.Key_Delete and rows:
            self.removeWanted.emit()
        else:
            super().keyPressEvent(event)
