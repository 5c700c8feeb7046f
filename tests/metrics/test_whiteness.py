"""Whiteness of residuals: how often white noise is rejected, and what is not white."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import chi2

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics import residual_whiteness

SEEDS = 200


def p_values(make):
    return np.array([make(np.random.default_rng(seed)).p_value for seed in range(SEEDS)])


def plain(random):
    return residual_whiteness(random.standard_normal((48, 56)))


def uneven(random):
    """The noise level changes 25-fold over the image and is not told."""
    return residual_whiteness(random.standard_normal((48, 48)) * np.linspace(0.2, 5, 48)[:, None])


def masked(random):
    noise = random.standard_normal((64, 64))
    return residual_whiteness(noise, mask=random.random(noise.shape) < 0.3)


def few_photons(random):
    return residual_whiteness(random.poisson(4.0, (48, 48)) - 4.0, sigma=2.0)


def volume(random):
    return residual_whiteness(random.standard_normal((12, 24, 24)), reach=(1, 3, 3))


@pytest.mark.parametrize("make", [plain, uneven, masked, few_photons, volume])
def test_white_noise_is_rejected_as_often_as_stated(make):
    found = p_values(make)
    for level in (0.01, 0.05, 0.2):
        allowed = level + 3.5 * math.sqrt(level * (1 - level) / SEEDS)
        assert np.mean(found < level) <= allowed, level
    assert found.mean() == pytest.approx(0.5, abs=0.07)  # nor too rarely


def test_scores_of_white_noise_are_standard():
    found = [plain(np.random.default_rng(seed)) for seed in range(SEEDS)]
    scores = np.array([f.score for f in found])
    assert scores.mean() == pytest.approx(0, abs=0.2)
    assert scores.std() == pytest.approx(1, abs=0.15)
    assert np.mean([f.ratio for f in found]) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("blur", [0.5, 1.0, 3.0])
def test_blurred_noise_is_rejected(blur):
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal((48, 48))
        found = residual_whiteness(gaussian_filter(noise, blur))
        assert not found.is_white(1e-6)
        assert found.ratio > 3


def test_what_is_left_of_an_image_is_seen():
    y, x = np.mgrid[:64, :64]
    edge = 0.5 * (np.hypot(y - 32, x - 32) < 20)
    noise = np.random.default_rng(0).standard_normal((64, 64))
    left = residual_whiteness(noise + edge - edge.mean())
    assert left.score > 6 > 3 > abs(residual_whiteness(noise).score)
    checkers = 0.5 * (-1.0) ** (y + x)
    assert residual_whiteness(noise + checkers).score > 20


def test_the_correlation_does_not_depend_on_the_size():
    """Noise of which 0.6 goes to the pixel on the right: the only lag that is correlated."""
    found = []
    for n in (48, 96, 192):
        noise = np.random.default_rng(n).standard_normal((n, n + 1))
        found.append(residual_whiteness(noise[:, 1:] + 0.6 * noise[:, :-1], reach=1))
    rho = 0.6 / (1 + 0.6**2)
    for one in found:
        assert one.correlation == pytest.approx(rho / 2, abs=0.05)  # of four lags
    assert found[2].ratio > 8 * found[0].ratio
    white = residual_whiteness(np.random.default_rng(0).standard_normal((96, 96)))
    assert white.correlation < 0.01


def test_sums_and_probability_equal_their_definition():
    random = np.random.default_rng(1)
    noise, inside = random.standard_normal((9, 12)), random.random((9, 12)) < 0.9
    found = residual_whiteness(noise, mask=inside, reach=2)
    z = np.where(inside, noise - noise[inside].mean(), 0)
    lags = [(0, 1), (0, 2)] + [(dy, dx) for dy in (1, 2) for dx in range(-2, 3)]
    q = 0.0
    for dy, dx in lags:
        one = z[: 9 - dy, max(0, -dx) : 12 - max(0, dx)]
        other = z[dy:, max(0, dx) : 12 + min(0, dx)]
        q += (one * other).sum() ** 2 / (one**2 * other**2).sum()
    assert found.lags == len(lags) == 12
    assert found.ratio == pytest.approx(q / 12, rel=1e-9)
    assert found.score == pytest.approx((q - 12) / math.sqrt(24), rel=1e-9)
    assert found.p_value == pytest.approx(chi2.sf(q, 12), rel=1e-9)
    assert found.level == pytest.approx(math.sqrt(np.mean(noise[inside] ** 2)), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), factor=st.floats(1e-6, 1e6), offset=st.floats(-100, 100))
def test_units_and_offsets_do_not_matter(seed, factor, offset):
    noise = np.random.default_rng(seed).standard_normal((16, 20))
    plain_ratio = residual_whiteness(noise).ratio
    assert residual_whiteness(factor * (noise + offset)).ratio == pytest.approx(
        plain_ratio, rel=1e-5
    )
    assert residual_whiteness(noise[::-1, ::-1]).ratio == pytest.approx(plain_ratio, rel=1e-9)


def test_the_level_tells_whether_the_noise_explains_the_residual():
    noise = np.random.default_rng(0).normal(0, 3, (64, 64))
    assert residual_whiteness(noise, sigma=3).level == pytest.approx(1, abs=0.05)
    each = np.linspace(1, 5, 64)[:, None] * np.ones(64)
    scaled = residual_whiteness(noise / 3 * each, sigma=each)
    assert scaled.level == pytest.approx(1, abs=0.05)
    assert residual_whiteness(noise).level == pytest.approx(3, abs=0.15)


def test_what_lies_outside_the_mask_may_be_anything():
    noise = np.random.default_rng(0).standard_normal((32, 32))
    inside = np.ones((32, 32), bool)
    inside[4:8] = False
    spoilt = np.where(inside, noise, np.nan)
    assert residual_whiteness(spoilt, mask=inside) == residual_whiteness(noise, mask=inside)
    held_out = np.zeros((32, 32), bool)
    held_out[::8, ::8] = True  # no two within reach of each other
    with pytest.raises(InputError, match="16 pixels"):
        residual_whiteness(noise, mask=held_out)
    wide = np.random.default_rng(0).standard_normal((128, 128))
    held_out = np.zeros(wide.shape, bool)
    held_out[::8, ::8] = True
    with pytest.raises(InputError, match="near enough"):
        residual_whiteness(wide, mask=held_out)


class TestBadInput:
    noise = np.random.default_rng(0).standard_normal((16, 16))

    def test_values(self):
        with pytest.raises(InputError, match="residual holds 256 values that are NaN"):
            residual_whiteness(self.noise * np.nan)
        with pytest.raises(InputError, match="constant"):
            residual_whiteness(np.full((16, 16), 0.1))
        with pytest.raises(InputError, match="constant"):
            residual_whiteness(np.zeros((16, 16)))
        with pytest.raises(InputError, match="25 pixels"):
            residual_whiteness(np.eye(5))

    def test_sigma(self):
        for sigma in (0, -1.0, np.zeros((16, 16))):
            with pytest.raises(InputError, match="noise level goes down"):
                residual_whiteness(self.noise, sigma=sigma)
        with pytest.raises(InputError, match=r"\(3,\)"):
            residual_whiteness(self.noise, sigma=np.ones(3))

    def test_mask_and_reach(self):
        for mask in (np.ones((16, 15), bool), np.ones((16, 16))):
            with pytest.raises(InputError, match="mask"):
                residual_whiteness(self.noise, mask=mask)
        for reach in (0, -2, 1.5, (1, 2, 3)):
            with pytest.raises(InputError, match="reach"):
                residual_whiteness(self.noise, reach=reach)

    def test_inputs_stay(self):
        kept = self.noise.copy()
        residual_whiteness(self.noise, sigma=2)
        assert np.array_equal(self.noise, kept)
