"""Generated scenes and measurements."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, signal

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate import SAMPLE_NAMES, beads_3d, cells_2d, nuclei_3d, sample

SCENES = {beads_3d: (12, 40, 44), cells_2d: (90, 70), nuclei_3d: (14, 40, 44)}


@pytest.mark.parametrize("scene", SCENES)
def test_scenes(scene):
    shape = SCENES[scene]
    image = scene(shape, seed=1)
    assert image.shape == shape
    assert image.dtype == np.float32
    assert 0 <= image.min() < 0.05
    assert 0.5 < image.max() <= 1
    assert np.array_equal(image, scene(shape, seed=1))
    assert not np.array_equal(image, scene(shape, seed=2))


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", range(6))
def test_no_seed_leaves_a_scene_empty(scene, seed):
    image = scene(seed=seed)
    assert np.mean(image > 0.1) > 0.001
    assert image.std() > 0.02


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_refuse_what_cannot_be_drawn(scene):
    for shape in ((40,), (4, 40), (40, 40, 4), (40,) * 4):
        with pytest.raises(InputError, match="cannot be drawn"):
            scene(shape)


def test_some_beads_touch():
    image = beads_3d()
    peaks = (image == ndimage.maximum_filter(image, 3)) & (image > 0.2)
    spots = np.argwhere(peaks)
    apart = np.linalg.norm(spots[:, None] - spots[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert len(spots) > 30
    assert np.count_nonzero(apart.min(axis=1) < 4.5) > 5


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_samples_measure_their_truth(name):
    made = sample(name)
    ndim = made.truth.ndim
    assert made.name == name
    assert made.measured.shape == made.truth.shape
    assert made.truth.dtype == np.float32
    assert made.measured.dtype == np.uint16
    assert made.axes == ("z", "y", "x")[3 - ndim :]
    assert len(made.scale) == len(made.units) == ndim
    assert set(made.units) == {"micrometer"}
    light = made.truth.astype(float)
    inner: tuple[slice, ...] = (slice(None),) * ndim
    if made.psf is not None:
        assert made.psf.sum() == pytest.approx(1, abs=1e-5)
        assert made.psf.dtype == np.float32
        centre = tuple(n // 2 for n in made.psf.shape)
        assert np.unravel_index(made.psf.argmax(), made.psf.shape) == centre
        half = [n // 2 for n in made.psf.shape]
        inner = tuple(slice(h, n - h) for h, n in zip(half, light.shape, strict=True))
        light = signal.fftconvolve(light, made.psf.astype(float), mode="same")
    # In the inner part no light from outside is missing: the noise is what is promised.
    residual = (made.measured - made.offset - light)[inner]
    sigma = np.sqrt(light[inner] + made.read_noise**2 + 1 / 12)
    standard = residual / sigma
    assert abs(standard.mean()) < 4 / np.sqrt(standard.size)
    assert standard.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_samples_repeat(name):
    first = sample(name, seed=4)
    again = sample(name, seed=4)
    assert np.array_equal(first.measured, again.measured)
    assert np.array_equal(first.truth, again.truth)
    assert not np.array_equal(first.measured, sample(name, seed=5).measured)


def test_only_denoising_has_no_psf():
    assert [name for name in SAMPLE_NAMES if sample(name).psf is None] == ["noisy_2d"]


def test_unknown_samples_name_the_known_ones():
    with pytest.raises(InputError, match="beads_3d, nuclei_3d, cells_2d, noisy_2d"):
        sample("beads")
