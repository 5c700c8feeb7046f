"""The pages of the documentation, opened from the docks."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QSize, QUrl
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QToolButton

from gui_helpers import add_cells
from napari_selfsup_recon.widgets import help as pages
from napari_selfsup_recon.widgets.batch_dock import BatchWidget
from napari_selfsup_recon.widgets.compare_dock import CompareWidget
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.help import HelpWindow, page_file, show_page
from napari_selfsup_recon.widgets.psf_dock import PsfWidget
from napari_selfsup_recon.widgets.runs_dock import RunsWidget

pytestmark = pytest.mark.gui
DOCKS = {
    ReconWidget: "Quick start",
    PsfWidget: "The PSF dock",
    CompareWidget: "Compare",
    BatchWidget: "Many files",
    RunsWidget: "Runs and models",
}


@pytest.fixture
def _no_address(monkeypatch):
    monkeypatch.setattr(pages, "documentation_url", lambda: "")


@pytest.mark.usefixtures("_no_address")
@pytest.mark.parametrize("kind", DOCKS)
def test_every_dock_opens_its_page(viewer, qtbot, kind):
    add_cells(viewer)
    dock = kind(viewer)
    qtbot.addWidget(dock)
    dock.show()
    (push,) = [x for x in dock.findChildren(QToolButton) if x.accessibleName() == "Help"]
    assert push.isVisible()
    push.click()
    push.click()
    (window,) = dock.findChildren(HelpWindow)  # one window, however often it is asked for
    assert DOCKS[kind] in window.browser.toPlainText().splitlines()[0]
    window.close()


@pytest.mark.usefixtures("_no_address")
def test_links_and_pictures(qtbot, qapp):
    window = HelpWindow()
    qtbot.addWidget(window)
    window.show_file(page_file("quickstart"))
    assert not window.back.isEnabled()
    picture = QUrl.fromLocalFile(str(page_file("x").parent / "images" / "dock_live.png"))
    shown = window.browser.loadResource(QTextDocument.ResourceType.ImageResource.value, picture)
    assert 100 < shown.width() <= window.width() and shown.size() != QSize()
    window.browser.setSource(QUrl("runs_dock.md"))
    assert window.browser.toPlainText().startswith("Runs and models")
    assert window.back.isEnabled()
    window.back.click()
    assert window.browser.toPlainText().startswith("Quick start")
    window.show_file(page_file("no such page"))
    assert "not installed" in window.browser.toPlainText()


def test_an_address_is_opened_in_the_browser(qtbot, qapp, monkeypatch):
    opened = []
    monkeypatch.setattr(pages, "documentation_url", lambda: "https://example.org/docs/")
    monkeypatch.setattr(pages.QDesktopServices, "openUrl", opened.append)
    push = QToolButton()
    qtbot.addWidget(push)
    show_page("runs_dock", push)
    assert [url.toString() for url in opened] == ["https://example.org/docs/runs_dock/"]


def test_the_address_is_what_the_package_states(monkeypatch):
    from email.message import Message

    facts = Message()
    facts["Project-URL"] = "Documentation, https://example.org/docs"
    facts["Project-URL"] = "Source, https://example.org"
    monkeypatch.setattr(pages.metadata, "metadata", lambda _: facts)
    assert pages.documentation_url() == "https://example.org/docs"
    monkeypatch.setattr(pages.metadata, "metadata", lambda _: Message())
    assert pages.documentation_url() == ""
