"""Noise that neighbours share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate import (
    charge_noise,
    correlated_noise,
    film_noise,
    streak_noise,
)

ALL = [correlated_noise, film_noise, charge_noise, streak_noise]
ADDITIVE = [correlated_noise, film_noise, streak_noise]
IMAGE = np.add.outer(np.sin(np.arange(256) / 9), np.cos(np.arange(192) / 7)) * 40 + 200


@pytest.mark.parametrize("noise", ALL)
def test_the_image_is_copied_and_the_seed_decides(noise: Callable[..., np.ndarray]) -> None:
    before = IMAGE.copy()
    first, again, other = noise(IMAGE, seed=1), noise(IMAGE, seed=1), noise(IMAGE, seed=2)
    assert np.array_equal(IMAGE, before)
    assert first.dtype == np.float32
    assert first.shape == IMAGE.shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(noise(IMAGE, strength=0.0), IMAGE.astype(np.float32))


@pytest.mark.parametrize("noise", ADDITIVE)
@given(strength=st.floats(0.05, 2.0), scale=st.sampled_from([1e-3, 1.0, 1e4]))
def test_the_strength_is_in_units_of_the_contrast(
    noise: Callable[..., np.ndarray], strength: float, scale: float
) -> None:
    added = noise(IMAGE * scale, strength=strength) - IMAGE * scale
    assert added.std() == pytest.approx(strength * IMAGE.std() * scale, rel=0.05)
    assert abs(added.mean()) < 0.05 * added.std()


@pytest.mark.parametrize("noise", ALL)
def test_planes_of_a_stack_have_noise_of_their_own(noise: Callable[..., np.ndarray]) -> None:
    added = noise(np.stack([IMAGE] * 3)) - IMAGE
    a, b = added[0].ravel(), added[1].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.3
    # Plane 0 of a stack is the image alone.
    assert np.allclose(added[0] + IMAGE, noise(IMAGE), atol=1e-4 * IMAGE.std())


@pytest.mark.parametrize("grain", [0.0, 1.0, 2.5])
def test_correlation_falls_as_a_gaussian_of_the_grain(grain: float) -> None:
    noise = correlated_noise(np.random.default_rng(0).random((512, 512)), grain=grain)
    noise = noise - np.random.default_rng(0).random((512, 512))
    for distance in (1, 2, 4):
        found = np.corrcoef(noise[:, :-distance].ravel(), noise[:, distance:].ravel())[0, 1]
        stated = np.exp(-(distance**2) / (4 * grain**2)) if grain else 0.0
        # A Gaussian of 1 pixel is sampled coarsely.
        assert found == pytest.approx(stated, abs=0.03)


def test_film_is_a_band_between_fine_and_coarse() -> None:
    noise = film_noise(IMAGE, grain=4.0, speckle=0.0) - IMAGE
    power = np.abs(np.fft.fft2(noise)) ** 2
    ky, kx = np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(192), indexing="ij")
    k = np.hypot(ky, kx)
    slow, band, fine = (
        power[(k >= low) & (k < high)].mean()
        for low, high in ((0.0, 0.006), (0.02, 0.05), (0.2, 0.5))
    )
    assert band > 10 * slow
    assert band > 1e6 * fine


def test_charge_is_a_gain_with_tails_to_the_right() -> None:
    noisy = charge_noise(IMAGE, strength=0.2, streaks=1.0, tail=20.0)
    lowest = IMAGE.min()
    inside = IMAGE - lowest > 10
    gain = np.log(((noisy - lowest) / np.maximum(IMAGE - lowest, 1e-9))[inside])
    assert gain.std() == pytest.approx(0.2, rel=0.1)
    assert noisy[lowest == IMAGE] == pytest.approx(lowest)
    # Flat: the gain itself. It jumps at a discharge and decays behind it, never before it.
    flat = np.ones((64, 512)) * 2
    flat[0, 0] = 1
    field = np.log(charge_noise(flat, strength=0.2, streaks=1.0, tail=20.0)[1:] - 1)
    steps = np.abs(np.diff(field - np.median(field), axis=1))
    assert np.abs(steps).max() > 30 * np.median(steps)


def test_streaks_are_straight() -> None:
    noise = streak_noise(IMAGE, number=1, seed=3) - IMAGE
    bright = np.argwhere(np.abs(noise) > 0.5 * np.abs(noise).max()).astype(float)
    bright -= bright.mean(0)
    spread = np.linalg.svd(bright, compute_uv=False) / np.sqrt(len(bright))
    assert spread[0] > 20
    assert spread[1] < 1.5


@pytest.mark.parametrize("noise", ALL)
@pytest.mark.parametrize(
    "image", [np.ones((8, 8)), np.full((8, 8), np.nan), np.zeros(8), np.zeros((2, 2, 8, 8))]
)
def test_what_cannot_be_spoiled_is_refused(
    noise: Callable[..., np.ndarray], image: np.ndarray
) -> None:
    with pytest.raises(InputError):
        noise(image)


def test_impossible_numbers_are_refused() -> None:
    for wrong in ({"strength": -1.0}, {"grain": -1.0}, {"strength": np.nan}):
        with pytest.raises(InputError, match="impossible"):
            correlated_noise(IMAGE, **wrong)
    with pytest.raises(InputError, match="impossible"):
        film_noise(IMAGE, speckle=1.5)
    with pytest.raises(InputError, match="impossible"):
        charge_noise(IMAGE, tail=0.0)
    with pytest.raises(InputError, match="impossible"):
        streak_noise(IMAGE, number=0)
