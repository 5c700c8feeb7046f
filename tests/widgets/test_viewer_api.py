"""The scripted viewer: layers in, layers out."""

from __future__ import annotations

import numpy as np
import pytest

from gui_helpers import settle
from napari_selfsup_recon.core.errors import InputError, OutOfMemoryError
from napari_selfsup_recon.viewer import Job, deconvolve, denoise
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]
FAKE = {"method": "fake", "baseline": "fake-classic"}


def test_it_blocks_and_returns_the_layers(viewer, cells, qtbot):
    layers = deconvolve(viewer, cells, fwhm=(2.0, 1.0, 1.0), **FAKE)
    assert [layer.name for layer in layers] == ["cells FAKE-CLASSIC 4", "cells FAKE 5"]
    assert all(layer in viewer.layers for layer in layers)
    again = deconvolve(viewer, cells, fwhm=(2.0, 1.0, 1.0), **FAKE)
    assert [layer.name for layer in again] == ["cells FAKE-CLASSIC 4 [2]", "cells FAKE 5 [2]"]
    settle(qtbot)


def test_in_the_background_it_returns_a_job_at_once(viewer, cells, qtbot):
    job = denoise(
        viewer,
        cells,
        method="fake",
        options={"steps": 5000, "delay": 0.02},
        region=((0, 6), (0, 16), (4, 20)),
        background=True,
    )
    assert isinstance(job, Job)
    assert Session.of(viewer).job is job
    assert job.state is State.RUNNING
    with pytest.raises(InputError, match="under way"):
        denoise(viewer, cells, method="fake", background=True)
    with pytest.raises(TimeoutError):
        job.wait(0.2)
    qtbot.waitUntil(lambda: len(job.facts.losses) > 3, timeout=10000)
    job.stop()
    (layer,) = job.wait(20)
    assert layer.data.shape == (6, 16, 16)
    np.testing.assert_allclose(layer.translate, (1, 2, 3 + 4 * 0.5))
    settle(qtbot)


@pytest.mark.parametrize("kind", ["layer", "array", "file"])
def test_a_psf_may_be_a_layer_an_array_or_a_file(viewer, cells, qtbot, tmp_path, kind):
    psf = np.zeros((3, 5, 5), np.float32)
    psf[1, 1:4, 1:4] = 1
    psf[1, 2, 2] = 4
    if kind == "file":
        given = tmp_path / "psf.npy"
        np.save(given, psf)
    else:
        given = viewer.add_image(psf, name="PSF") if kind == "layer" else psf
    layers = deconvolve(viewer, cells, given, **FAKE)
    assert layers[-1].metadata["selfsup_recon"]["physics"]
    settle(qtbot)


def test_one_method_alone(viewer, cells, qtbot):
    (layer,) = deconvolve(viewer, cells, fwhm=1.0, method="fake", baseline=None)
    assert layer.name == "cells FAKE 5"
    (layer,) = deconvolve(
        viewer,
        cells,
        fwhm=1.0,
        method="fake-classic",
        baseline="fake-classic",
        options={"iterations": 2},
    )
    assert layer.name == "cells FAKE-CLASSIC 2"
    settle(qtbot)


def test_options_may_be_a_model(viewer, cells, qtbot):
    import fakes

    (layer,) = denoise(viewer, cells, method="fake", options=fakes.FakeOptions(steps=3))
    assert layer.name == "cells FAKE 3"
    settle(qtbot)


def test_bad_input_raises_at_once_and_starts_nothing(viewer, cells):
    rgb = viewer.add_image(np.zeros((16, 16, 3), np.uint8), rgb=True, name="rgb")
    labels = viewer.add_labels(np.ones((16, 16), int), name="labels")
    flat = viewer.add_image(np.full((16, 16), 3.0), name="flat")
    thin = viewer.add_image(np.random.default_rng(0).random((16, 1)), name="thin")
    holes = viewer.add_image(np.full((16, 16), np.nan), name="holes", contrast_limits=(0, 1))
    count = len(viewer.layers)
    for layer, words in (
        (rgb, "colour"),
        (labels, "labels layer"),
        (flat, "constant"),
        (thin, "only 1 pixel"),
        (holes, "NaN"),
    ):
        with pytest.raises(InputError, match=words):
            denoise(viewer, layer, method="fake", background=True)
    with pytest.raises(InputError, match="psf, fwhm or microscope"):
        deconvolve(viewer, cells, **FAKE)
    with pytest.raises(InputError, match="region"):
        denoise(viewer, cells, method="fake", region=((0, 6), (0, 16), (4, 99)))
    with pytest.raises(InputError, match="no method called"):
        denoise(viewer, cells, method="magic")
    assert len(viewer.layers) == count
    assert Session.of(viewer).job is None


def test_failures_are_raised_and_what_was_reached_stays(viewer, cells, qtbot):
    with pytest.raises(OutOfMemoryError):
        deconvolve(viewer, cells, fwhm=1.0, options={"failure": "oom", "fail_at": 1}, **FAKE)
    assert "cells FAKE-CLASSIC 4" in viewer.layers
    assert Session.of(viewer).state is State.FAILED
    settle(qtbot)


def test_the_input_is_never_modified(viewer, cells, qtbot):
    before, facts = cells.data.copy(), cells.as_layer_data_tuple()[1]
    denoise(viewer, cells, method="fake")
    np.testing.assert_array_equal(cells.data, before)
    after = cells.as_layer_data_tuple()[1]
    for key in ("name", "scale", "translate", "units", "axis_labels", "contrast_limits"):
        assert np.all(after[key] == facts[key])
    settle(qtbot)


def test_nothing_is_shared_by_two_viewers(viewer, cells, qapp):
    from napari.components import ViewerModel

    other = ViewerModel()
    assert Session.of(viewer) is Session.of(viewer)
    assert Session.of(other) is not Session.of(viewer)


@pytest.fixture
def fine(viewer):
    """An image with the voxels of a light microscope."""
    data = np.random.default_rng(0).poisson(50, (140, 140)).astype(np.float32)
    return viewer.add_image(data, name="fine", scale=(0.1, 0.1), units=("um", "um"))


def test_a_microscope_and_its_noise_may_be_given(viewer, fine, qtbot):
    known = {"numerical_aperture": 0.8, "immersion_index": 1.0}
    noise = {"gain": 1.0, "offset": 0.0, "read_noise": 0.5}
    layers = deconvolve(viewer, fine, microscope=known, noise=noise, **FAKE)
    story = layers[1].metadata["selfsup_recon"]["physics"]
    assert story["choice"]["microscope"]["numerical_aperture"] == 0.8
    assert story["noise"]["used"] == noise
    with pytest.raises(InputError, match="made for oil"):
        deconvolve(viewer, fine, microscope={"numerical_aperture": 1.4}, **FAKE)
    with pytest.raises(InputError, match="Gain"):
        denoise(viewer, fine, method="fake", noise={"gain": -1})
    settle(qtbot)


def test_repairs_may_be_left_out(viewer, fine, qtbot):
    psf = np.zeros((7, 7))
    psf[2, 3] = 2
    psf[2:4, 3] += 1
    layers = deconvolve(viewer, fine, psf, keep=("centre",), **FAKE)
    assert layers[1].metadata["selfsup_recon"]["physics"]["choice"]["keep"] == ["centre"]
    settle(qtbot)


def test_denoising_may_have_a_baseline(viewer, fine, qtbot):
    layers = denoise(viewer, fine, method="fake", baseline="fake-classic")
    assert [layer.name for layer in layers] == ["fine FAKE-CLASSIC 4", "fine FAKE 5"]
    settle(qtbot)
