"""The windows of the demos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon.demos import demo2d, demo3d
from napari_selfsup_recon.demos._window import open_sample_with_dock, show_compared
from napari_selfsup_recon.viewer import compare
from napari_selfsup_recon.widgets.comparison import current_comparison
from napari_selfsup_recon.widgets.states import State

pytestmark = pytest.mark.gui
MakeViewer = Callable[..., Any]


def test_results_are_shown_side_by_side(make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer()
    images = {name: np.full((32, 32), value) for name, value in (("noisy", 0.2), ("SSI", 0.7))}
    show_compared(np.zeros((32, 32)), images, viewer)
    assert [layer.name for layer in viewer.layers] == ["truth", "noisy", "SSI"]
    assert current_comparison(viewer) is not None
    assert all(layer.visible for layer in viewer.layers)
    viewer.layers["SSI"].contrast_limits = (0, 0.5)
    assert tuple(viewer.layers["truth"].contrast_limits) == (0, 0.5)


@pytest.mark.parametrize(
    ("name", "options", "task"),
    [
        (demo2d.SAMPLE, demo2d.OPTIONS, "deconvolve"),
        (demo3d.SAMPLE, demo3d.OPTIONS, "deconvolve"),
        ("noisy_2d", {}, "denoise"),
    ],
)
def test_everything_is_chosen_so_that_run_works(
    make_napari_viewer: MakeViewer, name: str, options: dict[str, Any], task: str
) -> None:
    viewer = make_napari_viewer()
    _, dock = open_sample_with_dock(name, options, viewer)
    value = dock.value()
    assert value.data.layer is not None
    assert value.data.layer().name == name
    assert value.data.task == task
    assert value.method.options.background == 100
    for key, expected in options.items():
        assert getattr(value.method.options, key) == expected
    assert dock.run_card.run.isEnabled()
    assert dock.session.state is State.READY
    assert [layer.name for layer in viewer.layers if layer.visible] == [name]
    assert str(viewer.layers[name].units[-1]) == "micrometer"


def test_a_short_run_ends_with_results_that_compare(make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer()
    quick = {"steps": 2, "width": 4, "crop": 32, "ensemble": False}
    _, dock = open_sample_with_dock("cells_2d", quick, viewer)
    dock.start()
    dock.session.job.wait()
    added = [layer for layer in viewer.layers if "cells_2d " in layer.name and layer.visible]
    assert len(added) >= 2
    compare(viewer, [viewer.layers["cells_2d"], *added]).close()
