"""What a run took is given back: arrays, networks, plans, threads."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QObject

import fakes
from gui_helpers import add_cells, make_job, settle, training
from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.widgets.bridge import Source
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.live import LiveLayer
from napari_selfsup_recon.widgets.session import Session

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]

HOW = {
    "done": {},
    "stopped": {"steps": 5000, "delay": 0.02},
    "discarded": {"steps": 5000, "delay": 0.02},
    "memory ran out": {"failure": "oom", "steps": 8},
    "a bug": {"failure": "value"},
    "unstable": {"failure": "unstable"},
}


@pytest.fixture(autouse=True)
def what_was_there_before():
    """Leave it aside: looking through all that libraries have made takes half a second a time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def collect():
    for _ in range(2):
        gc.collect()


@pytest.mark.parametrize("how", HOW)
def test_what_a_person_removes_is_gone_however_the_run_ended(viewer, cells, qtbot, how):
    session = Session.of(viewer)
    alive = len(fakes.FakeLearned.alive)
    job = session.start(make_job(viewer, cells, baseline="fake-classic", **HOW[how]))
    if how in ("stopped", "discarded"):
        qtbot.waitUntil(lambda: training(job), timeout=10000)
        (job.stop if how == "stopped" else job.discard)()
    try:
        job.wait(20)
    except ReconError:
        assert HOW[how]
    settle(qtbot)
    collect()
    assert len(fakes.FakeLearned.alive) == alive  # only its weights are kept, for the runs dock
    assert job.made
    gone = [
        weakref.ref(thing)
        for layer in viewer.layers
        if layer is not cells
        for thing in (layer, layer.data)
    ]
    assert gone
    keep_only(viewer, cells)
    assert [reference() for reference in gone] == [None] * len(gone)
    assert session.job is job
    assert job.layers == job.made == []


def keep_only(viewer, layer):
    """Remove all other layers, as a person does who goes on with this one."""
    viewer.layers.selection.active = layer  # an empty selection of napari holds its last layer
    for index in reversed(range(len(viewer.layers))):
        if viewer.layers[index] is not layer:
            del viewer.layers[index]
    collect()


def test_the_input_is_let_go_too(viewer, qtbot):
    layer = add_cells(viewer)
    job = Session.of(viewer).start(make_job(viewer, layer))
    job.wait(20)
    settle(qtbot)
    other = viewer.add_points(name="other")
    array, reference = weakref.ref(layer.data), weakref.ref(layer)
    del layer
    keep_only(viewer, other)
    assert reference() is None
    assert array() is None
    assert job.source.name == "cells"
    assert job.source.measurement.shape == (6, 24, 20)


COUNTED = (Image, Job, LiveLayer, Measurement, np.ndarray, RunPlan, Source, threading.Thread)


def census():
    collect()
    found = Counter(
        kind.__name__
        for thing in gc.get_objects()
        for kind in COUNTED
        if issubclass(type(thing), kind)
    )
    return found | Counter(fakes=len(fakes.FakeLearned.alive))


def test_ten_runs_leave_what_three_leave(viewer, cells, qtbot):
    session = Session.of(viewer)
    counts, objects = [], []
    for number in range(10):
        session.start(make_job(viewer, cells, baseline="fake-classic", steps=3)).wait(20)
        for run in session.log.runs:
            session.log.forget(run)
        keep_only(viewer, cells)
        settle(qtbot)
        if number in (2, 9):
            counts.append(census())
            objects.append(len(gc.get_objects()))
    assert counts[0] == counts[1]
    # What is remembered of seven runs: a few small records, not the thousands of a layer.
    assert objects[1] - objects[0] < 7 * 60


def test_a_viewer_that_is_gone_takes_its_session_along(qtbot):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    cells = add_cells(viewer)
    session = Session.of(viewer)
    session.start(make_job(viewer, cells)).wait(20)
    settle(qtbot)
    gone = [weakref.ref(x) for x in (viewer, session, session.job, cells)]
    del viewer, session, cells
    collect()
    assert [reference() for reference in gone] == [None] * 4


def test_a_dock_that_is_deleted_is_gone(viewer, cells, qtbot):
    from napari_selfsup_recon.widgets.dock import ReconWidget

    dock = ReconWidget(viewer)
    session, reference = dock.session, weakref.ref(dock)
    dock.close()
    QObject.deleteLater(dock)
    del dock
    qtbot.waitUntil(lambda: _gone(reference), timeout=5000)
    assert Session.of(viewer) is session


def _gone(reference):
    collect()
    return reference() is None
