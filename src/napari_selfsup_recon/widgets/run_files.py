"""What of a run goes to files and comes from them: the buttons of the dock of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.io.curves import Mark, write_curves
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.message import MessageCard
from napari_selfsup_recon.widgets.model_files import export_run, load_run, save_run
from napari_selfsup_recon.widgets.parts import button, row
from napari_selfsup_recon.widgets.rerun import image_of_run, source_for
from napari_selfsup_recon.widgets.run_list import RunList
from napari_selfsup_recon.widgets.run_log import Run
from napari_selfsup_recon.widgets.saved_runs import Opened, gather, open_folder, save_folder, show
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.texts import TEXTS

_KIND, _TABLE = "Trained model (*.nsr)", "Table (*.csv)"
_PACKAGE = "Package of the BioImage Model Zoo (*.zip)"


class RunFiles(QWidget):
    """Saves and opens runs and models; what happens is told on a message card.

    Parameters
    ----------
    viewer
        The napari viewer.
    runs
        The list, in which one is chosen.
    message
        Where is told how it went.
    background
        Reads and writes.
    """

    def __init__(
        self,
        viewer: Any,
        runs: RunList,
        message: MessageCard,
        background: Background,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._session = Session.of(viewer)
        self._list, self._message, self._background = runs, message, background
        self.save_run = button("&Save run ...", *TEXTS["save run"])
        self.open_run = button("&Open run ...", *TEXTS["open run"])
        self.load = button("&Load model ...", *TEXTS["load model"])
        self.forget = button("&Forget", *TEXTS["forget run"])
        self.curves = button("Save &curves as CSV ...", *TEXTS["save curves"])
        self.zoo = button("Export for the Model &Zoo ...", *TEXTS["export zoo"])
        self.zoo.clicked.connect(lambda *_: self.ask_export())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.save_run, self.open_run))
        column.addLayout(row(self.load, self.forget))
        self.curves.clicked.connect(lambda *_: self.ask_save_curves())
        self.save_run.clicked.connect(lambda *_: self.ask_save_run())
        self.open_run.clicked.connect(lambda *_: self.ask_open_run())
        self.load.clicked.connect(lambda *_: self.ask_load())

    def ask_save_run(self) -> None:
        """Ask where to save the chosen run."""
        run = self._list.run
        if run is not None:
            name, _ = QFileDialog.getSaveFileName(self, "Save the run as a folder", run.title)
            if name:
                self.save_run_to(Path(name))

    def save_run_to(self, path: Path) -> None:
        """Write the chosen run as a folder, which must not exist yet."""
        run = self._list.run
        if run is None:
            return

        def done(found: tuple[Path, list[str]]) -> None:
            folder, notes = found
            told = " ".join([f"Saved the run as {folder.name}.", *notes])
            self._message.tell("warning" if notes else "info", told)

        self._message.clear()
        try:
            gathered = gather(run)
        except ReconError as error:
            self._on_failed(error)
            return
        self._background.start(lambda: save_folder(gathered, path), done, self._on_failed)

    def ask_open_run(self) -> None:
        """Ask which run to open."""
        name = QFileDialog.getExistingDirectory(self, "Open the folder of a saved run")
        if name:
            self.open_run_from(Path(name))

    def open_run_from(self, path: Path) -> None:
        """Bring back the layers of a saved run, and list it."""

        def done(opened: Opened) -> None:
            try:
                run = show(self._viewer, opened)
            except ReconError as error:
                self._on_failed(error)
                return
            self._list.show_runs(self._session.log.runs, choose=run)
            told = " ".join([f"Opened {run.title}.", *opened.notes])
            self._message.tell("warning" if opened.notes else "info", told)

        self._message.clear()
        self._background.start(lambda: open_folder(path), done, self._on_failed)

    def ask_save_curves(self) -> None:
        """Ask where to save the curves of the chosen run."""
        run = self._list.run
        if run is not None:
            ask_for_curves(self, run.title, run.curves, self._message)

    def ask_save(self) -> None:
        """Ask where to save the model of the chosen run."""
        run = self._list.run
        if run is None:
            return
        name, _ = QFileDialog.getSaveFileName(self, "Save the model", f"{run.title}.nsr", _KIND)
        if name:
            # Where the ending is missing, nobody was asked whether that file may be replaced.
            self.save_to(Path(name), overwrite=Path(name).suffix.lower() == ".nsr")

    def save_to(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the model of the chosen run."""
        run = self._list.run
        if run is None:
            return
        if path.suffix.lower() != ".nsr":
            path = path.with_name(f"{path.name}.nsr")

        def done(written: list[Path]) -> None:
            self._message.tell("info", f"Saved {', '.join(file.name for file in written)}.")

        self._message.clear()
        self._background.start(
            lambda: save_run(run, path, overwrite=overwrite), done, self._on_failed
        )

    def ask_export(self) -> None:
        """Ask where to export the model of the chosen run."""
        run = self._list.run
        if run is not None:
            name, _ = QFileDialog.getSaveFileName(
                self, "Export for the BioImage Model Zoo", f"{run.title}.zip", _PACKAGE
            )
            if name:
                self.export_to(Path(name))

    def export_to(self, path: Path) -> None:
        """Write the model of the chosen run as a package, which must not exist yet."""
        run = self._list.run
        layer = image_of_run(run) if run is not None else None
        if run is None or layer is None:
            return

        def done(written: Path) -> None:
            self._message.tell("info", f"Saved {written.name}; it is valid.")

        self._message.clear()
        try:
            image = source_for(run, layer, self._viewer).measurement
        except ReconError as error:
            self._on_failed(error)
            return
        self._background.start(lambda: export_run(run, image, path), done, self._on_failed)

    def ask_load(self) -> None:
        """Ask which model to load."""
        name, _ = QFileDialog.getOpenFileName(self, "Load a model", "", _KIND)
        if name:
            self.load_from(Path(name))

    def load_from(self, path: Path) -> None:
        """Add the model of a file to the list."""

        def done(run: Run) -> None:
            self._session.log.add(run)
            self._list.show_runs(self._session.log.runs, choose=run)
            self._message.tell("info", f"Loaded {run.name}.")

        self._message.clear()
        self._background.start(lambda: load_run(path), done, self._on_failed)

    def _on_failed(self, error: ReconError) -> None:
        self._message.tell("error", str(error))


def ask_for_curves(
    parent: QWidget, name: str, curves: Sequence[Mark], message: MessageCard
) -> Path | None:
    """Ask for a file, write the curves to it, and tell how it went; returns the file."""
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save the curves", f"{name}.csv", _TABLE)
    if not chosen:
        return None
    try:
        # Where the ending is missing, nobody was asked whether that file may be replaced.
        path = write_curves(chosen, curves, overwrite=bool(Path(chosen).suffix))
    except ReconError as error:
        message.tell("error", str(error))
        return None
    message.tell("info", f"Saved {path.name}.")
    return path
