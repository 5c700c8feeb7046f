"""Gain, offset, read noise and wrong pixels are read off images whose noise is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import Blur, Gaussian, Poisson, PoissonGaussian
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, estimate_noise
from napari_selfsup_recon.simulate import degrade, published_psf_2d
from napari_selfsup_recon.simulate.scenes import cells_2d, nuclei_3d

Array = NDArray[Any]
# Photons at the brightest, grey values a photon, offset, read noise in grey values.
CAMERAS = (
    (30.0, 1.0, 100.0, 2.0),
    (100.0, 2.2, 0.0, 6.0),
    (400.0, 0.46, 98.0, 1.6),
    (5000.0, 0.25, 400.0, 5.0),
)


def gaussian(shape: tuple[int, ...], width: float) -> Array:
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum((a / width) ** 2 for a in axes) / 2)
    return psf / psf.sum()


def dark_background(scene: Array) -> Array:
    """The scene with a background that is really dark, at most 1."""
    light = np.clip(scene - np.quantile(scene, 0.3), 0, None)
    return light / light.max()


def recorded(truth: Array, psf: Array, noise: PoissonGaussian, photons: float) -> Array:
    """What a camera makes of it: blurred, counted, rounded."""
    clean = Blur(psf, truth.shape, boundary="reflect").A(torch.from_numpy(truth)[None, None])
    light = noise.offset + noise.gain * photons * clean.clamp_min(0)
    y = noise.sample(light, torch.Generator().manual_seed(3))[0, 0].numpy()
    return np.clip(np.round(y), 0, 65535).astype(np.uint16 if noise.offset else np.float32)


@pytest.mark.parametrize(("photons", "gain", "offset", "sigma"), CAMERAS)
def test_a_camera_is_found_from_an_image(
    photons: float, gain: float, offset: float, sigma: float
) -> None:
    camera = PoissonGaussian(gain=gain, sigma=sigma, offset=offset or 50.0)
    y = recorded(dark_background(cells_2d((400, 400), 1)), gaussian((9, 9), 1.6), camera, photons)
    found = estimate_noise(y)
    assert found.gain == pytest.approx(gain, rel=0.1)
    assert found.sigma == pytest.approx(sigma, rel=0.1)
    assert abs(found.offset - camera.offset) < 0.5 * sigma
    assert found.outliers == 0
    assert not found.coarse
    assert (found.clipped_low, found.clipped_high) == (None, None)
    assert found.remarks == ()


@pytest.mark.parametrize(("photons", "gain", "offset", "sigma"), CAMERAS[:3])
def test_a_camera_is_found_from_a_volume(
    photons: float, gain: float, offset: float, sigma: float
) -> None:
    camera = PoissonGaussian(gain=gain, sigma=sigma, offset=offset or 50.0)
    truth = dark_background(nuclei_3d((16, 128, 128), 0))
    psf = gaussian((5, 7, 7), 1.3)
    y = recorded(truth, psf, camera, photons)
    found = estimate_noise(y, psf=psf)
    assert found.gain == pytest.approx(gain, rel=0.1)
    assert found.sigma == pytest.approx(sigma, rel=0.1)
    assert abs(found.offset - camera.offset) < 0.5 * sigma
    assert found.outliers < 2e-4
    as_tensor = torch.from_numpy(y.astype(np.float32))[None, None]
    assert estimate_noise(as_tensor, psf=psf) == found


@pytest.mark.parametrize("name", ["camera", "coins", "text"])
def test_impulses_are_counted_those_within_the_noise_too(name: str) -> None:
    psf = published_psf_2d()
    noisy = degrade(getattr(data, name)(), psf, seed=0).noisy
    kept = noisy.copy()
    found = estimate_noise(noisy, psf=psf)
    np.testing.assert_array_equal(noisy, kept)
    assert 0.005 < found.outliers < 0.015
    level = torch.tensor(float(np.median(noisy)))
    assert float(found.deviation(level)) == pytest.approx(0.102, rel=0.05)
    assert estimate_noise(noisy).outliers == 0


@pytest.mark.parametrize("share", [0.0, 0.002, 0.01, 0.03])
def test_hot_pixels_of_a_camera_are_counted(share: float) -> None:
    rng = np.random.default_rng(5)
    psf = gaussian((9, 9), 1.6)
    camera = PoissonGaussian(gain=1.0, sigma=3.0, offset=100.0)
    y = recorded(dark_background(cells_2d((300, 300), 2)), psf, camera, 200.0).astype(np.float32)
    hot = rng.random(y.shape) < share
    y[hot] = rng.uniform(100, 400, int(hot.sum()))
    found = estimate_noise(y, psf=psf)
    assert found.outliers == pytest.approx(share, rel=0.35, abs=1e-4)
    assert found.gain == pytest.approx(1.0, rel=0.1)
    assert found.sigma == pytest.approx(3.0, rel=0.1)


def test_noise_without_photons_has_no_gain() -> None:
    truth = 50 * dark_background(cells_2d((256, 256), 3))
    blur = Blur(gaussian((9, 9), 1.6), truth.shape, boundary="reflect")
    clean = blur.A(torch.from_numpy(truth)[None, None])
    y = Gaussian(2.0).sample(clean, torch.Generator().manual_seed(0))
    found = estimate_noise(y)
    assert found.gain == 0
    assert any("No photon noise" in remark for remark in found.remarks)
    assert found.sigma == pytest.approx(2.0, rel=0.05)
    assert isinstance(NoiseEstimate(0.0, 0.0, 2.0).model(), Gaussian)


def test_single_photons_are_coarse_and_not_clipped() -> None:
    truth = 3 * dark_background(cells_2d((256, 256), 3))
    y = np.random.default_rng(0).poisson(truth)
    psf = gaussian((7, 7), 1.2)
    found = estimate_noise(y, psf=psf)
    assert found.coarse
    assert found.gain == pytest.approx(1.0, rel=0.15)
    assert found.sigma < 0.6
    assert found.clipped_low is None
    assert found.outliers < 1e-3
    assert any("few grey levels" in remark for remark in found.remarks)


def test_the_model_makes_the_same_noise_again() -> None:
    truth = dark_background(cells_2d((300, 300), 4))
    psf = gaussian((9, 9), 1.6)
    first = estimate_noise(recorded(truth, psf, PoissonGaussian(1.5, 4.0, 90.0), 120.0))
    model = first.model()
    assert isinstance(model, PoissonGaussian)
    second = estimate_noise(recorded(truth, psf, model, 120.0))
    assert second.gain == pytest.approx(first.gain, rel=0.1)
    assert second.sigma == pytest.approx(first.sigma, rel=0.1)
    level = torch.tensor([90.0, 150.0])
    torch.testing.assert_close(
        first.deviation(level) ** 2, model.variance(level), rtol=1e-5, atol=0
    )


def test_given_noise_counts_more() -> None:
    estimate = NoiseEstimate(1.0, 100.0, 2.0, outliers=0.01, clipped_high=255.0)
    known = estimate.known(PoissonGaussian(gain=2.0, sigma=3.0, offset=90.0))
    assert (known.gain, known.offset, known.sigma) == (2.0, 90.0, 3.0)
    assert (known.outliers, known.clipped_high) == (0.01, 255.0)
    assert estimate.known(Gaussian(5.0)).gain == 0
    assert estimate.known(Poisson(2.0)).sigma == 0


def test_what_was_cut_off_is_told() -> None:
    truth = dark_background(cells_2d((256, 256), 5))
    y = recorded(truth, gaussian((9, 9), 1.6), PoissonGaussian(1.0, 3.0, 100.0), 300.0)
    saturated = estimate_noise(np.minimum(y, 200))
    assert saturated.clipped_high == 200
    assert saturated.clipped_low is None
    assert any("saturated at 200" in remark for remark in saturated.remarks)
    low = estimate_noise(np.maximum(y, 100))
    assert low.clipped_low == 100
    assert low.sigma == pytest.approx(3.0, rel=0.35)


def test_dark_and_constant_planes_are_told() -> None:
    rng = np.random.default_rng(1)
    y = np.stack([rng.normal(100, 2, (64, 64)) for _ in range(6)])
    y[2:4, 20:40, 20:40] += 100
    y[5] = 0
    found = estimate_noise(y)
    assert found.offset == pytest.approx(100, abs=1)
    assert found.sigma == pytest.approx(2, rel=0.1)
    assert "1 of 6 planes looked at are constant and were left out." in found.remarks
    assert "3 of 6 planes looked at hold no light." in found.remarks
    dark = estimate_noise(rng.normal(100, 2, (64, 64)))
    assert "Nothing in it is brighter than its noise." in dark.remarks


@pytest.mark.parametrize("shape", [(8, 8), (2, 9, 8), (3, 3), (2, 2), (1, 40), (4, 1, 1)])
def test_small_and_constant_images_are_told_not_crashed(shape: tuple[int, ...]) -> None:
    psf = gaussian((3,) * len(shape), 1.0)
    flat = estimate_noise(np.full(shape, 7.0), psf=psf)
    assert (flat.gain, flat.offset, flat.sigma, flat.outliers) == (0.0, 7.0, 0.0, 0.0)
    assert "nothing tells" in flat.remarks[0]
    y = np.zeros(shape)
    y.flat[0] = 1.0
    found = estimate_noise(y, psf=psf)
    assert np.isfinite([found.gain, found.offset, found.sigma, found.outliers]).all()
    assert bool(torch.isfinite(found.deviation(torch.from_numpy(y))).all())
    assert found.remarks


def test_large_images_are_looked_at_all_over() -> None:
    y = np.random.default_rng(2).normal(10, 1, (1500, 1000))
    y[:700] += 50
    found = estimate_noise(y)
    assert found.offset == pytest.approx(10, abs=0.5)
    assert found.sigma == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("bad", [np.zeros((0, 4)), np.zeros(5), np.full((4, 4), np.nan)])
def test_bad_input_is_refused(bad: Array) -> None:
    with pytest.raises(InputError):
        estimate_noise(bad)
