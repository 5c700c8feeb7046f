"""The demo of a box that is dragged over a large image."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from wrapt import ObjectProxy

from napari_selfsup_recon.demos import drag_box
from napari_selfsup_recon.demos._window import open_sample_with_dock
from napari_selfsup_recon.demos.box import SIDE, BoxWidget, Sharpen, add_box
from napari_selfsup_recon.simulate import sample

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def cells() -> Any:
    return sample("cells_2d")


@pytest.fixture
def widget(cells: Any, qtbot: Any) -> BoxWidget:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    image = viewer.add_image(cells.measured, name="cells", scale=cells.scale, units=cells.units)
    made = BoxWidget(viewer, image, cells.psf, offset=cells.offset)
    made.keep = viewer  # the widget holds it weakly
    qtbot.addWidget(made)
    qtbot.waitUntil(lambda: made.answer is not None, timeout=30000)
    return made


def test_parts_are_sharp_to_their_edge(cells: Any) -> None:
    sharpen = Sharpen(cells.measured, cells.psf, cells.offset)
    whole = sharpen.at((slice(0, 256), slice(0, 256)), 10)
    part = sharpen.at((slice(60, 140), slice(100, 200)), 10)
    assert part.shape == (80, 100)
    inside = whole[60:140, 100:200]
    assert np.abs(part - inside).max() < 0.03 * np.ptp(inside)
    truth = cells.truth[60:140, 100:200]
    blurred = cells.measured[60:140, 100:200] - cells.offset
    part = part - cells.offset
    assert np.sqrt(np.mean((part - truth) ** 2)) < np.sqrt(np.mean((blurred - truth) ** 2))


def test_the_answer_lies_in_the_box_and_follows_it(widget: BoxWidget, qtbot: Any) -> None:
    answer = widget.answer
    assert answer is not None
    assert answer.data.shape == (SIDE, SIDE)
    np.testing.assert_allclose(answer.translate, (7.2, 7.2))
    first = answer.data.copy()
    with qtbot.waitSignal(widget.shown, timeout=30000):
        widget.box.data = [widget.box.data[0] + np.array([10.2, -20])]
    assert widget.place == (slice(82, 82 + SIDE), slice(52, 52 + SIDE))
    np.testing.assert_allclose(answer.translate, (8.2, 5.2))
    assert not np.array_equal(answer.data, first)
    with qtbot.waitSignal(widget.shown, timeout=30000):
        widget.slider.setValue(2)
    assert "2 iterations" in widget._words.text()


def test_dragging_with_the_mouse_asks_only_for_the_newest_place(
    widget: BoxWidget, qtbot: Any
) -> None:
    places = []
    widget.shown.connect(lambda: places.append(tuple(widget.answer.translate)))
    layer = widget.box
    layer.selected_data = set()

    def event(kind: str, position: tuple[float, float], dragging: bool) -> Any:
        facts = SimpleNamespace(
            type=kind,
            is_dragging=dragging,
            modifiers=[],
            position=position,
            pos=np.array(position),
            view_direction=None,
            up_direction=None,
            dims_displayed=[0, 1],
            dims_point=[0, 0],
            handled=False,
        )
        return ObjectProxy(facts)  # napari exchanges what a drag has wrapped

    mouse_press_callbacks(layer, event("mouse_press", (12.8, 12.8), False))
    for step in range(1, 11):
        mouse_move_callbacks(layer, event("mouse_move", (12.8 - 0.3 * step, 12.8), True))
    mouse_release_callbacks(layer, event("mouse_release", (9.8, 12.8), False))
    qtbot.waitUntil(lambda: bool(places) and widget._working is None, timeout=30000)
    np.testing.assert_allclose(places[-1], (4.2, 7.2), atol=0.051)
    assert len(places) < 10


def test_a_box_at_the_border_or_too_small_is_held_in(widget: BoxWidget) -> None:
    widget.box.data = [np.array([[-40, 250], [-40, 300], [-30, 300], [-30, 250]])]
    assert widget.place == (slice(0, 16), slice(206, 256))
    widget.box.data = []
    widget._follow()  # taken away by hand: nothing to follow


def test_the_demo_opens_ready_to_run(make_napari_viewer: Callable[..., Any], qtbot: Any) -> None:
    viewer, dock = open_sample_with_dock(drag_box.SAMPLE, drag_box.OPTIONS, make_napari_viewer())
    widget = add_box(viewer, dock)
    qtbot.waitUntil(lambda: widget.answer is not None, timeout=30000)
    assert isinstance(viewer.layers["inside the box"], Image)
    assert viewer.layers["large_2d"].data.shape == (320, 1280)
    assert viewer.layers.selection.active is widget.box
    assert dock.value().data.layer() is viewer.layers["large_2d"]
    assert dock.run_card.run.isEnabled()


def test_without_a_display_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_selfsup_recon.demos._interactive.has_display", lambda: False)
    assert drag_box.main([]) == 2
    assert "no display" in capsys.readouterr().err
