"""The pages of the documentation, one click from the dock that they are about."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, QUrl
from qtpy.QtGui import QDesktopServices, QImage, QTextDocument
from qtpy.QtWidgets import QDialog, QTextBrowser, QToolButton, QVBoxLayout, QWidget

import napari_selfsup_recon
from napari_selfsup_recon.widgets.parts import button, describe, row
from napari_selfsup_recon.widgets.texts import TEXTS

_SIZE = QSize(760, 640)
_MARGIN = 48


def documentation_url() -> str:
    """Return where the documentation is on the web, as the package states it; empty if nowhere."""
    try:
        urls = metadata.metadata("napari-selfsup-recon").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls if ", " in url)
    return str(named.get("Documentation", ""))


def page_file(page: str) -> Path:
    """Return the file of a page: those of this version come with the package."""
    package = Path(napari_selfsup_recon.__file__).parent
    shipped = package / "_docs"
    folder = shipped if shipped.is_dir() else package.parent.parent / "docs"  # a checkout
    return folder / f"{page}.md"


def show_page(page: str, parent: QWidget) -> None:
    """Open a page of the documentation, for example ``"runs_dock"``.

    The page on the web where the package states an address, else a window with the page that came
    with it.
    """
    url = documentation_url()
    if url:
        QDesktopServices.openUrl(QUrl(f"{url.rstrip('/')}/{page}/"))
        return
    window = parent.window()
    assert window is not None
    shown: Any = window.findChild(HelpWindow)
    shown = shown if shown is not None else HelpWindow(window)
    shown.show_file(page_file(page))


def help_button(page: str) -> QToolButton:
    """Return a small button that opens a page."""
    push = QToolButton()
    push.setText("?")
    describe(push, *TEXTS["help"])
    push.clicked.connect(lambda *_: show_page(page, push))
    return push


class HelpWindow(QDialog):
    """Shows pages; links lead from one to the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Help: self-supervised reconstruction")
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.browser = _Browser()
        self.browser.setOpenExternalLinks(True)
        describe(self.browser, *TEXTS["help page"])
        self.back = button("&Back", *TEXTS["help back"])
        self.back.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.addLayout(row(self.back, stretch=True))
        layout.addWidget(self.browser)
        self.back.clicked.connect(lambda *_: self.browser.backward())
        self.browser.backwardAvailable.connect(self.back.setEnabled)
        self.resize(_SIZE)

    def show_file(self, path: Path) -> None:
        """Show a page and bring the window to the front."""
        if path.is_file():
            self.browser.setSource(
                QUrl.fromLocalFile(str(path)), QTextDocument.ResourceType.MarkdownResource
            )
        else:
            self.browser.setPlainText("The pages of the documentation were not installed.")
        self.show()
        self.raise_()


class _Browser(QTextBrowser):
    """A browser whose pictures are as wide as it is at most."""

    def loadResource(self, kind: int, name: QUrl) -> Any:
        """Load a page or a picture."""
        found = super().loadResource(kind, name)
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return found
        image = found if isinstance(found, QImage) else QImage.fromData(found or b"")
        most = max(100, _SIZE.width() - _MARGIN)
        if image.width() <= most:
            return image
        return image.scaledToWidth(most, Qt.TransformationMode.SmoothTransformation)
