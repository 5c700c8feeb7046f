"""The dock of the runs: their list, their models in files and on other layers, undo and redo."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QListWidget, QWidget

import recon_fakes
from fakes import FakeLearned
from gui_helpers import add_cells, opener_of, settle, training
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.io import zoo
from napari_selfsup_recon.io.curves import read_curves
from napari_selfsup_recon.io.models import read_provenance
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.viewer import deconvolve, denoise, reconstruct
from napari_selfsup_recon.widgets import commands, companions, rerun, run_files, run_log
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.model_files import sound
from napari_selfsup_recon.widgets.rerun import BUSY, job_to_apply
from napari_selfsup_recon.widgets.run_log import Run, RunLog
from napari_selfsup_recon.widgets.runs_dock import RunsWidget
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State

pytestmark = [
    pytest.mark.gui,
    pytest.mark.usefixtures("_fakes"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # the library of the zoo
]


@pytest.fixture
def open_dock(viewer, qtbot):
    return opener_of(RunsWidget, viewer, qtbot)


@pytest.fixture
def run(viewer, cells, qtbot):
    """A run of the fake method on the cells, with a baseline."""
    layers = denoise(viewer, cells, method="fake", baseline="fake-classic")
    settle(qtbot)
    return layers


def other(viewer, shape=(4, 30, 26), **more):
    data = np.random.default_rng(1).poisson(20, shape).astype(np.uint16)
    return (
        add_cells(viewer, name="other", **more)
        if shape is None
        else viewer.add_image(
            data,
            **(
                {
                    "name": "other",
                    "scale": (2, 0.5, 0.5)[-len(shape) :],
                    "units": ("um",) * len(shape),
                }
                | more
            ),
        )
    )


def wait(dock, qtbot):
    qtbot.waitUntil(lambda: not (dock.session.busy or dock._background.busy), timeout=20000)


def test_runs_are_listed_with_what_they_tell(viewer, cells, run, open_dock, qtbot):
    dock = open_dock()
    learned, baseline = dock.session.log.runs
    assert dock.list.count() == 2
    assert dock.run is learned
    assert learned.title == "cells FAKE 5"
    assert learned.words.startswith("FAKE, 5 steps, held-out 0.2")
    assert dock.list.item(0).text().splitlines()[0] == "cells FAKE 5"
    assert not dock.list.item(0).icon().isNull()
    assert baseline.title == "cells FAKE-CLASSIC 4"
    assert baseline.score is None
    # The thumbnail is the middle slice, in the contrast of the layer.
    middle = (run[1].data[3] - 10) / 80 * 255
    np.testing.assert_allclose(learned.thumbnail, middle.clip(0, 255), atol=1)
    run[1].name = "renamed"
    assert dock.list.item(0).text().startswith("renamed\n")
    denoise(viewer, cells, method="fake", options={"steps": 7})
    settle(qtbot)
    assert dock.run.title == "cells FAKE 7"
    dock.list.setCurrentRow(2)
    assert dock.run is baseline
    assert not dock.save.isEnabled()
    assert "trained no network" in dock._why.text()
    assert "trained no network" in dock.save.toolTip()


def test_tries_are_not_listed(viewer, cells, qtbot):
    session = Session.of(viewer)
    from gui_helpers import make_job

    job = make_job(viewer, cells)
    job.preview = True
    session.start(job).wait(20)
    assert session.log.runs == ()
    assert session.undo.last == job.layers
    settle(qtbot)


def test_save_and_load(viewer, run, open_dock, qtbot, tmp_path):
    dock = open_dock()
    dock.files.save_to(tmp_path / "model")
    wait(dock, qtbot)
    assert dock.message.text == "Saved model.nsr."
    story = read_provenance(tmp_path / "model.nsr")
    assert story["method"] == "fake"
    assert story["steps"] == 5
    dock.files.save_to(tmp_path / "model.nsr")
    wait(dock, qtbot)
    assert dock.message.level == "error"
    assert "exists" in dock.message.text
    dock.files.load_from(tmp_path / "model.nsr")
    wait(dock, qtbot)
    assert dock.run.title == "model.nsr"
    assert dock.run.words == dock.session.log.runs[1].words
    assert not dock.train.isEnabled()
    assert "from a file" in dock._why.text()
    (tmp_path / "broken.nsr").write_bytes(b"nothing")
    dock.files.load_from(tmp_path / "broken.nsr")
    wait(dock, qtbot)
    assert dock.message.level == "error"
    assert "broken.nsr" in dock.message.text
    assert dock.list.count() == 3


def test_curves_are_saved(viewer, cells, run, open_dock, qtbot, tmp_path, monkeypatch):
    dock = open_dock()
    asked = []

    def ask(parent, title, name, kinds):
        asked.append(name)
        return str(tmp_path / "curves"), kinds

    monkeypatch.setattr(run_files.QFileDialog, "getSaveFileName", ask)
    dock.files.curves.click()
    assert asked == ["cells FAKE 5.csv"]
    assert dock.message.text == "Saved curves.csv."
    marks = read_curves(tmp_path / "curves.csv")
    assert [mark.step for mark in marks] == [1, 2, 3, 4, 5]
    assert [mark.loss for mark in marks] == [2 / n for n in range(1, 6)]
    assert [mark.score for mark in marks] == [1, None, 1 / 3, None, 1 / 5]
    dock.files.curves.click()
    assert dock.message.level == "error"
    assert "exists" in dock.message.text
    dock.list.setCurrentRow(1)
    assert not dock.files.curves.isEnabled()
    assert "no curves" in dock.files.curves.toolTip()


def test_curves_are_saved_beside_the_plot(viewer, cells, qtbot, tmp_path, monkeypatch):
    path = tmp_path / "plot.csv"
    monkeypatch.setattr(run_files.QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    dock = opener_of(ReconWidget, viewer, qtbot)()
    assert not dock.run_card.save_curves.isVisible()
    denoise(viewer, cells, method="fake")
    settle(qtbot)
    assert dock.run_card.save_curves.isVisible()
    dock.run_card.save_curves.click()
    assert len(read_curves(path)) == 5


def test_export_for_the_zoo(viewer, qtbot, open_dock, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    layer = viewer.add_image(rng.poisson(30, (40, 40)).astype(np.float32), name="small")
    quick = {"crop": 32, "batch": 1, "width": 4, "ensemble": False, "steps": 2}
    denoise(viewer, layer, method="ssi", options=quick)
    settle(qtbot)
    dock = open_dock()
    monkeypatch.setattr(rerun, "available", lambda: False)
    dock.refresh()
    assert not dock.files.zoo.isEnabled()
    assert "pip install" in dock.files.zoo.toolTip()
    monkeypatch.setattr(rerun, "available", lambda: True)
    dock.refresh()
    assert dock.files.zoo.isEnabled()
    if zoo.available():
        dock.files.export_to(tmp_path / "small.zip")
        wait(dock, qtbot)
        assert dock.message.text == "Saved small.zip; it is valid."
    monkeypatch.setattr(zoo, "available", lambda: True)
    (tmp_path / "there.zip").write_text("mine")
    dock.files.export_to(tmp_path / "there.zip")
    wait(dock, qtbot)
    assert "exists" in dock.message.text
    viewer.layers.remove(layer)
    dock.session.job = None
    dock.session.undo._made.clear()
    del layer
    gc.collect()
    dock.refresh()
    assert not dock.files.zoo.isEnabled()


def test_what_does_not_fit_the_zoo_is_told(viewer, run, open_dock, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(rerun, "available", lambda: True)
    monkeypatch.setattr(zoo, "available", lambda: True)
    dock = open_dock()
    dock.files.export_to(tmp_path / "fake")
    wait(dock, qtbot)
    assert "needs the instrument" in dock.message.text


def test_apply_to_another_layer(viewer, run, open_dock, qtbot):
    dock = open_dock()
    flat = other(viewer, (30, 26), name="flat")
    target = other(viewer, translate=(1, 2, 3))
    viewer.layers.selection.active = target
    dock.refresh()
    assert dock.layer.layer is target
    names = [dock.layer.itemText(n) for n in range(dock.layer.count())]
    assert names == ["cells", "other"]  # neither results nor images of another kind
    before = target.data.copy()
    trained = FakeLearned.closed
    dock.apply.click()
    assert not dock.apply.isEnabled()
    assert BUSY in dock._why.text()
    wait(dock, qtbot)
    settle(qtbot)
    assert FakeLearned.closed == trained  # nothing was learned
    made = viewer.layers["other FAKE 5"]
    np.testing.assert_allclose(made.data, before)  # the fake with all of its steps returns it
    np.testing.assert_allclose(made.translate, target.translate)
    np.testing.assert_array_equal(target.data, before)
    story = made.metadata["selfsup_recon"]
    assert story["reason"] == "applied"
    assert story["source"]["name"] == "other"
    assert story["source"]["model"]["learned_from"]["name"] == "cells"
    assert story["scores"] == {}
    assert dock.run.title == "other FAKE 5"
    assert dock.run.words.startswith("FAKE applied, 5 steps")
    assert not dock.run.models
    assert flat.name == "flat"


def test_a_model_from_a_file_is_applied_without_its_image(viewer, run, open_dock, qtbot, tmp_path):
    dock = open_dock()
    dock.files.save_to(tmp_path / "model.nsr")
    wait(dock, qtbot)
    dock.session.log.forget(dock.session.log.runs[0])
    viewer.layers.clear()
    dock.files.load_from(tmp_path / "model.nsr")
    wait(dock, qtbot)
    assert not dock.apply.isEnabled()
    assert "No image here fits" in dock._why.text()
    other(viewer)
    assert dock.apply.isEnabled()
    dock.apply.click()
    wait(dock, qtbot)
    settle(qtbot)
    assert viewer.layers[-1].name == "other FAKE 5"


def test_no_image_fits(viewer, cells, run, open_dock):
    dock = open_dock()
    flat = other(viewer, (30, 26), name="flat")
    viewer.layers.remove(cells)
    assert dock.layer.count() == 0
    assert not dock.apply.isEnabled()
    with pytest.raises(InputError, match="volumes"):
        job_to_apply(viewer, dock.run, flat)


def test_voxels_of_another_size_do_not_fit_a_psf(viewer, cells, qtbot):
    psf = np.zeros((3, 3, 3))
    psf[1] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    deconvolve(viewer, cells, psf, method="fake", baseline=None)
    settle(qtbot)
    (run,) = Session.of(viewer).log.runs
    coarse = other(viewer, scale=(2, 0.7, 0.7))
    with pytest.raises(InputError, match=r"voxels of 2 x 0\.5 x 0\.5"):
        job_to_apply(viewer, run, coarse)
    job = Session.of(viewer).start(job_to_apply(viewer, run, other(viewer, name="fine")))
    (made,) = job.wait(20)
    assert made.metadata["selfsup_recon"]["physics"]["kind"] == "blur"
    settle(qtbot)


def test_train_on(viewer, cells, run, open_dock, qtbot):
    dock = open_dock()
    first = dock.run
    dock.steps.setValue(3)
    dock.train.click()
    wait(dock, qtbot)
    settle(qtbot)
    assert dock.run is not first
    assert dock.run.title == "cells FAKE 8"
    assert dock.session.job.facts.losses[0][0] == 6  # it went on
    story = dock.run.story
    assert story["options"]["steps"] == 8
    assert story["source"]["model"] == {"name": "cells FAKE 5", "trained_on_from": 5}
    assert "cells FAKE-CLASSIC 4 [2]" not in viewer.layers
    dock.train.click()
    wait(dock, qtbot)
    assert dock.run.steps == 11
    settle(qtbot)


def test_training_does_not_go_on_with_other_data(viewer, cells, run, open_dock, qtbot):
    dock = open_dock()
    cells.data = cells.data + 1
    dock.train.click()
    wait(dock, qtbot)
    assert dock.session.state is State.FAILED
    assert "has changed" in dock.message.text
    settle(qtbot)
    viewer.layers.remove(cells)
    del cells
    viewer.layers.selection.clear()


def test_a_removed_layer_cannot_be_trained_on(viewer, qtbot, open_dock):
    layer = add_cells(viewer)
    denoise(viewer, layer, method="fake")
    settle(qtbot)
    dock = open_dock()
    assert dock.train.isEnabled()
    reference = weakref.ref(layer)
    viewer.layers.remove(layer)
    Session.of(viewer).job = None
    del layer
    gc.collect()
    assert reference() is None  # neither list nor undo hold it
    dock.refresh()
    assert not dock.train.isEnabled()
    assert "removed" in dock._why.text()
    assert dock.save.isEnabled()


def test_ssi_goes_on_as_if_it_had_never_ended(viewer, qtbot):
    rng = np.random.default_rng(0)
    layer = viewer.add_image(rng.poisson(30, (32, 32)).astype(np.float32), name="small")
    quick = {"crop": 32, "batch": 1, "width": 4, "ensemble": False}
    denoise(viewer, layer, method="ssi", options={**quick, "steps": 8})
    session = Session.of(viewer)
    (run,) = session.log.runs
    state = run.models[0].state
    assert state["step"] == 8
    from napari_selfsup_recon.widgets.rerun import job_to_train_on

    (made,) = session.start(job_to_train_on(viewer, run, 6)).wait(60)
    settle(qtbot)
    assert made.name == "small SSI 14"
    assert session.job.facts.losses[0][0] == 9
    # The same as the method itself does from that state.
    from napari_selfsup_recon import SSI
    from napari_selfsup_recon.physics.identity import Identity

    steps = {"steps": 14, "patience": SSIOptions().patience + 8 - state["best_step"]}
    ssi = SSI(Identity((32, 32)), SSIOptions(**quick, **steps))
    for _ in ssi.train(layer.data, state=state):
        pass
    np.testing.assert_allclose(made.data, ssi.reconstruct(layer.data), rtol=1e-4)
    assert session.log.runs[0].models[0].state["step"] == 14


def test_a_model_that_reconstructs_is_applied_to_another_scan(
    viewer, qtbot, monkeypatch, tmp_path, open_dock
):
    recon_fakes.install(monkeypatch)
    stack, degrees = recon_fakes.sinogram()
    facts = {"metadata": {"theta_deg": degrees.tolist()}}
    scan = viewer.add_image(stack, name="scan", **facts)
    *_, result = reconstruct(viewer, scan, method="fake-recon", baseline="fake-dagger")
    settle(qtbot)
    second = viewer.add_image(2 * stack, name="second", **facts)
    viewer.add_image(stack[:, :-4], name="narrow", **facts)
    dock = open_dock()
    viewer.layers.selection.active = second
    dock.refresh()
    assert [dock.layer.itemText(n) for n in range(dock.layer.count())] == ["scan", "second"]
    dock.apply.click()
    wait(dock, qtbot)
    settle(qtbot)
    made = viewer.layers[-1]
    assert made.name.startswith("second FAKE-RECON")
    np.testing.assert_allclose(made.data, 2 * result.data, rtol=1e-4, atol=1e-6)
    dock.list.setCurrentRow(1)
    dock.files.save_to(tmp_path / "scan.nsr")
    wait(dock, qtbot)
    dock.files.load_from(tmp_path / "scan.nsr")
    wait(dock, qtbot)
    assert dock.message.text == "Loaded scan.nsr."
    assert dock.apply.isEnabled()
    assert dock.layer.count() == 2


def test_undo_takes_away_the_last_result_and_nothing_else(viewer, cells, run, open_dock, qtbot):
    dock = open_dock()
    companion = add_layer(viewer, source_of(cells), run[1].data, "noise")
    companions.remember(run[1], "residual", companion)
    own = other(viewer)
    names = [layer.name for layer in viewer.layers]
    assert "cells FAKE 5" in dock._last.text()
    dock.undo.click()
    assert list(viewer.layers) == [cells, own]
    assert not dock.undo.isEnabled()
    assert "There is no result" in dock.undo.toolTip()
    assert dock.list.count() == 2  # their models are kept
    dock.redo.click()
    assert [layer.name for layer in viewer.layers] == names
    assert viewer.layers["cells FAKE 5"] is run[1]
    assert companions.companion(run[1], "residual") is companion
    assert not dock.redo.isEnabled()
    # A layer that was removed by hand is passed over.
    viewer.layers.remove(run[0])
    dock.undo.click()
    assert list(viewer.layers) == [cells, own]
    dock.redo.click()
    assert list(viewer.layers) == [cells, run[1], companion, own]


def test_undo_goes_back_run_by_run(viewer, cells, run, qtbot):
    undo = Session.of(viewer).undo
    denoise(viewer, cells, method="fake", options={"steps": 6})
    settle(qtbot)
    assert [layer.name for layer in undo.undo()] == ["cells FAKE 6"]
    assert [layer.name for layer in undo.undo()] == ["cells FAKE-CLASSIC 4", "cells FAKE 5"]
    assert undo.undo() == []
    assert list(viewer.layers) == [cells]
    assert [layer.name for layer in undo.redo()] == ["cells FAKE-CLASSIC 4", "cells FAKE 5"]
    denoise(viewer, cells, method="fake", options={"steps": 9})
    settle(qtbot)
    assert undo.redo() == []  # what came between cannot come back any more
    assert [layer.name for layer in undo.undo()] == ["cells FAKE 9"]


def test_nothing_else_while_a_run_is_under_way(viewer, cells, run, open_dock, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr(commands, "show_info", said.append)
    monkeypatch.setattr(commands.napari, "current_viewer", lambda: viewer)
    dock = open_dock()
    job = denoise(
        viewer, cells, method="fake", options={"steps": 5000, "delay": 0.02}, background=True
    )
    for push in (dock.save, dock.files.load, dock.apply, dock.train, dock.undo, dock.redo):
        assert not push.isEnabled()
        assert BUSY in push.toolTip()
    commands.undo_last_result()
    assert said == [BUSY]
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    assert dock._state.isVisible()
    job.discard()
    job.wait(20)
    settle(qtbot)
    assert dock.undo.isEnabled()
    commands.undo_last_result()
    assert list(viewer.layers) == [cells]
    commands.undo_last_result()
    assert "no result" in said[-1]
    commands.redo_last_result()
    assert len(viewer.layers) == 3
    commands.redo_last_result()
    assert said[-1] == "Nothing was undone."


def test_memory_is_bounded_and_forgetting_frees(viewer, run, open_dock):
    dock = open_dock()
    kept = weakref.ref(dock.run.models[0])
    dock.files.forget.click()
    gc.collect()
    assert kept() is None
    assert dock.list.count() == 1
    assert "cells FAKE 5" in viewer.layers


def test_old_runs_let_go(viewer, run):
    model = Session.of(viewer).log.runs[0].models[0]
    assert model.state is not None
    log = RunLog()
    for number in range(run_log.MOST_RUNS + 5):
        log.add(Run(name=str(number), story={}, models=(model,)))
    runs = log.runs
    assert len(runs) == run_log.MOST_RUNS
    assert runs[0].name == str(run_log.MOST_RUNS + 4)
    assert sum(bool(r.models) for r in runs) == run_log.MOST_MODELS
    assert sum(bool(r.models and r.models[0].state) for r in runs) == run_log.MOST_STATES


def test_every_control_has_a_name_and_a_tooltip(viewer, run, open_dock):
    dock = open_dock()
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QListWidget)
    controls = [w for w in dock.findChildren(QWidget) if isinstance(w, kinds)]
    assert len(controls) >= 10
    for widget in controls:
        assert widget.accessibleName(), widget
        assert len(widget.toolTip()) > 10, widget.accessibleName()
    assert dock.minimumSizeHint().width() <= 300


def test_in_a_window_with_undo_and_closing(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    cells = add_cells(viewer)
    dock = RunsWidget(viewer)
    viewer.window.add_dock_widget(dock, name="runs")
    denoise(viewer, cells, method="fake", baseline="fake-classic")
    settle(qtbot)
    assert dock.list.count() == 2
    dock.undo.click()
    assert [layer.name for layer in viewer.layers] == ["cells"]
    dock.redo.click()
    assert len(viewer.layers) == 3
    dock.steps.setValue(4000)
    dock.train.click()
    viewer.close()
    qtbot.waitUntil(lambda: dock.session.job.done, timeout=60_000)
    settle(qtbot)


def test_what_a_file_tells_is_not_believed():
    told = {
        "steps": "many",
        "seconds": [3],
        "scores": {"reported": "good", "chosen": 0.5},
        "source": {"name": "x", "shape": [1, 2], "axes": ["y", "x"], "scale": ["a", "b"]},
        "run": 7,
    }
    run = Run(name="file", story=sound(told))
    assert (run.steps, run.score) == (0, 0.5)
    assert run.story["source"] == {"name": "x"}
    assert "run" not in run.story
    assert sound({"source": {"scale": 3}, "scores": None})["source"] == {}
