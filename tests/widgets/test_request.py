"""From choices and what is in view to a run."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.config import PhysicsChoice
from napari_selfsup_recon.widgets.choices import (
    DataChoice,
    Intent,
    MethodChoice,
    Part,
    PsfChoice,
    PsfKind,
)
from napari_selfsup_recon.widgets.request import box_around, make_request, psf_of


@pytest.fixture
def viewer():
    made = ViewerModel()
    rng = np.random.default_rng(0)
    made.add_image(
        rng.random((3, 10, 200, 300), dtype=np.float32),
        name="movie",
        axis_labels=("t", "z", "y", "x"),
        scale=(1, 0.3, 0.1, 0.1),
        translate=(0, 5, 0, 0),
        units=("s", "um", "um", "um"),
    )
    made.dims.set_point(0, 2)
    made.dims.set_point(1, 5 + 4 * 0.3)
    return made


def intent_for(viewer, part=Part.WHOLE, **psf):
    layer = viewer.layers["movie"]
    return Intent(
        data=DataChoice(weakref.ref(layer), ("t", "z", "y", "x"), "deconvolve", part),
        psf=PsfChoice(lateral=0.25, axial=0.9, **psf),
    )


@pytest.mark.parametrize(
    ("part", "fixed", "axes", "size"),
    [
        (Part.WHOLE, (None, None, None, None), "tzyx", None),
        (Part.FRAME, (2, None, None, None), "zyx", None),
        (Part.SLICE, (2, 4, None, None), "yx", None),
        (Part.BOX, (2, None, None, None), "zyx", (10, 128, 128)),
    ],
)
def test_parts(viewer, part, fixed, axes, size):
    request = make_request(intent_for(viewer, part), viewer)
    assert request.source.fixed == fixed
    assert request.source.measurement.axes == tuple(axes)
    region = request.config.region
    assert (None if region is None else tuple(b - a for a, b in region)) == size


def test_the_box_is_around_the_middle_of_the_view(viewer):
    viewer.scene.camera.center = (0, 15.0, 4.0)
    region = make_request(intent_for(viewer, Part.BOX), viewer).config.region
    assert region == ((0, 10), (72, 200), (0, 128))


def test_a_try_is_small_and_short(viewer):
    request = make_request(intent_for(viewer), viewer, attempt=True)
    assert request.source.fixed == (2, None, None, None)
    assert tuple(b - a for a, b in request.config.region) == (10, 64, 64)
    assert request.config.options["steps"] < 200
    assert request.config.options["ensemble"] is False
    assert 0 < request.config.preview_every < 1
    request.resolve()


def test_the_width_of_the_psf_follows_the_dimensions(viewer):
    volume = make_request(intent_for(viewer), viewer).config.physics
    assert (volume.psf, volume.fwhm) == ("gaussian", (0.9, 0.25, 0.25))
    flat = make_request(intent_for(viewer, Part.SLICE), viewer).config.physics
    assert flat.fwhm == (0.25, 0.25)


def test_device_and_changed_options_are_all_that_is_kept(viewer):
    options = METHODS["ssi"].load_options()(steps=50)
    intent = intent_for(viewer)
    intent = Intent(intent.data, intent.psf, MethodChoice("ssi", options, None), device="cpu")
    config = make_request(intent, viewer).config
    assert config.options == {"steps": 50, "device": "cpu"}
    assert config.baseline is None


def test_of_a_volume_psf_a_slice_takes_the_brightest_plane(viewer):
    psf = np.zeros((5, 7, 7), np.float32)
    psf[3, 3, 3] = 1
    layer = viewer.add_image(psf, name="PSF")
    choice = PsfChoice(PsfKind.LAYER, weakref.ref(layer))
    np.testing.assert_array_equal(psf_of(choice, 2).data, psf[3])
    assert psf_of(choice, 3).data.shape == (5, 7, 7)


def test_physics_options_are_handed_on(viewer):
    physics = PhysicsChoice(boundary="circular", prepare=False)
    config = make_request(intent_for(viewer, physics=physics), viewer).config
    assert config.physics.boundary == "circular"
    assert not config.physics.prepare


def test_no_image_is_said(viewer):
    with pytest.raises(InputError, match="no image"):
        make_request(Intent(), viewer)
    intent = intent_for(viewer, kind=PsfKind.LAYER)
    with pytest.raises(InputError, match="No PSF"):
        make_request(intent, viewer)


@pytest.mark.parametrize(
    ("centre", "expected"),
    [((5, 5), ((3, 7), (3, 7))), ((0, 9), ((0, 4), (6, 10))), ((9, 0), ((6, 10), (0, 4)))],
)
def test_boxes_stay_inside(centre, expected):
    assert box_around(centre, (10, 10), (4, 4)) == expected
    assert box_around(centre, (3, 3), (4, 4)) == ((0, 3), (0, 3))
