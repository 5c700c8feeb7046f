"""Runs as folders: saved, and opened again with their layers."""

from __future__ import annotations

import gc
import json
import shutil
import weakref

import numpy as np
import pytest
from napari.layers._source import layer_source

import recon_fakes
from gui_helpers import add_cells, opener_of, settle
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io.saved_runs import SavedRun, check_run_path, read_run
from napari_selfsup_recon.io.volumes import read, write
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.viewer import deconvolve, denoise, open_run, reconstruct, save_run
from napari_selfsup_recon.widgets import companions, saved_runs
from napari_selfsup_recon.widgets.bridge import add_layer, is_result, origin_of, source_of
from napari_selfsup_recon.widgets.reblur import can_reblur
from napari_selfsup_recon.widgets.rerun import job_to_apply
from napari_selfsup_recon.widgets.run_log import Run
from napari_selfsup_recon.widgets.runs_dock import RunsWidget
from napari_selfsup_recon.widgets.session import Session

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


TURN = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])


@pytest.fixture
def second(qapp):
    """Another viewer, as after a restart."""
    from napari.components import ViewerModel

    return ViewerModel()


def assert_alike(one, other):
    np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))
    assert one.data.dtype == other.data.dtype
    assert one.name == other.name
    assert tuple(one.units) == tuple(other.units)
    assert tuple(one.axis_labels) == tuple(other.axis_labels)
    for fact in ("scale", "translate", "rotate", "shear", "contrast_limits", "gamma"):
        np.testing.assert_allclose(getattr(one, fact), getattr(other, fact))
    np.testing.assert_allclose(one.affine.affine_matrix, other.affine.affine_matrix)
    assert one.colormap.name == other.colormap.name
    assert one.visible == other.visible


def saved(viewer, qtbot, folder, **more):
    cells = add_cells(viewer, rotate=TURN, gamma=0.8, colormap="magma", **more)
    psf = np.zeros((3, 3, 3))
    psf[1] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    (result,) = deconvolve(viewer, cells, psf, method="fake", baseline=None)
    settle(qtbot)
    residual = add_layer(viewer, source_of(cells), result.data - 1, "left over", visible=False)
    companions.remember(result, "residual", residual)
    return cells, result, residual, save_run(viewer, result, folder)


def test_a_run_comes_back_with_its_layers(viewer, second, qtbot, tmp_path):
    cells, result, residual, folder = saved(viewer, qtbot, tmp_path / "run")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "curves.csv", "input.ome.tif", "model.nsr", "residual.ome.tif", "result.ome.tif",
        "run.json", "run.toml",
    ]  # fmt: skip
    layers = open_run(second, folder)
    assert [layer.name for layer in second.layers] == ["cells", "cells FAKE 5", "left over"]
    for layer, before in zip(layers, (result, residual, cells), strict=True):
        assert_alike(layer, before)
    back, left, source = layers
    story = back.metadata["selfsup_recon"]
    assert story == json.loads(json.dumps(result.metadata["selfsup_recon"]))
    assert companions.companion(back, "residual") is left
    assert origin_of(back) is source and not is_result(source)
    assert can_reblur(back)
    (run,) = Session.of(second).log.runs
    (first,) = Session.of(viewer).log.runs
    assert (run.title, run.words) == (first.title, first.words)
    assert [(m.step, m.loss, m.score) for m in run.curves] == [
        (m.step, m.loss, m.score) for m in first.curves
    ]
    np.testing.assert_array_equal(run.thumbnail, first.thumbnail)
    assert RunConfig.load_toml(folder / "run.toml").method == "fake"
    # Its model can be used.
    (made,) = Session.of(second).start(job_to_apply(second, run, source)).wait(20)
    np.testing.assert_allclose(made.data, source.data)
    settle(qtbot)
    # And it can be saved once more from there.
    again = save_run(second, back, tmp_path / "again")
    assert [p.name for p in sorted(again.iterdir())] == names
    # Curves that make no sense are left out, and that is told.
    (again / "curves.csv").write_text("other")
    found = saved_runs.exhaust(saved_runs.open_folder(again))
    assert found.curves == ()
    assert "curves.csv" in found.notes[0]


def test_an_input_that_is_a_file_is_not_copied(viewer, second, qtbot, tmp_path):
    data = np.random.default_rng(0).poisson(50, (6, 24, 20)).astype(np.uint16)
    path = write(tmp_path / "cells.ome.tif", Measurement(data, name="cells"))
    with layer_source(path=str(path)):  # as napari does where it opens a file
        layer = viewer.add_image(data, name="cells")
    (result,) = denoise(viewer, layer, method="fake")
    settle(qtbot)
    folder = save_run(viewer, result, tmp_path / "run")
    assert not list(folder.glob("input*"))
    (moved := tmp_path / "elsewhere").mkdir()
    folder.rename(moved / "run")
    path.rename(moved / "cells.ome.tif")
    opened = open_run(second, moved / "run")  # neither is where it was, but side by side
    assert [layer.name for layer in opened] == [result.name, "cells"]
    second.layers.clear()
    path = (moved / "cells.ome.tif").rename(path)
    opened = open_run(second, moved / "run" / "run.json")
    np.testing.assert_array_equal(opened[-1].data, data)
    write(path, Measurement(data + 1, name="cells"), overwrite=True)
    second.layers.clear()
    found = saved_runs.exhaust(saved_runs.open_folder(moved / "run"))
    assert "has changed" in found.notes[0]
    path.unlink()
    found = saved_runs.exhaust(saved_runs.open_folder(moved / "run"))
    assert "is gone" in found.notes[0]


def test_a_slice_of_a_stack_and_a_large_input(viewer, second, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_runs, "MOST_COPIED", 100)
    cells = add_cells(viewer)
    source = source_of(cells, fixed={0: 2})
    assert source.measurement.spatial_ndim == 2
    layer = add_layer(viewer, source, np.ones((24, 20), np.float32), "slice", provenance={"a": 1})
    log = Session.of(viewer).log
    run = log.add(Run(name="slice", story={}, layer=weakref.ref(layer)))
    folder, notes = saved_runs.exhaust(
        saved_runs.save_folder(saved_runs.gather(run), tmp_path / "r")
    )
    assert "too large" in notes[0]
    (back,) = open_run(second, folder)
    assert_alike(back, layer)
    assert back.data.shape == (1, 24, 20)
    assert read(folder / "result.ome.tif").shape == (24, 20)


def test_scans_come_back_with_their_angles(viewer, second, qtbot, tmp_path, monkeypatch):
    recon_fakes.install(monkeypatch)
    stack, degrees = recon_fakes.sinogram()
    scan = viewer.add_image(stack, name="scan", metadata={"theta_deg": degrees})
    *_, result = reconstruct(viewer, scan, method="fake-recon", baseline="fake-dagger", trust=True)
    settle(qtbot)
    folder = save_run(viewer, result, tmp_path / "scan")
    layers = open_run(second, folder)
    assert len(layers) == 2 + len(companions.all_of(result))
    source = layers[-1]
    np.testing.assert_allclose(source.metadata["theta_deg"], degrees)
    (run,) = Session.of(second).log.runs
    (made,) = Session.of(second).start(job_to_apply(second, run, source)).wait(20)
    settle(qtbot)
    np.testing.assert_allclose(made.data, result.data, rtol=1e-4, atol=1e-6)


def test_nothing_is_replaced_unasked(viewer, qtbot, tmp_path):
    _, result, _, folder = saved(viewer, qtbot, tmp_path / "run")
    with pytest.raises(FileError, match="already exists"):
        save_run(viewer, result, folder)
    save_run(viewer, result, folder, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="not the folder of a saved run"):
        check_run_path(tmp_path / "mine", overwrite=True)
    with pytest.raises(InputError, match="not made in this viewer"):
        save_run(viewer, viewer.layers["cells"], tmp_path / "other")
    viewer.layers.remove(result)
    assert list(tmp_path.glob(".*")) == []


def edit(folder, change):
    values = json.loads((folder / "run.json").read_text())
    change(values)
    (folder / "run.json").write_text(json.dumps(values))


def at(n, **more):
    return lambda values: values["layers"][n].update(more)


HOSTILE = {
    "outside": (at(0, file="../secret.ome.tif"), "not a file of this folder"),
    "absolute": (at(0, file="/etc/passwd"), "not a file of this folder"),
    "model outside": (lambda v: v.update(models=["../model.nsr"]), "not a file of this folder"),
    "no model": (lambda v: v.update(models=["run.json"]), "no name of a model"),
    "missing model": (lambda v: v.update(models=["other.nsr"]), "incomplete"),
    "shape": (at(0, shape=[6, 24, 21]), "does not hold"),
    "no shape": (at(0, shape=[0, 24, 20]), "shape"),
    "many axes": (at(0, shape=[1] * 40), "shape"),
    "scale": (at(0, scale=[0, 1, 1]), "makes no sense"),
    "axes": (at(0, scale=[1, 1]), "makes no sense"),
    "infinite": (at(0, translate=[1e999, 0, 0]), "finite"),
    "affine": (at(0, affine=[[1, 0], [0, 1]]), "makes no sense"),
    "contrast": (at(0, contrast_limits=[1, 1]), "makes no sense"),
    "units": (at(0, units=["parsec per fortnight banana", "um", "um"]), "cannot be shown"),
    "no result": (at(0, role="other"), "no result"),
    "nothing": (lambda v: v.update(layers=[]), "layers"),
    "kind": (lambda v: v.update(kind="other"), "nothing of a run"),
    "newer": (lambda v: v.update(version=99), "newer version"),
    "words": (at(0, name=7), "name"),
}


def test_hostile_folders_are_refused(second, tmp_path, template):
    for case, (change, said) in HOSTILE.items():
        folder = tmp_path / case
        shutil.copytree(template, folder)
        edit(folder, change)
        with pytest.raises(FileError, match=said):
            open_run(second, folder)
        assert len(second.layers) == 0, case
        assert Session.of(second).log.runs == (), case


@pytest.fixture
def template(viewer, qtbot, tmp_path):
    return saved(viewer, qtbot, tmp_path / "template")[-1]


def test_damaged_folders_are_refused(second, template, tmp_path):
    folder, run = read_run(template)
    assert folder == template
    assert SavedRun.model_validate_json(run.model_dump_json()) == run
    edit(template, at(0, colormap="no such colours"))
    assert open_run(second, template)[0].colormap.name == "gray"
    with pytest.raises(FileError, match=r"no run\.json"):
        read_run(tmp_path)
    file = template / "result.ome.tif"
    file.rename(tmp_path / "result.ome.tif")
    file.symlink_to(tmp_path / "result.ome.tif")
    with pytest.raises(FileError, match="not a file of this folder"):  # links are not followed
        open_run(second, template)
    (template / "run.json").write_text("{" * 10000)
    with pytest.raises(FileError, match="cannot be read"):
        read_run(template)
    (template / "run.json").write_text("[]")
    with pytest.raises(FileError, match="nothing of a run"):
        read_run(template)


def test_in_the_dock(viewer, second, qtbot, tmp_path):
    _, result, _, _ = saved(viewer, qtbot, tmp_path / "first")
    dock = opener_of(RunsWidget, viewer, qtbot)()

    def wait(dock):
        qtbot.waitUntil(lambda: not dock._background.busy, timeout=20000)

    dock.files.save_run_to(tmp_path / "run")
    wait(dock)
    assert dock.message.text == "Saved the run as run."
    dock.files.save_run_to(tmp_path / "run")
    wait(dock)
    assert "exists" in dock.message.text
    other = opener_of(RunsWidget, second, qtbot)()
    assert not other.files.save_run.isEnabled()
    other.files.open_run_from(tmp_path / "run")
    wait(other)
    assert other.message.text == "Opened cells FAKE 5."
    assert other.run.title == "cells FAKE 5"
    assert other.apply.isEnabled()
    assert len(second.layers) == 3
    other.files.open_run_from(tmp_path)
    wait(other)
    assert other.message.level == "error"
    # Without its layer there is only the model.
    viewer.layers.remove(result)
    del result
    dock.session.job = None
    dock.session.undo._made.clear()
    dock.refresh()
    gc.collect()
    dock.files.save_run_to(tmp_path / "gone")
    wait(dock)
    assert dock.message.level == "error"
    assert "no layer" in dock.message.text
