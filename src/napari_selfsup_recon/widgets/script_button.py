"""The button that hands out what is chosen as Python: clipboard, script, notebook."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QSizePolicy, QToolButton, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.request import Request
from napari_selfsup_recon.widgets.script import save, script_of
from napari_selfsup_recon.widgets.texts import TEXTS


class ScriptButton(QToolButton):
    """Copies the run that is chosen, or saves it with its data.

    Parameters
    ----------
    request
        Returns the run; raises what is wrong with it.

    Attributes
    ----------
    told
        Emitted with what was done, or what went wrong, as a sentence.
    """

    told = Signal(str)

    def __init__(self, request: Callable[[], Request], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._request = request
        self._background = Background(self)
        self.setText("Python")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        describe(self, *TEXTS["script"])
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for title, do in (
            ("Copy to the clipboard (Ctrl+Alt+K)", self.copy),
            ("Save as a script, with its data ...", lambda: self.ask("py")),
            ("Save as a notebook, with its data ...", lambda: self.ask("ipynb")),
        ):
            action = menu.addAction(title)
            if action is not None:
                action.triggered.connect(lambda *_, do=do: do())
        self.setMenu(menu)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def copy(self) -> None:
        """Put the script on the clipboard."""
        request = self._chosen()
        if request is None:
            return

        def done(script: Any) -> None:
            clipboard = QApplication.clipboard()
            if clipboard is not None:
                clipboard.setText(script.text())
            self.told.emit("The script is on the clipboard.")

        self._background.start(lambda: script_of(request), done, self._on_failed)

    def ask(self, ending: str) -> None:
        """Ask where to save it."""
        kinds = {"py": "Python script (*.py)", "ipynb": "Jupyter notebook (*.ipynb)"}
        name, _ = QFileDialog.getSaveFileName(
            self, "Save as Python", f"reconstruct.{ending}", kinds[ending]
        )
        if name:
            self.save(Path(name).with_suffix(f".{ending}"))

    def save(self, path: Path) -> None:
        """Write the script or notebook, and its data beside it."""
        request = self._chosen()
        if request is None:
            return

        def work() -> Generator[str, None, Any]:
            script = yield from script_of(request)
            return (yield from save(script, path))

        self._background.start(
            work, lambda done: self.told.emit(f"Saved {done.name}."), self._on_failed
        )

    def _chosen(self) -> Request | None:
        try:
            return self._request()
        except ReconError as error:
            self._on_failed(error)
            return None

    def _on_failed(self, error: ReconError) -> None:
        self.told.emit(str(error))
