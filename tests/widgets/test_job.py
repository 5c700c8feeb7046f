"""A job: results, pause, stop, discard, and everything that can go wrong."""

from __future__ import annotations

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker

import fakes
from gui_helpers import add_cells, make_job, settle, training
from napari_selfsup_recon.core.errors import (
    InputError,
    JobFailedError,
    OutOfMemoryError,
    UnstableTrainingError,
)
from napari_selfsup_recon.core.events import Stage, Step
from napari_selfsup_recon.widgets.driver import Progress
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


def test_a_run_adds_results_in_the_place_of_the_source(viewer, cells, qtbot):
    job = make_job(
        viewer, cells, baseline="fake-classic", region=((1, 5), (4, 20), (2, 18))
    ).start()
    layers = job.wait(20)
    assert job.state is State.DONE
    assert [layer.name for layer in layers] == ["cells FAKE-CLASSIC 4", "cells FAKE 5"]
    for layer in layers:
        assert layer.data.shape == (4, 16, 16)
        assert layer.data.dtype == np.float32
        np.testing.assert_allclose(layer.scale, (2.0, 0.5, 0.5))
        np.testing.assert_allclose(layer.translate, (1 + 2.0, 2 + 4 * 0.5, 3 + 2 * 0.5))
        assert layer.units == cells.units
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.contrast_limits == [10, 90]
        assert layer.metadata["selfsup_recon"]["method"].startswith("fake")
    assert "cells FAKE (live)" not in viewer.layers
    settle(qtbot)


def test_previews_live_in_one_layer_in_place(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=5000, delay=0.01, region=((0, 6), (4, 20), (2, 18))).start()
    qtbot.waitUntil(lambda: "cells FAKE (live)" in viewer.layers, timeout=10000)
    live = viewer.layers["cells FAKE (live)"]
    first = live.data.copy()
    limits = list(live.contrast_limits)
    np.testing.assert_allclose(live.translate, (1, 2 + 4 * 0.5, 3 + 2 * 0.5))
    qtbot.waitUntil(lambda: not np.array_equal(live.data, first), timeout=5000)
    assert list(live.contrast_limits) == limits
    assert sum("(live)" in layer.name for layer in viewer.layers) == 1
    job.stop()
    (result,) = job.wait(20)
    assert job.state is State.DONE
    assert "cells FAKE (live)" not in viewer.layers
    steps = result.metadata["selfsup_recon"]["steps"]
    assert 0 < steps < 5000
    assert result.metadata["selfsup_recon"]["reason"] == "stopped"
    settle(qtbot)


def test_pause_holds_and_resume_goes_on(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=5000, delay=0.02).start()
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    job.pause()
    assert job.state is State.PAUSED
    qtbot.wait(300)
    held = job.facts.step
    qtbot.wait(300)
    assert job.facts.step == held < 5000
    job.resume()
    assert job.state is State.RUNNING
    qtbot.waitUntil(lambda: job.facts.step > held, timeout=5000)
    job.stop()
    assert len(job.wait(20)) == 1
    settle(qtbot)


def test_stop_while_paused_keeps_the_result(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=5000, delay=0.02).start()
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    job.pause()
    qtbot.wait(150)
    job.stop()
    assert job.state is State.STOPPING
    assert len(job.wait(20)) == 1
    settle(qtbot)


@pytest.mark.parametrize("paused", [False, True])
def test_discard_adds_nothing(viewer, cells, qtbot, paused):
    closed = fakes.FakeLearned.closed
    job = make_job(viewer, cells, steps=5000, delay=0.02).start()
    qtbot.waitUntil(lambda: "cells FAKE (live)" in viewer.layers, timeout=10000)
    if paused:
        job.pause()
        qtbot.wait(150)
    job.discard()
    assert job.wait(20) == []
    assert job.state is State.READY
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert fakes.FakeLearned.closed == closed + 1
    settle(qtbot)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("oom", OutOfMemoryError),
        ("runtime", JobFailedError),
        ("value", JobFailedError),
        ("unstable", UnstableTrainingError),
    ],
)
def test_failures_are_told_and_leave_no_bar(viewer, cells, qtbot, failure, error):
    job = make_job(viewer, cells, baseline="fake-classic", failure=failure, fail_at=1).start()
    with pytest.raises(error):
        job.wait(20)
    assert job.state is State.FAILED
    assert "Traceback" in job.details
    assert [layer.name for layer in job.layers] == ["cells FAKE-CLASSIC 4"]
    settle(qtbot)


def test_memory_that_runs_out_later_keeps_what_was_reached(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=50, failure="oom", fail_at=20).start()
    with pytest.raises(OutOfMemoryError):
        job.wait(20)
    assert [layer.name for layer in job.layers] == ["cells FAKE 19"]
    settle(qtbot)


def test_a_result_with_nan_is_told(viewer, cells, qtbot):
    job = make_job(viewer, cells, result="nan").start()
    job.wait(20)
    assert any("NaN" in notice.message for notice in job.facts.notices)
    settle(qtbot)


def test_bad_input_is_told_before_any_work(viewer, qtbot):
    viewer.add_image(np.full((32, 32), 7.0), name="flat")
    job = make_job(viewer, viewer.layers["flat"]).start()
    with pytest.raises(InputError, match="constant"):
        job.wait(20)
    assert [layer.name for layer in viewer.layers] == ["flat"]
    settle(qtbot)


def test_the_source_may_be_renamed_or_removed(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=5000, delay=0.02, baseline="fake-classic").start()
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    cells.name = "renamed"
    qtbot.waitUntil(lambda: any("(live)" in layer.name for layer in viewer.layers), timeout=5000)
    viewer.layers.remove("renamed")
    job.stop()
    layers = job.wait(20)
    assert len(layers) == 2
    np.testing.assert_allclose(layers[1].scale, (2.0, 0.5, 0.5))
    settle(qtbot)


def test_removing_the_live_layer_ends_the_previews_only(viewer, cells, qtbot):
    job = make_job(viewer, cells, steps=5000, delay=0.02).start()
    qtbot.waitUntil(lambda: "cells FAKE (live)" in viewer.layers, timeout=10000)
    viewer.layers.remove("cells FAKE (live)")
    qtbot.wait(300)
    assert "cells FAKE (live)" not in viewer.layers
    job.stop()
    assert len(job.wait(20)) == 1
    settle(qtbot)


def test_closing_the_viewer_ends_the_work_at_once(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    cells = add_cells(viewer)
    job = make_job(viewer, cells, steps=5000, delay=0.05).start()
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    closed = fakes.FakeLearned.closed
    viewer.close()
    GeneratorWorker.await_workers(60_000)
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    # Nothing was delivered, and the training was closed where it was.
    assert job.state is State.READY
    assert job.layers == []
    assert fakes.FakeLearned.closed == closed + 1
    assert job.facts.step < 5000
    settle(qtbot)


def test_channels_run_one_by_one(viewer, qtbot):
    rng = np.random.default_rng(0)
    viewer.add_image(
        rng.poisson(50, (2, 16, 20)).astype(np.float32), name="two", axis_labels=("c", "y", "x")
    )
    job = make_job(viewer, viewer.layers["two"], steps=20, delay=0.02).start()
    (result,) = job.wait(20)
    assert result.data.shape == (2, 16, 20)
    assert job.facts.parts == 2
    assert job.facts.fraction == pytest.approx(1, abs=0.5)
    settle(qtbot)


def test_drawing_the_bar_does_not_nest(viewer, cells):
    """Its setters let napari handle the events that wait; those must not draw it again."""
    job = make_job(viewer, cells)
    waiting = [Step(n, 500) for n in range(2, 400)]
    depths = [0]

    class Bar:
        total = 0
        n = 0

        def update(self, steps):
            self.n += steps
            depths.append(depths[-1] + 1)
            if waiting:
                job._on_event(Progress((waiting.pop(0),)))
            depths.pop()
            assert depths[-1] == 0

        def reset(self, total):
            self.total = total

        def set_description(self, text):
            self.text = text

    job._bar = Bar()
    job._on_event(Stage("Learning", 500))
    for number in range(2):
        job._on_event(Progress((Step(number + 1, 500),)))
    while waiting:
        job._on_event(Progress((waiting.pop(0),)))
    assert job.facts.step == 399
    assert job._bar.n >= 398
    assert job._bar.text == "cells: Learning"
