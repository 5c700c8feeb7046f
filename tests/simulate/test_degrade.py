"""The published degradation and Lucy-Richardson against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate import (
    degrade,
    lucy_richardson_mirror,
    lucy_richardson_mirror_at,
    published_blobs_3d,
    published_psf_2d,
    published_psf_3d,
    rescale,
)
from napari_selfsup_recon.simulate._convolve import same, valid

SHAPES = [((31, 28), (5, 7)), ((40, 17), (17, 17)), ((9, 12, 11), (3, 5, 7)), ((6, 7), (9, 3))]


def _asymmetric(shape: tuple[int, ...]) -> np.ndarray:
    psf = np.random.default_rng(3).random(shape) ** 3
    return psf / psf.sum()


@pytest.mark.parametrize(("shape", "sides"), SHAPES)
def test_convolution_equals_the_direct_sum(shape, sides):
    image, psf = np.random.default_rng(0).random(shape), _asymmetric(sides)
    direct = ndimage.convolve(image, psf, mode="constant")
    assert np.abs(same(image, psf) - direct).max() < 1e-12
    if all(n >= k for n, k in zip(shape, sides, strict=True)):
        inner = tuple(slice(k // 2, n - k // 2) for n, k in zip(shape, sides, strict=True))
        assert np.abs(valid(image, psf) - direct[inner]).max() < 1e-12


def test_the_formula_of_the_noise():
    image = np.random.default_rng(0).integers(3, 200, (40, 50)).astype(np.uint8)
    psf = published_psf_2d()
    result = degrade(image, psf, seed=7)
    x = (image.astype(np.float32) - image.min()) / np.float32(np.ptp(image))
    b = ndimage.convolve(x.astype(float), psf, mode="constant")
    random = np.random.RandomState(7)
    n, s, u = random.randn(40, 50), random.rand(40, 50) < 0.01, random.rand(40, 50)
    y = np.where(s, u, b + np.sqrt(0.001 * b + 0.01) * n)
    y = np.clip(np.round(y * 1024) / 1024, 0, 1)
    assert result.truth == pytest.approx(x, abs=1e-7)
    assert result.blurred == pytest.approx(b, abs=1e-7)
    # a last digit of float32 may tip a rounding
    assert np.abs(result.noisy - y).max() <= 1 / 1024 + 1e-9
    assert np.mean(result.noisy != y.astype(np.float32)) < 1e-3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(24, 20), (8, 9, 10)]))
def test_properties(seed, shape):
    image = np.random.default_rng(seed).random(shape)
    psf = _asymmetric((3,) * len(shape))
    kept = image.copy(), psf.copy()
    result = degrade(image, psf, seed=seed)
    assert np.array_equal(image, kept[0])
    assert np.array_equal(psf, kept[1])
    again = degrade(image, psf, seed=seed)
    for field in ("truth", "blurred", "noisy"):
        array = getattr(result, field)
        assert array.dtype == np.float32
        assert array.shape == shape
        assert array.min() >= 0
        assert array.max() <= 1
        assert np.array_equal(array, getattr(again, field))
    assert result.truth.min() == 0
    assert result.truth.max() == 1
    # ten bits
    assert np.array_equal(np.round(result.noisy * 1024), result.noisy * 1024)
    other = degrade(image, psf, seed=seed ^ 1)
    assert not np.array_equal(result.noisy, other.noisy)
    assert np.array_equal(result.blurred, other.blurred)


def test_no_noise_leaves_the_rounded_blur():
    image = np.random.default_rng(0).random((30, 30))
    result = degrade(image, published_psf_2d(), alpha=0, sigma=0, impulses=0, levels=2**20)
    assert np.abs(result.noisy - result.blurred).max() <= 2.0**-20


def test_noise_has_the_stated_spread():
    image = np.zeros((300, 300))
    image[:, 150:] = 1
    delta = np.ones((1, 1))
    result = degrade(image, delta, alpha=0.03, sigma=0.1, impulses=0)
    left = result.noisy[:, :150]
    # half of a normal is clipped at zero: its mean is sigma / sqrt(2 pi)
    assert left.mean() == pytest.approx(0.1 / np.sqrt(2 * np.pi), rel=0.02)
    right = 1 - result.noisy[:, 150:]
    assert right.mean() == pytest.approx(0.2 / np.sqrt(2 * np.pi), rel=0.02)


def test_the_volume_of_the_3d_demo():
    blobs = published_blobs_3d(32)
    assert blobs.shape == (32, 32, 32)
    assert set(np.unique(blobs)) == {0, 1}
    assert blobs.mean() == pytest.approx(0.5, abs=0.01)
    result = degrade(blobs, published_psf_3d())
    direct = ndimage.convolve(blobs.astype(float), published_psf_3d(), mode="constant")
    assert result.blurred == pytest.approx(direct, abs=1e-7)


@pytest.mark.parametrize(("shape", "sides"), SHAPES[:3])
def test_lucy_richardson_equals_direct_convolution(shape, sides):
    y, psf = np.random.default_rng(0).random(shape), _asymmetric(sides).astype(np.float32)
    y[..., :4] = -0.1
    estimate = np.full(shape, y.clip(0).mean())
    wide = psf.astype(float)
    for _ in range(6):
        blurred = ndimage.convolve(estimate, wide, mode="reflect")
        ratio = y.clip(0) / np.where(blurred == 0, 1, blurred)
        estimate = estimate * ndimage.convolve(ratio, np.flip(wide), mode="reflect")
    kept = y.copy()
    found = lucy_richardson_mirror(y, psf, 6)
    assert np.abs(found - estimate.clip(-1, 1)).max() < 1e-10
    assert np.array_equal(y, kept)


def test_lucy_richardson_at_several_iterations_is_one_run():
    y = degrade(np.random.default_rng(0).random((30, 40)), published_psf_2d()).noisy
    many = lucy_richardson_mirror_at(y, published_psf_2d(), [7, 2, 2])
    assert list(many) == [2, 7]
    for n, estimate in many.items():
        assert np.array_equal(estimate, lucy_richardson_mirror(y, published_psf_2d(), n))


def test_lucy_richardson_of_darkness_is_dark():
    y = np.zeros((40, 40))
    assert not lucy_richardson_mirror(y, published_psf_2d(), 3).any()
    y[5, 5] = 1
    found = lucy_richardson_mirror(y, published_psf_2d(), 30)
    assert np.isfinite(found).all()
    assert np.abs(found[25:]).max() == 0


IMAGE, PSF = np.random.default_rng(0).random((20, 20)), published_psf_2d()


@pytest.mark.parametrize(
    ("image", "psf", "words"),
    [
        (IMAGE * np.nan, PSF, "NaN"),
        (np.zeros((0, 3)), PSF, r"\(0, 3\)"),
        (IMAGE.astype(complex), PSF, "complex"),
        (IMAGE, PSF * np.inf, "PSF holds NaN"),
        (IMAGE, PSF[:, :16], "odd"),
        (IMAGE, PSF[0], "1 axes"),
        (IMAGE, PSF * 0, "positive"),
    ],
)
def test_bad_images_and_psfs(image, psf, words):
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=words):
        degrade(image, psf)
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=words):
        lucy_richardson_mirror(image, psf, 2)


def test_bad_options():
    with pytest.raises(InputError, match="constant"):
        rescale(np.ones((4, 4)))
    for bad in ({"alpha": -1}, {"sigma": float("nan")}, {"impulses": 2}, {"levels": 0}):
        with pytest.raises(InputError, match="impossible"):
            degrade(IMAGE, PSF, **bad)
    with pytest.raises(InputError, match="larger"):
        lucy_richardson_mirror(IMAGE[:10], PSF, 2)
    with pytest.raises(InputError, match="iterations"):
        lucy_richardson_mirror(IMAGE, PSF, 0)
    with pytest.raises(InputError, match="iterations"):
        lucy_richardson_mirror_at(IMAGE, PSF, [])
