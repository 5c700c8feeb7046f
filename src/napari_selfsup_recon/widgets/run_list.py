"""The list of the runs of a viewer: thumbnail, name, and how the run went."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.run_log import SIDE, Run
from napari_selfsup_recon.widgets.texts import TEXTS


class RunList(QListWidget):
    """Shows runs and lets one be chosen.

    Attributes
    ----------
    chosen
        Emitted when another run is chosen.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[Run, ...] = ()
        self.setIconSize(QSize(SIDE, SIDE))
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(3 * SIDE)
        describe(self, *TEXTS["runs"])
        self.currentRowChanged.connect(lambda _: self.chosen.emit())

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that are shown."""
        return self._runs

    @property
    def run(self) -> Run | None:
        """The chosen run."""
        row = self.currentRow()
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def show_runs(self, runs: Sequence[Run], choose: Run | None = None) -> None:
        """Show ``runs``; ``choose`` one, else the choice stays as long as its run does."""
        before = self.run
        wanted = choose or before
        with QSignalBlocker(self):
            self.clear()
            self._runs = tuple(runs)
            for run in self._runs:
                self.addItem(_item(run))
            known = [n for n, run in enumerate(self._runs) if run is wanted]
            self.setCurrentRow(known[0] if known else 0 if self._runs else -1)
        if self.run is not before:
            self.chosen.emit()


def _item(run: Run) -> QListWidgetItem:
    # Lines break between facts, not between a number and its unit.
    words = run.words.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
    item = QListWidgetItem(_icon(run), f"{run.title}\n{words}")
    item.setToolTip(f"<qt>{run.title}<br>{run.words}<br>{_origin(run)}</qt>")
    item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{run.title}: {run.words}")
    return item


def _origin(run: Run) -> str:
    """Return what it was made from, and when."""
    source = run.story.get("source", {}).get("name", "")
    made = str(run.story.get("created", "")).replace("T", " ").split("+")[0]
    return ", ".join(part for part in (f"from {source}" if source else "", made) if part)


def _icon(run: Run) -> QIcon:
    pixmap = QPixmap(SIDE, SIDE)
    pixmap.fill(Qt.GlobalColor.transparent)
    if run.thumbnail is not None:
        height, width = run.thumbnail.shape
        image = QImage(
            run.thumbnail.tobytes(), width, height, width, QImage.Format.Format_Grayscale8
        )
        pixmap = QPixmap.fromImage(image).scaled(
            SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
        )
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else it is tinted
    return icon
