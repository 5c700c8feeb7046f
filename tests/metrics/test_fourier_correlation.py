"""Fourier ring and shell correlation: identities, known cut-offs, physical frequency."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics import frc, fsc, single_image_frc

quick = settings(max_examples=25, deadline=None)


def limited(shape, voxel_size, cutoff, seed=0):
    """White noise up to ``cutoff`` (cycles a unit) and nothing beyond; standard deviation 1."""
    grids = [np.fft.fftfreq(n, s) for n, s in zip(shape, voxel_size, strict=True)]
    frequency = np.sqrt(sum(g * g for g in np.meshgrid(*grids, indexing="ij")))
    noise = np.random.default_rng(seed).standard_normal(shape)
    signal = np.fft.ifftn(np.fft.fftn(noise) * (frequency <= cutoff)).real
    return signal / signal.std()


def noisy_pair(signal, level, seed=1):
    random = np.random.default_rng(seed)
    return [signal + level * random.standard_normal(signal.shape) for _ in range(2)]


@quick
@given(
    shape=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    seed=st.integers(0, 2**31),
    window=st.sampled_from(["hann", "hamming", "tukey", "none"]),
)
def test_an_image_agrees_with_itself_at_all_frequencies(shape, seed, window):
    image = np.random.default_rng(seed).normal(100, 5, shape)
    same = frc(image, image, window=window)
    assert same.correlation == pytest.approx(1, abs=1e-9)
    assert (same.resolution, same.limit) == (None, "sampling")
    assert (np.diff(same.frequency) > 0).all()
    assert same.frequency[-1] <= 0.5 + 0.5 / min(shape)
    assert frc(image, -image, window=window).correlation == pytest.approx(-1, abs=1e-9)


@quick
@given(seed=st.integers(0, 2**31), factor=st.floats(1e-6, 1e6), offset=st.floats(-1e3, 1e3))
def test_brightness_and_contrast_and_order_do_not_matter(seed, factor, offset):
    a, b = np.random.default_rng(seed).standard_normal((2, 20, 24))
    plain = frc(a, b).correlation
    assert frc(factor * (a + offset), b).correlation == pytest.approx(plain, abs=1e-6)
    assert frc(b, a).correlation == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("window", ["hann", "tukey", "none"])
def test_noise_shares_nothing_and_counts_say_how_little(window):
    curves = [
        frc(*np.random.default_rng(seed).standard_normal((2, 128, 96)), window=window)
        for seed in range(40)
    ]
    values = np.array([c.correlation for c in curves])[:, 4:]
    assert np.abs(values.mean(axis=0)).max() < 0.1
    # Real parts of sums over n independent samples vary by 1 / sqrt(2 n).
    spread = (values * np.sqrt(2 * curves[0].counts[4:])).std()
    assert spread == pytest.approx(1, abs=0.1)
    assert sum(c.limit == "noise" for c in curves) >= 37
    assert all(c.resolution is None for c in curves if c.limit == "noise")
    assert str(next(c for c in curves if c.limit == "noise")).startswith("none")


@pytest.mark.parametrize("cutoff", [0.2, 0.3, 0.4])
@pytest.mark.parametrize("level", [0.1, 0.5])
@pytest.mark.parametrize("threshold", ["1/7", "half-bit", 0.5])
def test_a_band_limited_image_crosses_at_its_cutoff(cutoff, level, threshold):
    a, b = noisy_pair(limited((384, 384), (1, 1), cutoff), level)
    assert frc(a, b, threshold=threshold).resolution == pytest.approx(1 / cutoff, rel=0.03)
    exact = frc(a, b, threshold=threshold, window="none")
    assert exact.resolution == pytest.approx(1 / cutoff, rel=0.015)
    assert exact.limit == "crossing"


def test_resolution_is_physical():
    a, b = noisy_pair(limited((256, 200), (1, 1), 0.25), 0.2)
    pixels, nanometres = frc(a, b), frc(a, b, voxel_size=65, unit="nanometer")
    assert nanometres.resolution == pytest.approx(65 * pixels.resolution, rel=1e-9)
    assert nanometres.unit == "nanometer"
    assert str(nanometres).endswith("nanometer (threshold 1/7)")
    stretched = limited((256, 512), (0.2, 0.1), 1.2)  # pixels twice as high as wide
    found = frc(*noisy_pair(stretched, 0.2), voxel_size=(0.2, 0.1), unit="micrometer")
    assert found.resolution == pytest.approx(1 / 1.2, rel=0.04)  # of 61 rings


def test_coarse_planes_give_the_same_physical_resolution():
    """The same band in cubic voxels, and in voxels three times as high."""
    cubic, flat = (0.1, 0.1, 0.1), (0.3, 0.1, 0.1)
    results = {}
    # In a narrow sector 1/7 is within what noise reaches by chance; half-bit knows how few
    # samples there are.
    for size, planes in ((cubic, 96), (flat, 32)):
        pair = noisy_pair(limited((planes, 96, 96), size, 1.2), 0.5)
        for sector in ("all", "xy", "z"):
            found = fsc(*pair, voxel_size=size, sector=sector, threshold="half-bit")
            results[size, sector] = found.resolution
    for sector in ("all", "xy", "z"):
        assert results[flat, sector] == pytest.approx(results[cubic, sector], rel=0.08), sector
        # 96 voxels resolve 0.1 cycles: a shell beside the cut-off is 9 % off it.
        assert results[cubic, sector] == pytest.approx(1 / 1.2, rel=0.2), sector


def test_sectors_see_their_own_directions():
    """A volume that is twice as sharp in the plane as along the axis."""
    shape, size = (64, 96, 96), (0.1, 0.1, 0.1)
    grids = np.meshgrid(*(np.fft.fftfreq(n, 0.1) for n in shape), indexing="ij", sparse=True)
    inside = (grids[0] / 1.0) ** 2 + (grids[1] ** 2 + grids[2] ** 2) / 2.5**2 <= 1
    noise = np.random.default_rng(0).standard_normal(shape)
    signal = np.fft.ifftn(np.fft.fftn(noise) * inside).real
    pair = noisy_pair(signal / signal.std(), 0.2)
    lateral, axial = (
        fsc(*pair, voxel_size=size, sector=sector, opening=20, threshold="half-bit")
        for sector in ("xy", "z")
    )
    assert lateral.resolution == pytest.approx(1 / 2.5, rel=0.12)
    assert axial.resolution == pytest.approx(1 / 1.0, rel=0.2)
    whole = fsc(*pair, voxel_size=size, threshold="half-bit")
    assert whole.resolution < axial.resolution
    assert axial.resolution > 2 * lateral.resolution
    assert lateral.counts.sum() + axial.counts.sum() < whole.counts.sum()


def test_half_bit_is_stricter_where_samples_are_few():
    a, b = noisy_pair(limited((128, 128), (1, 1), 0.3), 0.3)
    curve = frc(a, b, threshold="half-bit")
    assert (np.diff(curve.threshold[np.argsort(curve.counts)]) <= 1e-12).all()
    infinite = 0.2071 / 1.2071
    assert infinite < curve.threshold.min() < infinite + 0.2
    assert curve.criterion == "half-bit"


def test_counts_are_those_of_the_half_plane():
    curve = frc(*np.random.default_rng(0).standard_normal((2, 32, 33)), window="none")
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(33), indexing="ij"))
    rings = np.rint(radius * 32).astype(int)
    expected = [np.count_nonzero(rings == k) / 2 for k in range(1, 17)]
    assert curve.counts == pytest.approx(expected)


def test_results_are_frozen_and_inputs_stay():
    a, b = np.random.default_rng(0).standard_normal((2, 32, 32))
    kept = a.copy(), b.copy()
    curve = frc(a, b)
    assert np.array_equal(a, kept[0]) and np.array_equal(b, kept[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve.resolution = 1.0
    with pytest.raises(ValueError, match="read-only"):
        curve.correlation[0] = 1
    assert frc(a.astype(np.float32), b, rings=5).frequency.size == 5


class TestSingleImage:
    def test_it_comes_near_two_exposures(self):
        random = np.random.default_rng(0)
        away = []
        for name in ("camera", "gravel"):
            for blur, peak in ((2, 3000), (3, 300), (3, 3000)):
                image = gaussian_filter(getattr(data, name)().astype(float), blur, mode="wrap")
                one, two = (random.poisson(image / image.max() * peak) for _ in range(2))
                wanted = frc(one, two).resolution
                away.append(single_image_frc(one).resolution / wanted - 1)
        assert np.abs(away).max() < 0.2
        assert np.abs(away).mean() < 0.08

    def test_the_calibration_is_the_published_one(self):
        image = np.random.default_rng(0).poisson(
            200 + 100 * limited((257, 256), (1, 1), 0.1).clip(-2)
        )
        raw = single_image_frc(image, voxel_size=0.1, calibrated=False)
        crossing = 0.4 / raw.resolution
        factor = 0.95988146 * math.exp(13.90441896 * (crossing - 0.97979108)) + 0.55146136
        calibrated = single_image_frc(image, voxel_size=0.1, unit="micrometer")
        assert calibrated.resolution == pytest.approx(0.2 / crossing / factor, rel=1e-9)
        assert calibrated.resolution < raw.resolution
        assert raw.frequency[-1] == pytest.approx(2.5, rel=0.02)

    def test_noise_has_no_resolution(self):
        image = np.random.default_rng(3).standard_normal((128, 128))
        assert single_image_frc(image).limit == "noise"

    def test_pixels_must_be_square(self):
        with pytest.raises(InputError, match="not square"):
            single_image_frc(np.eye(32), voxel_size=(0.1, 0.2))
        with pytest.raises(InputError, match="not an image"):
            single_image_frc(np.ones((8, 32, 32)))


class TestBadInput:
    image = np.random.default_rng(0).random((24, 24))
    volume = np.random.default_rng(0).random((12, 16, 16))

    @pytest.mark.parametrize("size", [0, -1, math.nan, math.inf, (1, 2, 3), "wide", (0.1, -1)])
    def test_voxel_sizes(self, size):
        with pytest.raises(InputError, match="voxel size"):
            frc(self.image, self.image, voxel_size=size)

    def test_axes(self):
        with pytest.raises(InputError, match="not an image") as caught:
            frc(self.volume, self.volume)
        assert "fsc" in caught.value.hint
        with pytest.raises(InputError, match="not a volume"):
            fsc(self.image, self.image)
        with pytest.raises(InputError, match=r"\(24, 24\)"):
            frc(self.image, self.image[:-1])

    def test_settings(self):
        for threshold in ("1/2", 0, 1.0, -0.1):
            with pytest.raises(InputError, match="threshold"):
                frc(self.image, self.image, threshold=threshold)
        with pytest.raises(InputError, match="window"):
            frc(self.image, self.image, window="box")
        with pytest.raises(InputError, match="sector"):
            fsc(self.volume, self.volume, sector="x")
        for opening in (0, 90, -5):
            with pytest.raises(InputError, match="degrees"):
                fsc(self.volume, self.volume, sector="z", opening=opening)

    def test_too_small_or_constant(self):
        with pytest.raises(InputError, match="too small"):
            frc(self.image[:4, :4], self.image[:4, :4])
        with pytest.raises(InputError, match="too small"):
            frc(self.image, self.image, rings=2)
        with pytest.raises(InputError, match="constant"):
            frc(self.image, np.zeros_like(self.image))
        with pytest.raises(InputError, match="NaN"):
            frc(self.image, self.image * np.nan)
