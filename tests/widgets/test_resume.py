"""Runs that were ended with their window, and go on in another one."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.qt.threading import GeneratorWorker
from qtpy.QtWidgets import QPushButton

import fakes
from gui_helpers import add_cells, opener_of, settle, training
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io.states import read_facts, read_state, save_state
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.runs import stash
from napari_selfsup_recon.runs.stash import folder, unfinished
from napari_selfsup_recon.viewer import deconvolve, denoise
from napari_selfsup_recon.widgets import preferences
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.resume import job_to_resume, offers
from napari_selfsup_recon.widgets.runs_dock import RunsWidget
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]
SLOW = {"steps": 4000, "delay": 0.02}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(stash, "WORTH", 0.0)
    monkeypatch.setattr(stash.Stash, "_next", 0.0)


def end(job, qtbot):
    """End a job as closing its window does."""
    job._worker.quit()
    qtbot.waitUntil(lambda: job.done, timeout=20000)
    settle(qtbot)


def begun(viewer, layer, qtbot, **more):
    job = denoise(viewer, layer, method="fake", options=SLOW, background=True, **more)
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    return job


def test_closing_the_viewer_keeps_what_was_learned(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    job = begun(viewer, add_cells(viewer), qtbot)
    assert unfinished() == []  # it is still under way
    began = time.monotonic()
    viewer.close()
    GeneratorWorker.await_workers(60_000)
    assert time.monotonic() - began < 5  # a loose bound: measured alone it is below 1 s
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    settle(qtbot)
    (kept,) = unfinished()
    assert kept.facts["name"] == "cells"
    assert job.facts.step <= kept.facts["step"] < SLOW["steps"]
    assert kept.facts["total"] == SLOW["steps"]
    assert [path.name for path in folder().iterdir()] == [kept.path.name]


@pytest.mark.parametrize("kind", [ReconWidget, RunsWidget])
def test_it_is_offered_for_the_same_image_and_goes_on(viewer, qtbot, kind, monkeypatch):
    monkeypatch.setitem(SLOW, "steps", 60)
    job = begun(viewer, add_cells(viewer), qtbot, baseline="fake-classic")
    end(job, qtbot)
    step = unfinished()[0].facts["step"]
    other = ViewerModel()
    dock = opener_of(kind, other, qtbot)()
    wrong = add_cells(other, name="cells")
    wrong.data = wrong.data + 1
    qtbot.wait(300)
    assert dock.resume.offer is None
    assert not dock.resume.isVisible()
    add_cells(other, name="whatever it is called")
    qtbot.waitUntil(lambda: dock.resume.offer is not None, timeout=5000)
    assert dock.resume.isVisible()
    assert f"'whatever it is called' was ended with its window at step {step} of 60" in (
        dock.resume.message.text
    )
    for push in dock.resume.findChildren(QPushButton):
        assert push.accessibleName() and len(push.toolTip()) > 10
    dock.resume.resume()
    assert not dock.resume.isVisible()
    session = Session.of(other)
    (made,) = session.job.wait(20)
    settle(qtbot)
    assert session.job.facts.losses[0][0] == step + 1
    assert made.name == "whatever it is called FAKE 60"
    story = made.metadata["selfsup_recon"]
    assert story["source"]["model"] == {"resumed_from": step}
    assert story["steps"] == 60
    assert unfinished() == []
    assert list(folder().iterdir()) == []


def test_discarding_removes_it(viewer, qtbot, cells):
    end(begun(viewer, cells, qtbot), qtbot)
    dock = opener_of(RunsWidget, viewer, qtbot)()
    qtbot.waitUntil(lambda: dock.resume.offer is not None, timeout=5000)
    dock.resume.discard()
    assert unfinished() == []
    qtbot.wait(300)
    assert not dock.resume.isVisible()


def test_nothing_is_left_of_runs_that_end_otherwise(viewer, qtbot, cells, monkeypatch):
    job = begun(viewer, cells, qtbot)
    qtbot.waitUntil(lambda: any(folder().glob("*.safetensors")), timeout=5000)  # while it trains
    job.discard()
    job.wait(20)
    settle(qtbot)
    assert list(folder().iterdir()) == []
    job = begun(viewer, cells, qtbot)
    job.stop()
    job.wait(20)
    denoise(viewer, cells, method="fake")
    settle(qtbot)
    failing = {"failure": "unstable", "fail_at": 4}
    job = denoise(viewer, cells, method="fake", options=failing, background=True)
    qtbot.waitUntil(lambda: job.done, timeout=5000)
    assert job.state is State.FAILED
    settle(qtbot)
    assert list(folder().iterdir()) == []
    # Nor where nobody wants it, of a short training, and of several frames.
    monkeypatch.setattr(preferences, "keeps_unfinished", lambda: False)
    end(begun(viewer, cells, qtbot), qtbot)
    monkeypatch.setattr(preferences, "keeps_unfinished", lambda: True)
    frames = add_cells(viewer, axis_labels=("t", "y", "x"))
    end(begun(viewer, frames, qtbot), qtbot)
    monkeypatch.setattr(stash, "WORTH", 60.0)
    monkeypatch.setattr(stash.Stash, "_next", 60.0)
    end(begun(viewer, cells, qtbot), qtbot)
    assert list(folder().iterdir()) == []


def test_it_is_bounded(viewer, qtbot, cells, monkeypatch):
    for _ in range(stash.MOST + 1):
        end(begun(viewer, cells, qtbot), qtbot)
    assert len(unfinished()) == stash.MOST
    old = unfinished()[-1].path
    os.utime(old, (0, 0))
    monkeypatch.setattr(stash, "MOST", 10)
    end(begun(viewer, cells, qtbot), qtbot)
    assert not old.exists()
    kept = unfinished()
    monkeypatch.setattr(stash, "versions", lambda: {"napari-selfsup-recon": "99"})
    assert unfinished() == []  # what another version wrote is not understood
    monkeypatch.undo()
    assert kept


def test_a_psf_comes_back_and_damage_is_told(viewer, qtbot, cells):
    psf = np.zeros((3, 3, 3), np.float32)
    psf[1] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    job = deconvolve(
        viewer, cells, psf, method="fake", options=SLOW, baseline=None, background=True
    )
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    end(job, qtbot)
    (offer,) = offers(unfinished(), list(viewer.layers))
    again = job_to_resume(viewer, offer).again
    np.testing.assert_array_equal(again.psf(), psf)
    assert again.config == job.again.config
    path = offer.unfinished.path
    path.write_bytes(path.read_bytes()[:-7] + b"garbage")
    path.write_bytes(b"garbage" * 100)
    assert unfinished() == []
    with pytest.raises(FileError, match="damaged"):
        job_to_resume(viewer, offer)
    path.unlink()
    dock = opener_of(RunsWidget, viewer, qtbot)()
    dock.resume._show(offer)
    dock.resume.resume()
    assert dock.resume.message.level == "error"


def test_ssi_goes_on_as_if_its_window_had_never_closed(viewer, qtbot):
    rng = np.random.default_rng(0)
    layer = viewer.add_image(rng.poisson(30, (32, 32)).astype(np.float32), name="small")
    quick = {"crop": 32, "batch": 1, "width": 4, "ensemble": False, "steps": 40}
    job = denoise(viewer, layer, method="ssi", options=quick, background=True)
    qtbot.waitUntil(lambda: job.facts.step >= 5, timeout=60_000)
    end(job, qtbot)
    (offer,) = offers(unfinished(), list(viewer.layers))
    assert 5 <= offer.unfinished.facts["step"] < 40
    (made,) = Session.of(viewer).start(job_to_resume(viewer, offer)).wait(60)
    settle(qtbot)
    from napari_selfsup_recon import SSI
    from napari_selfsup_recon.physics.identity import Identity

    ssi = SSI(Identity((32, 32)), SSIOptions(**quick))
    ssi.fit(layer.data, progress=False)
    np.testing.assert_allclose(made.data, ssi.reconstruct(layer.data), rtol=1e-4)


def test_states_come_back_as_they_were(tmp_path):
    shared = torch.arange(6.0).reshape(2, 3).t()
    state = {
        "step": 7,
        "best": float("inf"),
        "none": None,
        "yes": True,
        "pair": (1, "two"),
        "optimiser": {"state": {0: {"exp": shared, "half": torch.ones(2, dtype=torch.bfloat16)}}},
        "list": [shared, np.float32(0.5), np.arange(3)],
    }
    path = tmp_path / "state.safetensors"
    size = save_state(path, {"a": 1}, state, 10_000)
    assert size == 2 * 24 + 4 + 24
    assert read_facts(path) == {"a": 1}
    back = read_state(path)
    assert list(back) == list(state)
    for key in ("step", "best", "none", "yes", "pair"):
        assert back[key] == state[key]
    assert torch.equal(back["optimiser"]["state"][0]["exp"], shared)
    assert back["optimiser"]["state"][0]["half"].dtype is torch.bfloat16
    assert back["list"][1] == 0.5
    np.testing.assert_array_equal(back["list"][2], np.arange(3))
    with pytest.raises(InputError, match="more than is kept"):
        save_state(path, {}, state, 10)
    with pytest.raises(InputError, match="holds a set"):
        save_state(path, {}, {"a": {1}}, 10)
    nested = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(InputError, match="too deeply"):
        save_state(path, {}, {"a": nested}, 10)
    assert read_facts(path) == {"a": 1}  # nothing was lost
    from safetensors.torch import save_file

    for note in ("{", "[]", '{"version": 2}', '{"version": 1, "facts": {}, "tree": {"eval": 1}}'):
        save_file({}, path, metadata={"napari-selfsup-recon": note})
        with pytest.raises(FileError, match="damaged"):
            read_state(path)


def test_the_fake_is_closed(viewer, qtbot, cells):
    closed = fakes.FakeLearned.closed
    end(begun(viewer, cells, qtbot), qtbot)
    assert fakes.FakeLearned.closed == closed + 1
