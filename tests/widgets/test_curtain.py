"""Curtain and blink, in 2D and 3D, and everything back as it was."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gui_helpers import add_cells
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.viewer import compare
from napari_selfsup_recon.widgets.blink import Blink, Peek
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.comparison import Comparison
from napari_selfsup_recon.widgets.curtain import Curtain

pytestmark = pytest.mark.gui


@pytest.fixture
def pair(viewer):
    """An image and a result on a part of it."""
    raw = viewer.add_image(
        np.random.default_rng(0).random((4, 8, 20)), name="raw", scale=(3, 2, 2), units=("um",) * 3
    )
    result = add_layer(viewer, source_of(raw), raw.data[:, :, 5:] + 1, "SSI", offset=(0, 0, 5))
    return raw, result


def state(viewer):
    return [
        (
            layer.name,
            layer.visible,
            tuple(layer.contrast_limits),
            len(layer.experimental_clipping_planes),
            layer.name_overlay.visible,
            str(layer.name_overlay.position),
        )
        for layer in viewer.layers
    ]


def test_flat_curtain_shows_a_part_of_the_last_layer(viewer, pair):
    raw, result = pair
    viewer.layers.selection = set(pair)
    before, data = state(viewer), result.data.copy()
    curtain = compare(viewer, pair, mode="curtain")
    assert isinstance(curtain, Curtain)
    (part,) = [layer for layer in viewer.layers if layer not in pair]
    assert raw.visible
    assert not result.visible
    assert np.shares_memory(part.data, result.data)
    assert viewer.layers.selection == set(pair)
    # The line is in the middle of raw: pixel 10, which is pixel 5 of the result.
    assert part.data.shape == (4, 8, 10)
    np.testing.assert_allclose(part.extent.world[0], raw.data_to_world((0, 0, 10)))
    np.testing.assert_array_equal(part.data, result.data[..., 5:])
    curtain.position = 0.0
    assert part.data.shape == result.data.shape
    curtain.position = 2.0
    assert curtain.position == 1.0
    assert not part.visible
    result.contrast_limits = (0.5, 0.7)
    assert tuple(part.contrast_limits) == tuple(raw.contrast_limits) == (0.5, 0.7)
    curtain.close()
    assert [name for name, *_ in state(viewer)] == [name for name, *_ in before]
    np.testing.assert_array_equal(result.data, data)
    assert viewer.layers.selection == set(pair)
    assert raw.visible
    assert result.visible


def test_solid_curtain_clips_both_layers(viewer, pair):
    raw, result = pair
    before = state(viewer)
    curtain = compare(viewer, pair, mode="curtain", link=False)
    viewer.dims.ndisplay = 3
    assert list(viewer.layers) == list(pair)
    assert result.visible
    left, right = (layer.experimental_clipping_planes[0] for layer in pair)
    assert tuple(left.position) == (0, 0, 19)
    assert tuple(right.position) == (0, 0, 19)
    assert left.normal[2] < 0 < right.normal[2]
    curtain.position = 0.75
    assert tuple(left.position) == (0, 0, 29)
    viewer.dims.ndisplay = 2
    assert len(viewer.layers) == 3
    assert not raw.experimental_clipping_planes
    viewer.dims.ndisplay = 3
    curtain.close()
    assert state(viewer) == before
    assert not any(
        getattr(call, "__self__", None) is curtain for call in viewer.mouse_drag_callbacks
    )


def test_the_line_is_dragged(viewer, pair):
    curtain = compare(viewer, pair, mode="curtain")
    middle = curtain._world
    event = SimpleNamespace(position=(0.0, 0.0, middle + 1e3), type="mouse_press")
    assert list(curtain._on_drag(viewer, event)) == []  # somewhere else: the view is moved
    event.position = (0.0, 0.0, middle)
    drag = curtain._on_drag(viewer, event)
    next(drag)
    assert not viewer.scene.camera.mouse_pan
    event.type, event.position = "mouse_move", (0.0, 0.0, middle + 10)
    next(drag)
    assert curtain.position == pytest.approx(0.75)
    event.type = "mouse_release"
    assert list(drag) == []
    assert viewer.scene.camera.mouse_pan
    curtain.close()


def test_what_the_curtain_cannot_do(viewer, pair):
    pyramid = viewer.add_image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True)
    with pytest.raises(InputError, match="curtain"):
        compare(viewer, [pair[0], pyramid], mode="curtain")


def test_blink_shows_one_after_another(viewer, pair, qtbot):
    blink = compare(viewer, pair, mode="blink")
    assert isinstance(blink, Blink)
    seen = []
    for _ in range(3):
        seen.append([layer.name for layer in viewer.layers if layer.visible])
        blink.show_next()
    assert seen == [["raw"], ["SSI"], ["raw"]]
    qtbot.waitUntil(lambda: blink.shown is pair[0], timeout=3000)  # by itself, too
    blink.close()
    assert all(layer.visible for layer in pair)
    assert not blink._timer.isActive()


def test_peek(viewer, pair):
    raw, result = pair
    held = Peek(viewer, list(pair))
    assert raw.visible
    assert not result.visible
    held.end()
    assert result.visible
    Peek(viewer, []).end()


def test_contrast_is_taken_over_and_given_back(viewer):
    one, two = add_cells(viewer), add_cells(viewer, name="two", contrast_limits=(0, 200))
    with Comparison(viewer, [one, two]) as comparison:
        assert tuple(two.contrast_limits) == (10, 90)
        comparison.unlink()
        assert tuple(two.contrast_limits) == (0, 200)
        comparison.link()
        one.contrast_limits = (20, 80)
        assert tuple(two.contrast_limits) == (20, 80)
    assert tuple(two.contrast_limits) == (0, 200)
    assert tuple(one.contrast_limits) == (20, 80)


def test_both_sides_are_seen_in_a_window(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    facts = {"scale": (2, 0.5, 0.5), "translate": (0, 0, 30), "contrast_limits": (0, 255)}
    pair = [
        viewer.add_image(np.full((8, 40, 60), value, np.uint8), name=str(value), **facts)
        for value in (100, 200)
    ]
    for ndisplay in (2, 3):
        viewer.dims.ndisplay = ndisplay
        viewer.reset_view()
        with compare(viewer, pair, mode="curtain"):
            qtbot.wait(300)
            line = viewer.screenshot(flash=False)[..., 0]
            middle = line[line.shape[0] // 2].astype(int)
            left, right = np.array_split(middle, 2)
            assert np.median(left[left > 20]) == pytest.approx(100, abs=3)
            assert np.median(right[right > 20]) == pytest.approx(200, abs=3)
