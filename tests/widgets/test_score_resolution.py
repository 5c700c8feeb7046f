"""Fourier correlation among the scores: in units of length; without a truth of raw images only."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from gui_helpers import opener_of
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.metrics import frc, single_image_frc
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.compare_dock import CompareWidget
from napari_selfsup_recon.widgets.score_resolution import Grid, grid_of, is_raw
from napari_selfsup_recon.widgets.scores import scores

pytestmark = pytest.mark.gui


def low_pass(image, scale, finest):
    """Return ``image`` without details finer than ``finest``."""
    axes = [np.fft.fftfreq(n, s) for n, s in zip(image.shape, scale, strict=True)]
    squares = sum(f**2 for f in np.meshgrid(*axes, indexing="ij"))
    spectrum = np.fft.fftn(image) * (squares < finest**-2)
    return np.fft.ifftn(spectrum).real.astype(np.float32)


def texture(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def resolution_of(image, *, reference=None, grid=None, raw=()):
    (score,) = exhaust(scores({"it": image}, {}, reference, grid=grid, raw=raw))
    return score.resolution


@pytest.mark.parametrize(
    ("shape", "scale", "kind"),
    [
        ((128, 128), (0.1, 0.1), "FRC"),
        ((2, 128, 128), (0.1, 0.1), "FRC"),
        ((1, 128, 128), (0.2, 0.1, 0.1), "FRC"),
        ((32, 64, 64), (0.2, 0.1, 0.1), "FSC"),
    ],
)
def test_the_finest_detail_that_agrees(shape, scale, kind):
    true = texture(shape)
    spatial = shape[-len(scale) :]
    sharp = np.stack([low_pass(x, scale, 0.5) for x in true.reshape(-1, *spatial)]).reshape(shape)
    found = resolution_of(sharp + 0.3 * texture(shape, 1), reference=true, grid=Grid(scale, "µm"))
    assert found.kind == kind
    assert found.found.resolution == pytest.approx(0.5, rel=0.1)
    assert str(found).endswith(" µm")


def test_what_has_no_end_and_what_has_none():
    true, grid = texture((64, 64)), Grid((0.5, 0.5), "nm")
    assert str(resolution_of(3 * true + 1, reference=true, grid=grid)) == "≤ 1 nm"
    assert str(resolution_of(texture((64, 64), 1), reference=true, grid=grid)) == "none"
    assert resolution_of(np.zeros((64, 64), np.float32), reference=true, grid=grid) is None
    assert resolution_of(true, reference=true) is None  # nothing is known of the pixels


def test_without_a_reference_it_is_that_of_the_noise():
    smooth = low_pass(texture((256, 256)), (1, 1), 8)
    noisy = smooth + 0.1 * smooth.std() * texture((256, 256), 1)
    found = resolution_of(noisy, grid=Grid((0.1, 0.1), "µm"), raw=["it"])
    assert found.found.resolution == single_image_frc(noisy, voxel_size=0.1).resolution
    assert resolution_of(noisy, grid=Grid((0.1, 0.1), "µm")) is None  # it may have been denoised
    assert resolution_of(noisy, grid=Grid((0.2, 0.1), "µm"), raw=["it"]) is None  # not square


def test_the_grid_of_layers():
    data = np.zeros((3, 16, 16))
    known = Image(data, scale=(2, 0.1, 0.1), units=("s", "nm", "nm"), axis_labels=("t", "y", "x"))
    assert grid_of(known) == Grid((0.1, 0.1), "nm")
    mixed = Image(data, scale=(1, 100, 100), units=("um", "nm", "nm"), axis_labels=("z", "y", "x"))
    assert grid_of(mixed).scale == pytest.approx((1000, 100, 100))
    assert grid_of(Image(data, scale=(2, 3, 3))) == Grid((1.0, 1.0, 1.0), "px")


def test_the_dock_tells_the_resolution(viewer, qtbot):
    true = low_pass(texture((96, 96)), (1, 1), 6) * 50 + 200
    noisy = np.random.default_rng(2).poisson(true).astype(np.float32)
    raw = viewer.add_image(noisy, name="raw", scale=(0.1, 0.1), units=("um", "um"))
    made = add_layer(viewer, source_of(raw), true, "made", provenance={"preview": False})
    best = viewer.add_image(true, name="best", scale=(0.1, 0.1), units=("um", "um"))
    dock = opener_of(CompareWidget, viewer, qtbot)()
    viewer.layers.selection.active = raw
    assert [is_raw(layer) for layer in (raw, made)] == [True, False]
    dock.measure.click()
    qtbot.waitUntil(dock.table.isVisible, timeout=10000)
    last = dock.table.text().splitlines()[-1].split("\t")
    # Of what was made, the noise says nothing.
    assert last[0] == "FRC resolution"
    assert last[1].endswith(" µm")
    assert last[2] == "-"
    dock.reference.choose(best)
    dock.measure.click()
    qtbot.waitUntil(lambda: "PSNR" in dock.table.text(), timeout=10000)
    told = frc(true, noisy, voxel_size=0.1, threshold=0.5).resolution
    assert dock.table.text().splitlines()[-1].split("\t")[:2] == [
        "FRC resolution",
        f"{told:.3g} µm",
    ]
    dock.difference.click()
    qtbot.waitUntil(lambda: "made - raw" in viewer.layers, timeout=5000)
    assert not is_raw(viewer.layers["made - raw"])
