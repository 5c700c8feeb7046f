"""Commands of the menus and the command palette."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

from gui_helpers import add_cells, make_job, settle, training
from napari_selfsup_recon.widgets import commands
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.compare_card import CompareCard
from napari_selfsup_recon.widgets.comparison import current_comparison
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.session import Session

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def said(monkeypatch):
    texts = []
    monkeypatch.setattr(commands, "show_info", texts.append)
    monkeypatch.setattr(notification_manager, "records", [])
    return texts


@pytest.fixture
def current(viewer, monkeypatch):
    monkeypatch.setattr(commands.napari, "current_viewer", lambda: viewer)
    return viewer


def result(viewer, source, name):
    data = np.zeros(source.data.shape, np.float32)
    return add_layer(viewer, source_of(source), data, name, provenance={"preview": False})


def test_compare_is_a_toggle(current, cells, said):
    commands.compare_layers()
    assert "nothing to compare" in said[-1]
    result(current, cells, "SSI")
    current.layers.selection.active = cells
    commands.compare_layers()
    assert current.canvas.grid.enabled
    commands.compare_layers()
    assert not current.canvas.grid.enabled


def test_the_card_follows_and_results_join_the_grid(current, cells, said, qtbot):
    card = CompareCard(current, lambda: cells)
    qtbot.addWidget(card)
    current.layers.events.inserted.connect(card.refresh)
    assert not card.grid.isEnabled()
    result(current, cells, "LR")
    assert card.grid.isEnabled()
    card.grid.setChecked(True)
    late = result(current, cells, "SSI")
    assert late.name_overlay.visible
    assert card.bar.comparison is not None
    assert len(card.bar.comparison.layers) == 3
    card.link.setChecked(False)
    assert not card.bar.comparison.linked
    commands.compare_layers()
    assert not card.grid.isChecked()
    assert not current.canvas.grid.enabled
    card.grid.setChecked(True)
    current.layers.events.removed.connect(card.refresh)
    current.layers.remove(late)
    assert not card.grid.isChecked()


def test_another_way_takes_the_place_of_the_first(current, cells, said):
    result(current, cells, "SSI")
    current.layers.selection.active = cells
    commands.compare_layers()
    commands.draw_curtain()
    assert current_comparison(current).mode == "curtain"
    assert not current.canvas.grid.enabled
    commands.draw_curtain()
    assert current_comparison(current) is None
    assert not said


def test_copy_as_python(make_napari_viewer, monkeypatch, said, qtbot):
    viewer = make_napari_viewer()
    monkeypatch.setattr(commands.napari, "current_viewer", lambda: viewer)
    commands.copy_as_python()
    assert "Open the dock" in said[-1]
    add_cells(viewer)
    dock = ReconWidget(viewer)
    viewer.window.add_dock_widget(dock, name="dock")
    told = []
    dock.script.told.connect(told.append)
    commands.copy_as_python()
    qtbot.waitUntil(lambda: bool(told), timeout=20000)
    assert "clipboard" in told[0]
    assert "RunConfig" in QApplication.clipboard().text()


def test_stop_and_keep(current, cells, said, qtbot):
    commands.stop_and_keep()
    assert "No reconstruction" in said[-1]
    session = Session.of(current)
    job = session.start(make_job(current, cells, steps=5000, delay=0.02))
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    commands.stop_and_keep()
    assert len(job.wait(20)) == 1
    assert current.status.startswith("Done: cells FAKE")
    settle(qtbot)


def test_without_a_viewer_nothing_happens(monkeypatch, said):
    monkeypatch.setattr(commands.napari, "current_viewer", lambda: None)
    commands.compare_layers()
    commands.stop_and_keep()
    assert said == ["No reconstruction is running."]


def test_two_viewers_have_their_own(current, cells):
    other = type(current)()
    add_cells(other)
    assert Session.of(other) is not Session.of(current)
