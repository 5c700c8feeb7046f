"""The labelled grid, in 2D and 3D, and everything back as it was."""

from __future__ import annotations

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.viewer import compare
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.comparison import current_comparison, related

pytestmark = pytest.mark.gui


@pytest.fixture
def four(viewer):
    rng = np.random.default_rng(0)
    raw = viewer.add_image(rng.random((4, 8, 9)), name="raw", contrast_limits=(0, 1))
    viewer.add_image(np.zeros((3, 3)), name="psf", visible=False)
    source = source_of(raw)
    done = {"preview": False}
    lr = add_layer(viewer, source, rng.random((4, 8, 9)), "LR 10", provenance=done)
    ssi = add_layer(viewer, source, rng.random((4, 8, 9)), "SSI 600", provenance=done)
    viewer.add_image(np.zeros((8, 9)), name="other")
    return raw, lr, ssi


def snapshot(viewer):
    grid, bar = viewer.canvas.grid, viewer.canvas.overlays.scale_bar
    return (
        (grid.enabled, grid.shape, grid.stride, grid.spacing, bar.visible),
        {layer.name: (layer.visible, layer.name_overlay.visible) for layer in viewer.layers},
    )


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_a_grid_in_reading_order_and_all_is_back_afterwards(viewer, four, ndisplay):
    viewer.dims.ndisplay = ndisplay
    before = snapshot(viewer)
    raw, lr, ssi = four
    with compare(viewer, [raw, ssi, lr]) as comparison:
        grid = viewer.canvas.grid
        assert grid.enabled
        layers = list(viewer.layers)
        cells = [grid.position(layers.index(layer), layers) for layer in (raw, ssi, lr)]
        assert cells == [(0, 0), (0, 1), (0, 2)]
        assert [layer.name for layer in layers if layer.visible] == ["raw", "SSI 600", "LR 10"]
        assert all(layer.name_overlay.visible for layer in four)
        assert viewer.canvas.overlays.scale_bar.visible
        lr.contrast_limits = (0.1, 0.4)
        assert raw.contrast_limits == ssi.contrast_limits == [0.1, 0.4]
        comparison.unlink()
        lr.contrast_limits = (0.2, 0.3)
        assert raw.contrast_limits == [0.1, 0.4]
        comparison.link()
        assert current_comparison(viewer) is comparison
    assert snapshot(viewer) == before
    lr.contrast_limits = (0, 0.5)
    assert raw.contrast_limits == [0.1, 0.4]
    assert current_comparison(viewer) is None
    comparison.close()  # once more is harmless


def test_a_new_comparison_ends_the_old_one(viewer, four):
    first = compare(viewer, four[:2])
    second = compare(viewer, four)
    assert first.closed
    assert not second.closed
    second.close()


def test_layers_may_go_meanwhile(viewer, four):
    comparison = compare(viewer, four)
    viewer.layers.remove(four[1])
    comparison.close()
    assert not viewer.canvas.grid.enabled


def test_what_belongs_together(viewer, four):
    raw, lr, ssi = four
    raw.name = "renamed"
    assert related(viewer, raw) == [raw, lr, ssi]
    assert related(viewer, ssi) == [raw, lr, ssi]
    assert related(viewer, viewer.layers["other"]) == [viewer.layers["other"]]
    assert related(viewer, None) == []


def test_bad_input(viewer, four):
    with pytest.raises(InputError, match="nothing to compare"):
        compare(viewer, four[:1])
    viewer.layers.remove(four[2])
    with pytest.raises(InputError, match="not in this viewer"):
        compare(viewer, four)
    with pytest.raises(InputError, match="mode"):
        compare(viewer, four[:2], mode="sideways")
