"""Clean examples for the method that learns from them: another layer, or slices of the image."""

from __future__ import annotations

import re
import weakref
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from gui_helpers import add_cells
from napari_selfsup_recon import viewer as module
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.runs import CleanChoice, RunConfig
from napari_selfsup_recon.widgets import last_settings
from napari_selfsup_recon.widgets.batch_settings import settings_of_dock
from napari_selfsup_recon.widgets.choices import CleanPick
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.script import Script

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, cells, qtbot):
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    for name in ("inserted", "removed"):
        getattr(viewer.layers.events, name).connect(made.reset_choices)
    made.data.denoise.setChecked(True)
    made.refresh()
    return made


def choose(dock, key):
    dock.method.method.setCurrentIndex(dock.method.method.findData(key))
    dock.refresh()


def test_the_row_is_there_where_it_is_needed(dock, viewer):
    assert dock.method.clean.isHidden()
    assert dock.value().method.clean is None
    choose(dock, "iscl")
    assert not dock.method.clean.isHidden()
    assert not dock.run_card.run.isEnabled()
    assert "clean examples" in dock.run_card.message.text
    dock.method.clean.slices.setText("0:2")
    dock.refresh()
    assert dock.run_card.run.isEnabled()
    config = make_request(dock.value(), viewer).config
    assert config.clean is not None
    assert (config.clean.source, config.clean.slices) == ("slices", (0, 2))


def test_a_layer_that_is_called_clean_is_taken(dock, viewer, cells):
    other = add_cells(viewer, name="Clean cells")
    choose(dock, "iscl")
    viewer.layers.selection.active = cells
    dock.data.image.choose(cells)
    dock.refresh()
    assert dock.method.clean.layer.layer is other
    assert dock.method.clean.value() == CleanPick(layer=weakref.ref(other))
    request = make_request(dock.value(), viewer)
    plan = request.resolve()
    assert plan.clean is not None
    np.testing.assert_array_equal(np.asarray(plan.clean.data), other.data)
    script = Script("x", request.config, 1, {"image": request.source.measurement} | request.given)
    assert 'given={"clean": clean}' in script.text()
    dock.method.clean.layer.choose(cells)
    with pytest.raises(InputError, match="noisy image itself"):
        make_request(dock.value(), viewer)
    viewer.layers.remove(other)
    assert dock.method.clean.layer.layer is not other


def test_examples_may_be_made_of_the_image_itself(dock, viewer):
    choose(dock, "iscl")
    row = dock.method.clean
    row.kind.setCurrentIndex(row.kind.findData("average"))
    row.average.setValue(3)
    dock.refresh()
    assert row.slices.isHidden()
    assert not row.average.isHidden()
    request = make_request(dock.value(), viewer)
    assert request.config.clean is not None
    assert (request.config.clean.source, request.config.clean.average) == ("average", 3)
    plan = request.resolve()
    assert plan.clean is not None
    expected = np.asarray(request.source.measurement.data)[:3].mean(0)
    np.testing.assert_allclose(np.asarray(plan.clean.data)[0], expected, rtol=1e-5)
    script = Script("x", request.config, 1, {"image": request.source.measurement})
    assert "'source': 'average'" in script.text()
    row.kind.setCurrentIndex(row.kind.findData("denoised"))
    dock.refresh()
    assert row.average.isHidden()
    clean = make_request(dock.value(), viewer).config.clean
    assert clean is not None
    assert clean.source == "denoised"
    assert dock.run_card.run.isEnabled()
    assert dock.value().method.clean == CleanPick(kind="denoised")


def test_the_slice_in_view_may_be_the_first_or_the_last(dock, viewer):
    choose(dock, "iscl")
    row = dock.method.clean
    changed = []
    row.valueChanged.connect(lambda: changed.append(row.value().slices))
    point = list(viewer.dims.current_step)
    for which, index, expected in (
        ("first", 1, "1:2"),
        ("last", 3, "1:4"),
        ("first", 0, "0:4"),
        ("last", 2, "0:3"),
        ("first", 5, "5:6"),
        ("last", 0, "0:1"),
    ):
        viewer.dims.current_step = (index, *point[1:])
        getattr(row, which).click()
        assert row.slices.text() == expected
    assert changed[-1] == "0:1"
    row.kind.setCurrentIndex(row.kind.findData("denoised"))
    assert row.first.isHidden() or row.first.parentWidget().isHidden()


def test_what_was_picked_comes_back(dock, viewer):
    choose(dock, "iscl")
    dock.method.clean.slices.setText("1:3")
    dock.refresh()
    again = dock.value()
    choose(dock, "ssi")
    dock.method.clean.slices.setText("")
    dock.setValue(again)
    assert dock.method.clean.slices.text() == "1:3"
    assert dock.value().method.clean == CleanPick(slices="1:3")
    averages = CleanPick(kind="average", average=7)
    dock.method.clean.setValue(averages)
    assert dock.method.clean.value() == averages


def test_a_script_says_how_examples_are_made(viewer, cells, monkeypatch):
    class Enough(Exception):
        pass

    seen = []

    def resolve(config, *_, **__):
        seen.append(config)
        raise Enough

    monkeypatch.setattr(module, "resolve", resolve)
    choice = CleanChoice(source="average", average=3)
    for clean in (choice, {"source": "average", "average": 3}):
        with pytest.raises(Enough):
            module.denoise(viewer, cells, clean=clean)
    assert [config.clean for config in seen] == [choice, choice]
    assert {config.method for config in seen} == {"iscl"}
    with pytest.raises(InputError, match="clean"):
        module.denoise(viewer, cells, clean={"source": "thin air"})


@pytest.fixture
def folder(tmp_path):
    """Three clean images of one size, and something else."""
    place = tmp_path / "clean ones"
    place.mkdir()
    for n in range(3):
        values = np.full((30, 26), 40 + n, np.uint16)
        values[n] += 9
        tifffile.imwrite(place / f"{n}.tif", values)
    (place / "notes.txt").write_text("measured on Monday")
    return place


def take(dock, path):
    """Choose a file or folder as a person does, the dialog aside."""
    row = dock.method.clean
    asked = []
    row.ask = lambda parent, what, start: asked.append((what, start)) or str(path)
    (action,) = [a for a in row.browse.menu().actions() if a.text() == "Folder ..."]
    action.trigger()
    dock.refresh()
    return asked


def test_a_folder_of_clean_images(dock, viewer, folder):
    choose(dock, "iscl")
    row = dock.method.clean
    assert take(dock, folder) == [("folder", "")]
    assert row.path.text() == str(folder)
    assert row._facts.text() == "3 files, each y 30 × x 26, uint16"
    assert not row.layer.isEnabled()
    assert row.kind.isHidden() and row.slices.isHidden()
    assert dock.run_card.run.isEnabled()
    request = make_request(dock.value(), viewer)
    assert request.config.clean == CleanChoice(source="file", path=str(folder))
    plan = request.resolve()
    assert plan.clean is not None
    assert (plan.clean.shape, plan.clean.axes) == ((3, 30, 26), ("file", "y", "x"))
    assert plan.clean.frame((2,))[2, 0] == 51
    # The same in scripts, files and batches.
    script = Script("x", request.config, 1, {"image": request.source.measurement}).text()
    joined = re.sub(r"'\s+'", "", script)  # long paths are written in pieces
    assert "'source': 'file'" in script
    assert str(folder) in joined
    assert "given=" not in script
    dock.session.intent = dock.value()
    batch = settings_of_dock(viewer).config
    assert batch.clean == request.config.clean
    path = folder.parent / "run.toml"
    path.write_text(batch.to_toml())
    assert RunConfig.load_toml(path).clean == batch.clean
    row.path.clear()
    assert row.layer.isEnabled()
    assert not row.kind.isHidden()
    assert row._facts.isHidden()


def test_a_file_of_clean_images_is_remembered(dock, viewer, folder, qtbot):
    choose(dock, "iscl")
    row = dock.method.clean
    file = folder / "1.tif"
    row.path.setFocus()
    qtbot.keyClicks(row.path, str(file))
    row.path.editingFinished.emit()
    assert row._facts.text() == "y 30 × x 26, uint16"
    intent = dock.value()
    assert intent.method.clean == CleanPick(path=str(file))
    dock.setValue(replace(intent, method=replace(intent.method, clean=CleanPick())))
    assert row.path.text() == ""
    dock.setValue(intent)
    assert row.path.text() == str(file)
    last_settings.remember(intent)
    last = last_settings.recalled()
    assert last is not None
    assert last.method.clean == CleanPick(path=str(file))
    file.unlink()
    last = last_settings.recalled()
    assert last is not None
    assert last.method.clean is None


def test_what_is_wrong_on_disk_is_told(dock, viewer, cells, folder, tmp_path):
    choose(dock, "iscl")
    empty = tmp_path / "empty"
    empty.mkdir()
    spoilt = tmp_path / "spoilt.tif"
    spoilt.write_bytes(b"II*\0 no image")
    bytes_ = tmp_path / "bytes.tif"
    tifffile.imwrite(bytes_, np.ones((30, 26), np.uint8))
    for path, words in (
        (empty, "No image in"),
        (spoilt, "damaged"),
        (tmp_path / "gone", "There is no file"),
        (bytes_, "clean examples are uint8"),
    ):
        take(dock, path)
        assert not dock.run_card.run.isEnabled()
        assert words in dock.run_card.message.text
        if path is not bytes_:
            assert dock.method.clean._facts.text().startswith("⚠ ")
    form = dock.method.form
    form.setValue(form.value().model_copy(update={"match": "on"}))  # any grey values are welcome
    take(dock, bytes_)
    assert dock.run_card.run.isEnabled()
    tifffile.imwrite(folder / "9.tif", np.ones((31, 26), np.uint16))
    take(dock, folder)
    with pytest.raises(FileError, match=r"0\.tif is y 30 x x 26.*9\.tif is y 31"):
        make_request(dock.value(), viewer).resolve()
    own = tmp_path / "own.tif"
    tifffile.imwrite(own, np.asarray(cells.data))
    (layer,) = viewer.open(str(own))
    dock.data.image.choose(layer)
    take(dock, own)
    assert "noisy image itself" in dock.run_card.message.text
