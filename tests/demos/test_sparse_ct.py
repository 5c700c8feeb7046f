"""The demo of CT with few views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon.demos import sparse_ct
from napari_selfsup_recon.demos._window import open_sample_with_dock
from napari_selfsup_recon.demos.views import MOST, add_views, evenly

pytestmark = pytest.mark.gui


def test_views_are_chosen_evenly() -> None:
    np.testing.assert_array_equal(evenly(120, 24), np.arange(0, 120, 5))
    for count in (8, 37, 119, 120):
        chosen = evenly(120, count)
        assert len(chosen) == count
        assert np.diff(chosen).max() - np.diff(chosen).min() <= 1


def test_the_slider_thins_out_the_scan_and_the_slice_follows(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    viewer, dock = open_sample_with_dock(sparse_ct.SAMPLE, sparse_ct.OPTIONS, viewer)
    widget = add_views(viewer, dock)
    section = dock.physics.instrument
    value = dock.value()
    assert (value.data.task, value.method.key) == ("reconstruct", "ei")
    assert value.method.options.steps == 200
    qtbot.waitUntil(lambda: section.live.layer is not None, timeout=30000)
    assert section.axis.box.value() == pytest.approx(34.9, abs=0.5)
    assert dock.run_card.run.isEnabled()
    sparse = section.live.layer.data.copy()
    with qtbot.waitSignal(section.live.shown, timeout=30000):
        widget.slider.setValue(MOST)
    assert viewer.layers["sparse_ct"].data.shape == (12, 120, 64)
    assert "120 views" in section._words.text()
    truth = viewer.layers["sparse_ct truth"].data[6]
    middle = np.hypot(*(np.indices(truth.shape) - 31.5)) < 29

    def error(image: Any) -> float:
        return float(np.sqrt(np.mean((image - truth)[middle] ** 2)))

    assert error(section.live.layer.data) < error(sparse)


def test_without_a_display_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_selfsup_recon.demos._interactive.has_display", lambda: False)
    assert sparse_ct.main([]) == 2
    assert "no display" in capsys.readouterr().err
