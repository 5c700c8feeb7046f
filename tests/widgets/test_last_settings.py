"""A new dock begins with the settings of the last run."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace

import pytest
from napari.components import ViewerModel

from gui_helpers import add_cells, settle
from napari_selfsup_recon.methods import SSIOptions
from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs import stash
from napari_selfsup_recon.widgets import last_settings, preferences
from napari_selfsup_recon.widgets.choices import DataChoice, Intent, MethodChoice, PsfChoice
from napari_selfsup_recon.widgets.dock import ReconWidget

pytestmark = pytest.mark.gui

METHOD = MethodChoice(
    key="ssi",
    options=SSIOptions(steps=77, learning_rate=1e-3),
    baseline="richardson-lucy",
    baseline_options=RichardsonLucyOptions(iterations=9),
    trust=True,
)


def place():
    return stash.folder().parent / "last.json"


def test_settings_come_back_without_anything_of_the_data(cells):
    psf = PsfChoice(path="secret.tif", lateral=0.7, microscope=Microscope(numerical_aperture=1.1))
    data = DataChoice(layer=weakref.ref(cells), task="denoise")
    last_settings.remember(Intent(data=data, psf=psf, method=METHOD))
    last = last_settings.recalled()
    assert last is not None
    assert last.task == "denoise"
    assert last.method == METHOD
    assert last.microscope == Microscope(numerical_aperture=1.1)
    text = place().read_text()
    assert cells.name not in text and "secret" not in text and "0.7" not in text
    assert [file.name for file in place().parent.iterdir()] == ["last.json"]


def test_there_may_be_none():
    assert last_settings.recalled() is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"task": "reboot"},
        {"method": {"key": "unheard-of", "options": {}}},
        {"method": {"key": "ssi", "options": {"steps": -3}}},
        {"method": ["ssi"]},
        {"microscope": {"numerical_aperture": "wide"}},
    ],
)
def test_what_does_not_read_is_forgotten(change):
    last_settings.remember(Intent(method=METHOD))
    said = json.loads(place().read_text()) | change
    place().write_text(json.dumps(said))
    assert last_settings.recalled() is None


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", " " * 70_000 + "{}"])
def test_damaged_files_are_forgotten(text):
    place().parent.mkdir(parents=True)
    place().write_text(text)
    assert last_settings.recalled() is None


def test_a_folder_that_cannot_be_written_is_no_matter(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NSR_STATE", str(tmp_path / "file" / "below"))
    last_settings.remember(Intent(method=METHOD))
    assert last_settings.recalled() is None


@pytest.fixture
def opened(qtbot):
    """Return a function that opens a dock in a viewer of its own."""

    def opener(**more):
        viewer = ViewerModel()
        add_cells(viewer)
        dock = ReconWidget(viewer)
        qtbot.addWidget(dock)
        return dock

    return opener


def test_a_dock_in_another_viewer_begins_with_them(opened, monkeypatch):
    intent = opened().value()
    changed = replace(intent, data=replace(intent.data, task="denoise"))
    chosen = MethodChoice(key="ssi", options=SSIOptions(steps=77), baseline=None)
    last_settings.remember(replace(changed, method=chosen))
    value = opened().value()
    assert value.data.task == "denoise"
    assert value.method.key == "ssi"
    assert value.method.options.steps == 77
    assert value.method.baseline is None
    monkeypatch.setattr(preferences, "remembers", lambda: False)
    assert opened().value().method.options.steps != 77


def test_settings_of_a_scan_do_not_turn_an_image_into_one(opened):
    intent = opened().value()
    last_settings.remember(replace(intent, data=replace(intent.data, task="reconstruct")))
    assert opened().value().data.task == intent.data.task


@pytest.mark.usefixtures("_fakes")
def test_a_run_leaves_its_settings(opened, qtbot):
    dock = opened()
    dock.data.denoise.setChecked(True)
    dock.refresh()
    dock.method.method.setCurrentIndex(dock.method.method.findData("fake"))
    dock.method.baseline.setChecked(False)
    dock.refresh()
    assert last_settings.recalled() is None
    dock.start()
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
    settle(qtbot)
    last = last_settings.recalled()
    assert last is not None
    assert (last.task, last.method.key, last.method.baseline) == ("denoise", "fake", None)
