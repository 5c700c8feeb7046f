"""Reconstruction in the scripted viewer: where results lie, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import recon_fakes
from gui_helpers import settle
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.viewer import Job, reconstruct
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.recon_source import good_limits
from napari_selfsup_recon.widgets.states import State

pytestmark = pytest.mark.gui
FAKE = {"method": "fake-recon", "baseline": "fake-dagger"}


@pytest.fixture(autouse=True)
def _recon_fakes(monkeypatch):
    recon_fakes.install(monkeypatch)


@pytest.fixture
def scan(viewer):
    """A layer of projections (angle, row, column) that knows its angles and pixels."""
    stack, degrees = recon_fakes.sinogram(slices=3)
    return viewer.add_image(
        np.swapaxes(stack, 0, 1),
        name="scan",
        scale=(1, 0.7, 0.5),
        units=("pixel", "um", "um"),
        axis_labels=("angle", "y", "x"),
        metadata={"theta_deg": degrees.tolist()},
        colormap="viridis",
    )


def test_results_have_the_pixels_of_the_detector(viewer, scan, qtbot):
    before = scan.data.copy()
    layers = reconstruct(viewer, scan, **FAKE)
    assert [layer.name for layer in layers] == ["scan FAKE-DAGGER 2", "scan FAKE-RECON 4"]
    for layer in layers:
        assert layer.data.shape == (3, 48, 48)
        np.testing.assert_allclose(layer.scale, (0.7, 0.5, 0.5))
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.colormap.name == "viridis"
        assert layer.metadata["selfsup_recon"]["physics"]["kind"] == "parallel-beam"
    assert layers[0].contrast_limits == layers[1].contrast_limits
    # That of the first result, not of what was shown on the way to it.
    assert tuple(layers[0].contrast_limits) == good_limits(layers[0].data)
    np.testing.assert_array_equal(scan.data, before)
    settle(qtbot)


def test_angles_fields_and_axis_may_be_given(viewer, qtbot, tmp_path):
    sinogram, degrees = recon_fakes.sinogram()
    counts = viewer.add_image(2e4 * np.exp(-sinogram) + 50, name="counts")
    flat = viewer.add_image(np.full((2, 48), 20050.0), name="flat")
    np.save(tmp_path / "dark.npy", np.full((1, 48), 50.0))
    np.savetxt(tmp_path / "angles.txt", degrees)
    (layer,) = reconstruct(
        viewer,
        counts,
        angles=tmp_path / "angles.txt",
        flat=flat,
        dark=np.full(48, 50.0),
        axis=22.6,
        scan={"pitch": 0.5},
        **FAKE | {"baseline": None},
    )
    assert layer.data.shape == (24, 24)
    np.testing.assert_allclose(layer.scale, (2, 2))
    story = layer.metadata["selfsup_recon"]["physics"]
    assert story["axis_column"] == 22.6
    settle(qtbot)


def test_live_images_lie_where_the_result_will(viewer, scan, qtbot):
    job = reconstruct(
        viewer, scan, background=True, preview_every=1e-6, options={"steps": 300}, **FAKE
    )
    assert isinstance(job, Job)
    shown = []
    viewer.layers.events.inserted.connect(lambda event: shown.append(event.value))
    qtbot.waitUntil(lambda: job.done, timeout=20000)
    assert job.state is State.DONE
    live = [layer for layer in shown if "(live)" in layer.name]
    assert live
    assert live[0].data.shape == (1, 48, 48)
    np.testing.assert_allclose(live[0].translate, (0.7, 0, 0))
    assert not any("(live)" in layer.name for layer in viewer.layers)
    settle(qtbot)


def test_k_space_and_missing_pixels(viewer, qtbot):
    rng = np.random.default_rng(0)
    image, mask = rng.random((24, 24)) + 1, rng.random((24, 24)) > 0.4
    real = viewer.add_image(np.where(mask, image, 0), name="holes", scale=(2, 2))
    labels = viewer.add_labels(mask.astype(np.uint8))
    (layer,) = reconstruct(viewer, real, "inpainting", mask=labels, **FAKE | {"baseline": None})
    np.testing.assert_allclose(layer.data, np.where(mask, image, 0), rtol=1e-5)
    np.testing.assert_allclose(layer.scale, (2, 2))
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))
    parts = viewer.add_image(np.stack([kspace.real, kspace.imag]), name="k")
    (layer,) = reconstruct(viewer, parts, "mri", **FAKE | {"baseline": None})
    np.testing.assert_allclose(layer.data, image, rtol=1e-4)
    settle(qtbot)


def test_what_cannot_be_used_starts_nothing(viewer, scan, cells):
    for layer, more, message in (
        (scan, {"angles": np.arange(7)}, "7 angles"),
        (scan, {"axis": 99.0}, "outside the detector"),
        (scan, {"scan": {"order": "sideways"}}, "order"),
        (cells, {"instrument": "inpainting"}, "No pixel is missing"),
        (cells, {"instrument": "mri"}, "not complex"),
        (scan, {"method": "wiener"}, "cannot reconstruct"),
    ):
        with pytest.raises(InputError, match=message):
            reconstruct(viewer, layer, **FAKE | more)


def test_companions_are_hidden_layers(viewer, scan, qtbot):
    (layer,) = reconstruct(viewer, scan, trust=True, **FAKE | {"baseline": None})
    names = [other.name for other in viewer.layers if not other.visible]
    wanted = ("residual", "seen", "inferred", "spread")
    assert names == [f"{layer.name} {name}" for name in wanted]
    for name in names:
        assert [str(unit) for unit in viewer.layers[name].units] == ["micrometer"] * 3
    settle(qtbot)


def test_a_dark_preview_does_not_decide_how_results_are_shown(viewer):
    image = np.random.default_rng(0).random((32, 32))
    run = SimpleNamespace(_limits=None)
    live, result = (viewer.add_image(k * image) for k in (0.2, 1.0))
    Job._same_contrast(run, live, live.data, final=False)
    assert tuple(live.contrast_limits) == good_limits(live.data)
    Job._same_contrast(run, result, result.data, final=True)
    assert tuple(result.contrast_limits) == good_limits(result.data)
    Job._same_contrast(run, live, live.data, final=False)
    assert live.contrast_limits == result.contrast_limits


def test_what_belongs_to_a_denoised_crop_lies_on_it(viewer):
    noisy = viewer.add_image(np.zeros((8, 9)), name="turned", rotate=30, translate=(3, 4))
    source = source_of(noisy)
    values = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    made = Measurement(values, source.measurement.axes, name="residual")
    run = SimpleNamespace(
        plan=SimpleNamespace(problem=None), source=source, _place=source, _offset=lambda: (2, 3)
    )
    placed = Job._add_companion(run, viewer, made, values.shape)
    result = add_layer(viewer, source, values, "result", offset=(2, 3))
    corner = (1.5, 2.5)
    np.testing.assert_allclose(placed.data_to_world(corner), result.data_to_world(corner))
    assert tuple(placed.contrast_limits) == pytest.approx(good_limits(values))
    assert not placed.visible


def test_the_image_of_a_sinogram_comes_into_view(viewer, scan, qtbot):
    camera = getattr(viewer, "scene", viewer).camera
    camera.zoom = 1e-3
    reconstruct(viewer, scan, **FAKE | {"baseline": None})
    assert camera.zoom > 1e-2
    settle(qtbot)
