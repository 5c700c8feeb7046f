"""The dock Batch: files, the run, states of rows, the way out of failures, results as layers."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QProgressBar,
    QScrollArea,
    QTableWidget,
    QWidget,
)

from gui_helpers import add_cells, make_job, opener_of, settle, training
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs import RunConfig
from napari_selfsup_recon.runs.batch import RowState
from napari_selfsup_recon.widgets.batch_dock import BatchWidget
from napari_selfsup_recon.widgets.choices import DataChoice, Intent, MethodChoice, Part
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "images"
    made.mkdir()
    for n, name in enumerate(("a", "b", "c")):
        data = np.random.default_rng(n).poisson(50, (20, 16)).astype(np.uint16)
        volumes.write(made / f"{name}.tif", Measurement(data))
    return made


@pytest.fixture
def open_dock(viewer, qtbot):
    return opener_of(BatchWidget, viewer, qtbot)


def use_file(dock, tmp_path, **options):
    """Let the dock take a run in a file."""
    path = tmp_path / "run.toml"
    path.write_text(RunConfig(task="denoise", method="fake", options=options).to_toml())
    dock.card.path.setText(str(path))
    dock.card.source.setCurrentIndex(1)


def words(dock):
    """The column of states, without the sign and the time."""
    table = dock.files.table
    cells = [table.item(row, 1).text() for row in range(table.rowCount())]
    return [cell[2:].partition(",")[0] for cell in cells]


def finished(dock, qtbot, timeout=10000):
    qtbot.waitUntil(lambda: dock.job is not None and dock.job.done, timeout=timeout)
    settle(qtbot)


def test_files_are_added_and_removed(open_dock, folder, qtbot):
    dock = open_dock()
    assert not dock.run.isEnabled()
    dock.files.pattern.setText("[ab].tif")
    dock.files.add_from(folder)
    dock.files.add_paths([folder / "c.tif", folder / "a.tif"])
    assert [one.path.name for one in dock.files.value()] == ["a.tif", "b.tif", "c.tif"]
    assert words(dock) == ["waiting"] * 3
    assert dock.run.isEnabled()
    assert not dock.files.remove.isEnabled()
    dock.files.table.selectRow(1)
    dock.files.remove.click()
    assert [one.name for one in dock.files.value()] == ["a.tif", "c.tif"]
    dock.files.table.selectRow(0)
    qtbot.keyClick(dock.files.table, Qt.Key.Key_Delete)
    assert [one.name for one in dock.files.value()] == ["c.tif"]
    dock.files.clear.click()
    assert dock.files.value() == []
    assert not dock.run.isEnabled()
    dock.files.pattern.setText("*.nothing")
    dock.files.add_from(folder)
    assert "has a name like" in dock.message.text
    assert len(list(folder.glob("*.tif"))) == 3


def test_channels_become_rows(open_dock, tmp_path, qtbot):
    data = np.random.default_rng(0).poisson(50, (2, 3, 20, 16)).astype(np.uint16)
    movie = volumes.write(tmp_path / "movie.tif", Measurement(data, axes=("t", "c", "y", "x")))
    dock = open_dock()
    dock.files.each.setCurrentIndex(dock.files.each.findData("channel"))
    dock.files.add_paths([movie])
    qtbot.waitUntil(lambda: len(dock.files.value()) == 3, timeout=5000)
    assert [one.name for one in dock.files.value()] == [f"movie.tif, channel {n}" for n in range(3)]
    dock.files.add_paths([tmp_path / "gone.tif"])
    qtbot.waitUntil(lambda: "There is no file" in dock.message.text, timeout=5000)


def test_a_batch_from_a_file_and_its_results(viewer, open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    use_file(dock, tmp_path, steps=3)
    (folder / "b.tif").write_bytes(b"no image")
    dock.files.add_from(folder)
    dock.card.folder.setText(str(tmp_path / "out"))
    dock.run.click()
    assert dock.session.busy
    assert dock.stop.isVisible()
    assert not dock.run.isVisible()
    assert not dock.card.isEnabled()
    assert not dock.files.add.isEnabled()
    finished(dock, qtbot)
    assert words(dock) == ["done", "failed", "done"]
    assert dock.session.state is State.DONE
    assert dock.run.isVisible()
    out = tmp_path / "out"
    assert sorted(p.name for p in out.glob("*.tif")) == ["a_fake.ome.tif", "c_fake.ome.tif"]
    # A failed row says why and what can be done.
    dock.files.table.selectRow(1)
    assert dock.message.level == "error"
    assert "b.tif" in dock.message.text
    assert "Copy or export the file again" in dock.message.text
    titles = [push.text() for push in dock.message.findChildren(QAbstractButton)]
    assert titles == ["Try again", "Open the file", "Copy details"]
    dock.open_row(1)
    assert len(viewer.layers) == 0
    # A done row opens as a layer, with its provenance.
    item = dock.files.table.item(0, 0)
    place = dock.files.table.visualItemRect(item).center()
    port = dock.files.table.viewport()
    qtbot.mouseClick(port, Qt.MouseButton.LeftButton, pos=place)
    assert "FAKE 3" in dock.message.text
    qtbot.mouseDClick(port, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=5000)
    layer = viewer.layers[0]
    assert layer.name == "a_fake"
    np.testing.assert_array_equal(layer.data, volumes.read(folder / "a.tif").data)
    assert layer.metadata["selfsup_recon"]["method"] == "fake"


def test_trying_again_leaves_what_is_done(open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    use_file(dock, tmp_path, steps=2)
    good = (folder / "b.tif").read_bytes()
    (folder / "b.tif").write_bytes(b"no image")
    dock.files.add_from(folder)
    dock.run.click()
    finished(dock, qtbot)
    stamp = (folder / "a_fake.ome.tif").stat().st_mtime_ns
    (folder / "b.tif").write_bytes(good)
    dock.files.table.selectRow(1)
    dock.message.findChildren(QAbstractButton)[0].click()
    finished(dock, qtbot)
    assert words(dock) == ["exists already", "done", "exists already"]
    assert (folder / "a_fake.ome.tif").stat().st_mtime_ns == stamp


def test_stopping_after_a_file_and_at_once(open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    use_file(dock, tmp_path, steps=60, delay=0.01)
    dock.files.add_from(folder)
    dock.run.click()
    qtbot.waitUntil(lambda: training(dock.job), timeout=5000)
    assert "a.tif" in dock._stage.text()
    dock.stop.click()
    assert dock.session.state is State.STOPPING
    finished(dock, qtbot)
    assert words(dock) == ["done", "waiting", "waiting"]
    assert dock.session.state is State.READY
    dock.run.click()
    qtbot.waitUntil(lambda: dock.job.reports[1].state is RowState.RUNNING, timeout=5000)
    qtbot.waitUntil(lambda: training(dock.job), timeout=5000)
    dock.leave.click()
    finished(dock, qtbot)
    assert words(dock) == ["exists already", "waiting", "waiting"]
    assert len(list(folder.glob("*.ome.tif"))) == 1


def test_one_job_at_a_time(viewer, open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    use_file(dock, tmp_path, steps=2)
    dock.files.add_from(folder)
    cells = add_cells(viewer)
    job = Session.of(viewer).start(make_job(viewer, cells, steps=5000, delay=0.01))
    assert not dock.run.isEnabled()
    assert "Another reconstruction" in dock._status.text()
    dock.start()
    assert "under way" in dock.message.text
    job.discard()
    qtbot.waitUntil(lambda: job.done, timeout=5000)
    assert dock.run.isEnabled()


def test_the_main_dock_shows_and_ends_it(viewer, open_dock, folder, tmp_path, qtbot):
    main = ReconWidget(viewer)
    qtbot.addWidget(main)
    dock = open_dock()
    use_file(dock, tmp_path, steps=5000, delay=0.01)
    dock.files.add_from(folder)
    dock.run.click()
    qtbot.waitUntil(lambda: training(dock.job), timeout=5000)
    assert "a.tif" in main.run_card._stage.text()
    assert not main.run_card.run.isEnabled()
    main.run_card.pause.click()
    assert dock.job.state is State.PAUSED
    main.run_card.resume.click()
    main.run_card.discard.click()
    finished(dock, qtbot)
    assert words(dock) == ["waiting"] * 3


def test_a_batch_outlives_its_dock(viewer, open_dock, folder, tmp_path, qtbot):
    first = open_dock()
    use_file(first, tmp_path, steps=50, delay=0.01)
    first.files.add_from(folder)
    first.run.click()
    qtbot.waitUntil(lambda: training(first.job), timeout=5000)
    job = first.job
    first.close()
    first.deleteLater()
    again = open_dock()
    assert again.job is job
    assert words(again)[0] == "running"
    again.stop.click()
    finished(again, qtbot)
    assert words(again) == ["done", "waiting", "waiting"]


def test_closing_the_viewer_ends_the_batch(make_napari_viewer, folder, tmp_path, qtbot):
    viewer = make_napari_viewer()
    dock = BatchWidget(viewer)
    viewer.window.add_dock_widget(dock, name="batch")
    use_file(dock, tmp_path, steps=5000, delay=0.02)
    dock.files.add_from(folder)
    dock.start()
    job = dock.job
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    viewer.close()
    GeneratorWorker.await_workers(60_000)
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    assert job.state is State.READY
    assert [report.state for report in job.reports] == [RowState.WAITING] * 3
    assert list(folder.glob("*.ome.tif")) == []
    settle(qtbot)


def test_the_run_of_the_main_dock(viewer, open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    assert "Nothing is chosen yet" in dock.card._words.text()
    dock.files.add_from(folder)
    dock.start()
    assert "choose a run.toml" in dock.message.text
    image = np.random.default_rng(0).poisson(50, (20, 16)).astype(np.uint16)
    layer = viewer.add_image(image, name="one", scale=(0.2, 0.1), units=("um", "um"))
    fake = METHODS.find("fake").load_options()(steps=2)
    Session.of(viewer).intent = Intent(
        data=DataChoice(layer=weakref.ref(layer), task="denoise", part=Part.BOX),
        method=MethodChoice(key="fake", options=fake, baseline=None),
    )
    dock.card.refresh()
    assert "denoise with Fake (learned)" in dock.card._words.text()
    assert "0.2 x 0.1 µm" in dock.card._words.text()
    dock.card.write_run(tmp_path / "run.toml")
    assert dock.message.text == "Saved run.toml."
    saved = RunConfig.load_toml(tmp_path / "run.toml")
    assert (saved.method, saved.options, saved.region) == ("fake", {"steps": 2}, None)
    dock.run.click()
    finished(dock, qtbot)
    assert words(dock) == ["done"] * 3
    # The files do not say how large their pixels are; the image in the dock does.
    result = volumes.read(folder / "a_fake.ome.tif")
    assert (result.scale, result.units) == ((0.2, 0.1), ("micrometer",) * 2)


def test_the_open_main_dock_counts(make_napari_viewer, folder, qtbot):
    viewer = make_napari_viewer()
    image = np.random.default_rng(0).poisson(50, (20, 16)).astype(np.uint16)
    viewer.add_image(image, name="one")
    main = ReconWidget(viewer)
    viewer.window.add_dock_widget(main, name="main")
    main.data.denoise.setChecked(True)
    main.refresh()
    main.method.method.setCurrentIndex(main.method.method.findData("fake"))
    dock = BatchWidget(viewer)
    viewer.window.add_dock_widget(dock, name="batch")
    assert "denoise with Fake (learned)" in dock.card._words.text()


def test_a_folder_that_cannot_be_made_is_told(open_dock, folder, tmp_path, qtbot):
    dock = open_dock()
    use_file(dock, tmp_path, steps=2)
    dock.files.add_from(folder)
    dock.card.folder.setText(str(tmp_path / "run.toml" / "out"))
    dock.run.click()
    finished(dock, qtbot)
    assert dock.session.state is State.FAILED
    assert "cannot be made" in dock.message.text
    assert words(dock) == ["waiting"] * 3


def test_every_control_has_a_name_and_a_tooltip(open_dock):
    dock = open_dock()
    kinds = (QAbstractButton, QComboBox, QLineEdit, QProgressBar, QTableWidget)
    controls = [
        w
        for w in dock.findChildren(QWidget)
        if isinstance(w, kinds) and not isinstance(w.parent(), QTableWidget)
    ]
    assert len(controls) > 15
    for widget in controls:
        assert widget.accessibleName(), widget
        assert len(widget.toolTip()) > 10, widget.accessibleName()
    content = dock.findChild(QScrollArea).widget()
    assert content.minimumSizeHint().width() <= 280  # a scroll bar needs some of the 300
