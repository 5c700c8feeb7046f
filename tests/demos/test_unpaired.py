"""The demo of denoising with clean examples of other places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gui_helpers import settle
from napari_selfsup_recon.demos import samples, unpaired
from napari_selfsup_recon.demos._window import open_sample_with_dock


def test_the_examples_show_other_places_at_the_same_grey_values() -> None:
    (truth, _, _), (clean, facts, _), (noisy, _, _) = samples.unpaired_2d()
    assert facts["name"] == "unpaired_2d clean"
    assert clean.shape == (36, 64, 64)
    assert truth.shape == noisy.shape == (192, 192)
    corners = [truth[a : a + 64, b : b + 64] for a in (0, 64, 128) for b in (0, 64, 128)]
    assert all(not np.array_equal(place, corner) for place in clean for corner in corners)
    assert abs(clean.mean() - truth.mean()) < 0.2 * truth.mean()
    noise = noisy - truth
    # What a network that looks at neighbours alone would take for signal.
    assert np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1] > 0.7


@pytest.mark.gui
def test_everything_is_chosen_so_that_run_works(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    viewer, dock = open_sample_with_dock(unpaired.SAMPLE, unpaired.OPTIONS, make_napari_viewer())
    value = dock.value()
    assert (value.data.task, value.method.key) == ("denoise", "iscl")
    assert value.method.options.steps == unpaired.OPTIONS["steps"]
    assert value.method.baseline == "total-variation"
    assert value.method.clean.layer() is viewer.layers["unpaired_2d clean"]
    assert [layer.name for layer in viewer.layers if layer.visible] == ["unpaired_2d"]
    dock.setValue(replace(value, method=replace(value.method, baseline=None)))
    dock.start()
    job = dock.session.job
    qtbot.waitUntil(lambda: job.done or bool(job.facts.stage), timeout=60_000)
    assert job.error is None
    assert "ISCL" in job.facts.stage
    assert job.plan.methods[-1][0].key == "iscl"
    job.discard()
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    settle(qtbot)


def test_without_a_display_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_selfsup_recon.demos._interactive.has_display", lambda: False)
    assert unpaired.main([]) == 2
    assert "no display" in capsys.readouterr().err
