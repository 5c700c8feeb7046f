"""The card of the dock Batch that says what is run and where results go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit, QToolButton, QWidget

from napari_selfsup_recon.core.errors import FileError, InputError, ReconError
from napari_selfsup_recon.runs.batch.rows import ENDING
from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.batch_settings import (
    Settings,
    settings_of_dock,
    settings_of_file,
)
from napari_selfsup_recon.widgets.parts import (
    Card,
    button,
    describe,
    form_label,
    form_layout,
    may_shrink,
    note,
    row,
)
from napari_selfsup_recon.widgets.texts import TEXTS

_ENDINGS = (ENDING, ".ome.zarr", ".npy")


class BatchCard(Card):
    """Chooses the run, the folder and the format.

    Parameters
    ----------
    viewer
        The napari viewer.

    Attributes
    ----------
    told
        Emitted with what was done, or what went wrong, as a sentence.
    """

    told = Signal(str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("2  Run and results", parent)
        self._viewer = viewer
        self.source = QComboBox()
        self.source.addItem("what the main dock says", "dock")
        self.source.addItem("a run in a file", "file")
        guard_wheel(self.source)
        describe(self.source, *TEXTS["batch run"])
        self.path, self._browse = QLineEdit(), QToolButton()
        self.path.setPlaceholderText("run.toml")
        describe(self.path, *TEXTS["batch toml"])
        self._words = note()
        self.save = button("&Save run.toml", *TEXTS["batch save"])
        self.folder, self._look = QLineEdit(), QToolButton()
        self.folder.setPlaceholderText("beside the files")
        describe(self.folder, *TEXTS["batch folder"])
        self.ending = QComboBox()
        self.ending.addItems(_ENDINGS)
        guard_wheel(self.ending)
        describe(self.ending, *TEXTS["batch format"])
        self.overwrite = QCheckBox("Make results anew that exist")
        describe(self.overwrite, *TEXTS["batch overwrite"])
        for tool, name in ((self._browse, "batch toml"), (self._look, "batch folder")):
            tool.setText("...")
            describe(tool, f"Choose: {TEXTS[name][0]}", TEXTS[name][1])
        for box in (self.source, self.ending):
            may_shrink(box)
        form = form_layout()
        form.addRow(form_label("Run", self.source), self.source)
        form.addRow("", row(self.path, self._browse))
        form.addRow("", self._words)
        form.addRow("", self.save)
        form.addRow(form_label("Results", self.folder), row(self.folder, self._look))
        form.addRow(form_label("Format", self.ending), self.ending)
        self.body.addLayout(form)
        self.body.addWidget(self.overwrite)
        self.source.currentIndexChanged.connect(lambda _: self.refresh())
        self.path.editingFinished.connect(self.refresh)
        self._browse.clicked.connect(lambda *_: self._ask_run())
        self._look.clicked.connect(lambda *_: self._ask_folder())
        self.save.clicked.connect(lambda *_: self._ask_where())
        self.refresh()

    def settings(self) -> Settings:
        """Return what is run.

        Raises
        ------
        InputError, FileError
            If nothing is chosen, or it cannot be used.
        """
        if self.source.currentData() == "file":
            return settings_of_file(self.path.text().strip())
        return settings_of_dock(self._viewer)

    def target(self) -> Path | None:
        """Return the folder for results, None for that of each file."""
        text = self.folder.text().strip()
        return Path(text).expanduser() if text else None

    def refresh(self) -> None:
        """Say what is run."""
        from_file = self.source.currentData() == "file"
        self.path.setVisible(from_file)
        self._browse.setVisible(from_file)
        self.save.setVisible(not from_file)
        try:
            self._words.setText(self.settings().words())
        except ReconError as error:
            self._words.setText(str(error))

    def write_run(self, path: Path) -> None:
        """Save what the main dock says as a file for the command line."""
        try:
            config = self.settings().config
            if "array" in (config.physics.psf, getattr(config.clean, "source", "")):
                raise InputError(
                    "The run takes values from a layer, which a file cannot name.",
                    hint="Save that layer and choose its file in the main dock.",
                )
            path.write_text(config.to_toml(), encoding="utf-8")
        except ReconError as error:
            self.told.emit(str(error))
        except OSError as error:
            self.told.emit(str(FileError(f"{path.name} cannot be written: {error}.")))
        else:
            self.told.emit(f"Saved {path.name}.")

    def _ask_run(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Run", self.path.text(), "Runs (*.toml);;All files (*)"
        )
        if name:
            self.path.setText(name)
            self.refresh()

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for results", self.folder.text())
        if name:
            self.folder.setText(name)

    def _ask_where(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the run", "run.toml", "Runs (*.toml)")
        if name:
            self.write_run(Path(name).with_suffix(".toml"))
