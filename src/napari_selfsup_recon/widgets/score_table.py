"""The scores of compared images as a table."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.scores import Score
from napari_selfsup_recon.widgets.texts import TEXTS

# field -> heading, format, whether more is better
_COLUMNS: dict[str, tuple[str, str]] = {
    "total": ("Sum", ".2f"),
    "negative": ("Below 0", ".1%"),
    "misfit": ("Misfit", ".3g"),
    "structure": ("Structure", ".3f"),
    "psnr": ("PSNR dB", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "nrmse": ("NRMSE", ".3f"),
    "resolution": ("resolution", ""),
}
_ALWAYS = ("total", "negative")


class ScoreTable(QTableWidget):
    """One row an image; columns that say nothing are left out. Ctrl+C copies all of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        describe(self, *TEXTS["scores"])
        self.hide()

    def show_scores(self, scores: Sequence[Score]) -> None:
        """Fill the table."""
        fields = [
            key
            for key in _COLUMNS
            if key in _ALWAYS or any(getattr(score, key) is not None for score in scores)
        ]
        # Images are columns: a dock is narrow and high, and names are long.
        self.setRowCount(len(fields))
        self.setColumnCount(len(scores))
        self.setVerticalHeaderLabels([_heading(key, scores) for key in fields])
        self.setHorizontalHeaderLabels([score.name for score in scores])
        for column, score in enumerate(scores):
            for line, key in enumerate(fields):
                value = getattr(score, key)
                text = "-" if value is None else format(value, _COLUMNS[key][1])
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(line, column, item)
            heading = self.horizontalHeaderItem(column)
            if heading is not None:
                heading.setToolTip(score.name)
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._fit()
        self.show()

    def text(self) -> str:
        """Return the table with tabs between its cells."""
        heads = [self._head(column) for column in range(self.columnCount())]
        lines = ["\t".join(["", *heads])]
        for line in range(self.rowCount()):
            title = self.verticalHeaderItem(line)
            cells = [self.item(line, column) for column in range(self.columnCount())]
            lines.append(
                "\t".join([title.text() if title else "", *(c.text() if c else "" for c in cells)])
            )
        return "\n".join(lines)

    def keyPressEvent(self, event: object) -> None:
        """Copy the table with Ctrl+C."""
        from qtpy.QtGui import QKeyEvent, QKeySequence

        clipboard = QApplication.clipboard()
        if (
            isinstance(event, QKeyEvent)
            and event.matches(QKeySequence.StandardKey.Copy)
            and clipboard is not None
        ):
            clipboard.setText(self.text())
            return
        super().keyPressEvent(event)  # type: ignore[arg-type]

    def _head(self, column: int) -> str:
        item = self.horizontalHeaderItem(column)
        return item.text() if item is not None else ""

    def _fit(self) -> None:
        header = self.horizontalHeader()
        height = (header.sizeHint().height() if header is not None else 24) + 4
        height += sum(self.rowHeight(line) for line in range(self.rowCount()))
        self.setFixedHeight(height)


def _heading(key: str, scores: Sequence[Score]) -> str:
    """Return the heading of a row; of the resolution it says how it was found."""
    kinds = [score.resolution.kind for score in scores if score.resolution is not None]
    head = _COLUMNS[key][0]
    return f"{kinds[0]} {head}" if key == "resolution" else head
