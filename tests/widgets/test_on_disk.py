"""Results that are larger than the memory, from the dock: asked for, offered, shown."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QFileDialog

from gui_helpers import denoising_dock, settle
from napari_selfsup_recon import viewer as api
from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.widgets import needs
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.recon_source import good_limits
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.script import script_of
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def movie(viewer):
    viewer.add_image(
        np.random.default_rng(0).poisson(50, (5, 24, 20)).astype(np.uint16),
        name="movie",
        scale=(2, 0.5, 0.5),
        translate=(0, 3, 4),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        contrast_limits=(10, 90),
    )
    return viewer.layers[-1]


@pytest.fixture
def dock(viewer, movie, qtbot):
    return denoising_dock(viewer, qtbot)


def answer(monkeypatch, folder):
    """Let the person choose ``folder`` in the dialog, or nothing if it is empty."""
    asked = []

    def dialog(*arguments):
        asked.append(arguments)
        return str(folder)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", dialog)
    return asked


def choose(dock, index):
    dock.run_card.place.setCurrentIndex(index)
    dock.run_card.place.activated.emit(index)
    dock.refresh()


def test_it_is_written_to_a_folder_and_shown_from_there(
    dock, viewer, movie, qtbot, monkeypatch, tmp_path
):
    answer(monkeypatch, tmp_path)
    assert dock.run_card._form.isRowVisible(dock.run_card.place)
    choose(dock, 1)
    assert dock.value().folder == str(tmp_path)
    assert dock.run_card.place.currentText() == f"On disk: {tmp_path.name}"
    dock.start()
    job = dock.session.job
    qtbot.waitUntil(lambda: job.done, timeout=20000)
    assert job.error is None
    (layer,) = job.layers
    assert isinstance(layer.data, dask.array.Array)
    (folder,) = tmp_path.glob("*.ome.zarr")
    assert layer.metadata["selfsup_recon"]["file"] == str(folder)
    assert any(str(folder) in notice.message for notice in job.facts.notices)
    for fact in ("scale", "translate", "units", "axis_labels", "contrast_limits"):
        assert tuple(getattr(layer, fact)) == tuple(getattr(movie, fact))
    (plain,) = api.denoise(viewer, movie, method="fake")
    assert isinstance(plain.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(layer.data), plain.data)
    np.testing.assert_array_equal(np.asarray(volumes.read(folder).data), plain.data)
    assert dock.session.log.runs[0].thumbnail is not None
    settle(qtbot)


def test_it_is_offered_where_the_result_does_not_fit(dock, qtbot, monkeypatch, tmp_path):
    message = dock.run_card.message
    assert message.level is None
    monkeypatch.setattr(needs, "free_memory", lambda: 4 * 5 * 24 * 20 - 1)
    dock.refresh()
    assert message.level == "warning"
    assert "The result takes 9.6 kB, but only 9.6 kB are free" in message.text
    assert dock.run_card.run.isEnabled()  # it is advice
    (button,) = message.findChildren(QAbstractButton)
    asked = answer(monkeypatch, "")  # the person thinks better of it
    button.click()
    assert len(asked) == 1
    assert dock.value().folder == ""
    assert dock.run_card.place.currentIndex() == 0
    needed = dock.run_card._needs.text()
    answer(monkeypatch, tmp_path)
    button.click()
    dock.refresh()
    assert dock.value().folder == str(tmp_path)
    assert message.level is None
    assert dock.run_card._needs.text() != needed  # one frame instead of five
    choose(dock, 0)
    assert dock.value().folder == ""
    assert message.level == "warning"


def test_of_one_image_there_is_nothing_to_split(dock, viewer, cells, monkeypatch):
    dock.data.image.choose(cells)
    dock.data.image.chosen.emit()
    monkeypatch.setattr(needs, "free_memory", lambda: 1)
    dock.refresh()
    assert not dock.run_card._form.isRowVisible(dock.run_card.place)
    assert dock.run_card.message.level is None


def test_a_try_lies_in_memory(dock, viewer, tmp_path):
    dock.run_card.place.setValue(str(tmp_path))
    assert make_request(dock.value(), viewer).folder == str(tmp_path)
    assert make_request(dock.value(), viewer, attempt=True).folder == ""
    other = ReconWidget(viewer)
    other.setValue(dock.value())
    assert other.value().folder == str(tmp_path)
    other.deleteLater()


def test_a_folder_that_is_gone_is_told(dock, qtbot, tmp_path):
    dock.run_card.place.setValue(str(tmp_path / "gone"))
    dock.start()
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=20000)
    assert dock.session.state is State.FAILED
    assert "does not exist" in dock.run_card.message.text
    settle(qtbot)


def test_the_script_writes_to_the_same_folder(dock, viewer, tmp_path):
    dock.run_card.place.setValue(str(tmp_path))
    text = exhaust(script_of(make_request(dock.value(), viewer))).text()
    compile(text, "script", "exec")
    assert f"folder={str(tmp_path)!r}" in text
    assert "event.path" in text
    assert "import write" not in text


def test_scripts_that_have_a_viewer(viewer, movie, tmp_path):
    (layer,) = api.denoise(viewer, movie, method="fake", folder=tmp_path)
    assert isinstance(layer.data, dask.array.Array)
    with pytest.raises(FileError, match="does not exist"):
        api.denoise(viewer, movie, method="fake", folder=tmp_path / "gone")


def test_contrast_of_what_is_not_in_memory_looks_at_one_image():
    seen = []

    def read(block, block_id):
        seen.append(block_id)
        return block

    values = dask.array.ones((4, 8, 8), chunks=(1, 8, 8)).map_blocks(
        read, dtype=float, meta=np.ones(())
    )
    seen.clear()
    assert good_limits(values) == (1.0, 2.0)
    assert len(seen) == 1
