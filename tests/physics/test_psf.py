"""Point spread functions: made, measured and made ready."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf import Finding


def middle(array: np.ndarray) -> tuple[int, ...]:
    return tuple(n // 2 for n in array.shape)


def spot(shape: tuple[int, ...], at: tuple[float, ...], sigma: float = 1.5) -> np.ndarray:
    grids = np.indices(shape)
    squares = sum((g - a) ** 2 for g, a in zip(grids, at, strict=True))
    return np.exp(-0.5 * squares / sigma**2)


def by_step(prepared: psf.Prepared) -> dict[str, Finding]:
    return {finding.step: finding for finding in prepared.findings}


# Gaussian


@given(
    fwhm=st.lists(st.floats(0.0, 8.0), min_size=2, max_size=3),
    scale=st.floats(0.3, 2.0),
)
@settings(max_examples=40, deadline=None)
def test_gaussian_is_odd_symmetric_and_sums_to_one(fwhm: list[float], scale: float) -> None:
    kernel = psf.gaussian(fwhm, scale)
    assert kernel.ndim == len(fwhm)
    assert all(n % 2 == 1 for n in kernel.shape)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.unravel_index(kernel.argmax(), kernel.shape) == middle(kernel)
    for axis in range(kernel.ndim):
        np.testing.assert_allclose(kernel, np.flip(kernel, axis), atol=1e-15)


def test_gaussian_has_the_variance_of_gaussian_and_voxel() -> None:
    fwhm, scale = (0.9, 0.5), (0.2, 0.1)
    kernel = psf.gaussian(fwhm, scale=scale, truncate=7)
    for axis in range(2):
        profile = kernel.sum(axis=1 - axis)
        positions = (np.arange(profile.size) - profile.size // 2) * scale[axis]
        expected = (fwhm[axis] / 2.3548200450309493) ** 2 + scale[axis] ** 2 / 12
        assert (profile * positions**2).sum() == pytest.approx(expected, rel=1e-6)


def test_gaussian_without_width_is_one_voxel_and_one_value_serves_all_axes() -> None:
    np.testing.assert_array_equal(psf.gaussian(0.0, ndim=3), np.ones((1, 1, 1)))
    assert psf.gaussian(3.0).ndim == 2
    np.testing.assert_array_equal(psf.gaussian(3.0, ndim=3), psf.gaussian((3.0, 3.0, 3.0)))
    np.testing.assert_array_equal(psf.gaussian(3.0, (1.0, 0.5)), psf.gaussian((3.0, 6.0)))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"fwhm": -1.0}, "0 or more"),
        ({"fwhm": math.nan}, "0 or more"),
        ({"fwhm": 1.0, "scale": 0.0}, "positive"),
        ({"fwhm": (1.0, 2.0), "scale": (1.0, 1.0, 1.0)}, "one for each axis"),
        ({"fwhm": (1.0, 2.0), "ndim": 3}, "one for each axis"),
        ({"fwhm": 250.0, "scale": 1e-3, "ndim": 3}, "units"),
        ({"fwhm": 1e300, "scale": 1e-3}, "units"),
        ({"fwhm": 1.0, "truncate": 0.0}, "above 0"),
    ],
)
def test_gaussian_refuses_nonsense(arguments: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        psf.gaussian(**arguments)


# FWHM


@pytest.mark.parametrize("width", [3.0, 5.5, 9.0])
def test_fwhm_measures_what_gaussian_made(width: float) -> None:
    kernel = psf.gaussian((width, 2 * width), (0.5, 0.5))
    assert psf.fwhm(kernel, 0.5) == pytest.approx((width, 2 * width), rel=0.01)


def test_fwhm_is_nan_where_half_is_not_reached_and_exact_on_a_triangle() -> None:
    triangle = np.maximum(0, 4.0 - np.abs(np.arange(-6, 7)))
    assert psf.fwhm(triangle) == (4.0,)
    ridge = np.outer(np.ones(5), triangle)
    along, across = psf.fwhm(ridge, (1.0, 0.1))
    assert math.isnan(along)
    assert across == pytest.approx(0.4)


# Single steps


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_every_step_leaves_its_input_alone(dtype: type) -> None:
    given_psf = (100 * spot((15, 17), (6, 9)) + 10).astype(dtype)
    before = given_psf.copy()
    for step in (
        psf.subtract_background,
        psf.suppress_noise,
        psf.clip_negative,
        psf.centre,
        psf.crop_energy,
        psf.normalise,
    ):
        result, finding = step(given_psf)
        assert not np.shares_memory(result, given_psf)
        assert result.dtype == np.float64
        assert isinstance(finding, Finding)
        result += 1.0
        np.testing.assert_array_equal(given_psf, before)
    psf.resample(given_psf, (1, 1), (2, 2))
    psf.prepare(given_psf, image_shape=(64, 64))
    np.testing.assert_array_equal(given_psf, before)


def test_a_camera_offset_is_subtracted_and_noise_does_not_bias_it() -> None:
    rng = np.random.default_rng(0)
    recorded = rng.poisson(1000 * spot((25, 31, 31), (12, 15, 15), 2.0) + 100.0)
    result, finding = psf.subtract_background(recorded)
    assert finding.level == "repaired"
    assert np.mean(result[0]) == pytest.approx(0.0, abs=1.5)
    known, finding = psf.subtract_background(recorded, 100.0)
    np.testing.assert_array_equal(known, recorded - 100.0)
    assert "100" in finding.message


def test_coarse_counts_give_a_background_between_two_grey_values() -> None:
    rng = np.random.default_rng(1)
    recorded = rng.poisson(np.full((30, 30, 30), 1.3)) + np.round(200 * spot((30,) * 3, (15,) * 3))
    recorded = np.maximum(recorded, 1)
    result, _ = psf.subtract_background(recorded)
    level = float((recorded - result).flat[0])
    assert level == pytest.approx(np.maximum(rng.poisson(np.full(10**5, 1.3)), 1).mean(), abs=0.1)


def test_a_computed_psf_keeps_its_tails() -> None:
    grid = np.hypot(*np.mgrid[-15:16, -15:16])
    lorentzian = 1 / (1 + grid**2) ** 1.5
    result, finding = psf.subtract_background(lorentzian)
    assert finding.level == "ok"
    np.testing.assert_array_equal(result, lorentzian)
    result, finding = psf.suppress_noise(result)
    assert finding.level == "ok"
    np.testing.assert_array_equal(result, lorentzian)


def test_noise_is_removed_and_light_is_kept() -> None:
    rng = np.random.default_rng(2)
    clean = 1000 * spot((41, 41, 41), (20, 20, 20), 2.0)
    noisy = clean + rng.normal(0, 10, clean.shape)
    kept, finding = psf.suppress_noise(noisy)
    assert finding.level == "repaired"
    assert np.count_nonzero(kept) < 0.1 * kept.size
    assert kept.sum() == pytest.approx(clean.sum(), rel=0.02)
    # Clipping the noise alone would have added a haze larger than the PSF itself.
    assert noisy.clip(min=0).sum() > 2 * clean.sum()


@given(st.integers(0, 14), st.integers(0, 17), st.sampled_from(["core", "peak", "centroid"]))
@settings(max_examples=40, deadline=None)
def test_centre_moves_by_whole_voxels_and_loses_nothing(y: int, x: int, by: str) -> None:
    kernel = np.zeros((15, 18))
    kernel[y, x] = 3.0
    moved, finding = psf.centre(kernel, by=by)  # type: ignore[arg-type]
    assert moved[middle(moved)] == 3.0
    assert moved.sum() == 3.0
    shift = (7 - y, 9 - x)
    if any(shift):
        assert str(shift) in finding.message
    else:
        assert moved.shape == kernel.shape


def test_centre_keeps_even_symmetric_psfs_and_finds_it_again() -> None:
    box = np.zeros((8, 8))
    box[2:6, 2:6] = 1.0
    moved, finding = psf.centre(box)
    assert finding.level == "ok"
    np.testing.assert_array_equal(moved, box)
    once, _ = psf.centre(spot((20, 21), (5, 17)))
    twice, finding = psf.centre(once)
    np.testing.assert_array_equal(once, twice)
    assert finding.level == "ok"


def test_centre_is_not_fooled_by_a_hot_pixel() -> None:
    kernel = spot((31, 31), (12, 18), 2.0)
    kernel[2, 3] = 1.5
    moved, _ = psf.centre(kernel)
    assert moved[middle(moved)] == pytest.approx(1.0)
    assert psf.centre(kernel, by="peak")[0][middle(psf.centre(kernel, by="peak")[0])] == 1.5


def test_a_ring_is_centred_on_its_hole() -> None:
    radius = np.hypot(*(np.mgrid[:41, :41] - np.array([18, 23])[:, None, None]))
    ring = np.exp(-((radius - 8) ** 2) / 4)
    moved, finding = psf.centre(ring)
    assert "(2, -3)" in finding.message
    np.testing.assert_allclose(moved, moved[::-1, ::-1], atol=1e-9)


def test_centre_unrolls_fft_order() -> None:
    kernel = psf.gaussian((5.0, 3.0, 4.0))
    moved, finding = psf.centre(np.fft.ifftshift(kernel))
    np.testing.assert_array_equal(moved, kernel)
    assert "unrolled" in finding.message


def test_centre_warns_of_several_beads_and_of_a_cut_psf() -> None:
    two = spot((40, 40), (10, 10)) + spot((40, 40), (30, 30))
    assert psf.centre(two)[1].level == "warning"
    assert "2 bright spots" in psf.centre(two)[1].message
    assert "cut off" in psf.centre(spot((40, 40), (20, 0.4), 3.0))[1].message


def test_subvoxel_centring_halves_no_light() -> None:
    kernel = spot((25, 25), (12.4, 11.7), 2.0)
    moved, finding = psf.centre(kernel, subvoxel=True)
    position = ndimage.center_of_mass(moved)
    np.testing.assert_allclose(position, middle(moved), atol=0.02)
    assert moved.sum() == pytest.approx(kernel.sum(), rel=1e-3)
    assert finding.level == "repaired"


@given(st.floats(0.5, 0.9999), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_cropping_keeps_what_it_says(keep: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = psf.gaussian((7.0, 4.0)) * rng.uniform(0.5, 1.5, psf.gaussian((7.0, 4.0)).shape)
    cropped, _ = psf.crop_energy(kernel, keep)
    assert cropped.sum() >= keep * kernel.sum() * (1 - 1e-9)
    assert cropped[middle(cropped)] == kernel[middle(kernel)]
    assert all(n % 2 == 1 for n in cropped.shape)


def test_cropping_is_tight_along_each_axis_and_obeys_the_largest_shape() -> None:
    kernel = np.pad(psf.gaussian((9.0, 3.0)), 20)
    cropped, finding = psf.crop_energy(kernel, 0.99)
    assert cropped.shape[0] > 2 * cropped.shape[1]
    assert finding.level == "repaired"
    small, finding = psf.crop_energy(kernel, 0.99, (4, 6))
    assert small.shape == (3, 5)
    assert small[1, 2] == kernel.max()
    assert finding.level == "warning"
    assert f"{100 * small.sum():.1f} %" in finding.message


def test_normalise_survives_huge_and_tiny_values() -> None:
    for factor in (1e-300, 1.0, 1e300):
        result, _ = psf.normalise(psf.gaussian(3.0) * factor)
        assert result.sum() == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(InputError, match="background"):
        psf.normalise(np.array([[1.0, -5.0]]))


# Resampling


@pytest.mark.parametrize(
    ("old", "new"),
    [((0.1, 0.1), (0.2, 0.2)), ((0.2, 0.2), (0.1, 0.1)), ((0.05, 0.3), (0.16, 0.11))],
)
def test_resampled_gaussian_is_the_gaussian_of_the_new_voxels(
    old: tuple[float, ...], new: tuple[float, ...]
) -> None:
    width = (1.1, 1.4)
    fine = psf.gaussian(width, old, truncate=5)
    expected = psf.gaussian(width, new, truncate=5)
    result, finding = psf.resample(fine, old, new)
    assert result.sum() == pytest.approx(fine.sum(), rel=1e-12)
    halves = [min(a, b) // 2 for a, b in zip(result.shape, expected.shape, strict=True)]
    inner, reference = (
        array[tuple(slice(n // 2 - h, n // 2 + h + 1) for n, h in zip(array.shape, halves))]  # noqa: B905
        for array in (result, expected)
    )
    np.testing.assert_allclose(inner, reference, atol=0.01 * expected.max())
    assert finding.level == "repaired"


def test_equal_voxels_are_left_alone_and_mad_ones_refused() -> None:
    kernel = psf.gaussian(3.0)
    same, finding = psf.resample(kernel, (0.1, 0.1), (0.1005, 0.1))
    np.testing.assert_array_equal(same, kernel)
    assert finding.level == "ok"
    with pytest.raises(InputError, match="units"):
        psf.resample(kernel, (1.0, 1.0), (1e-6, 1e-6))
    with pytest.raises(InputError, match="positive"):
        psf.resample(kernel, (0.0, 1.0), (1.0, 1.0))
    with pytest.raises(InputError, match="2 positive"):
        psf.resample(kernel, (1.0, 1.0, 1.0), (1.0, 1.0))


# All together


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_prepare_makes_any_recorded_psf_usable(dtype: type) -> None:
    rng = np.random.default_rng(3)
    recorded = rng.poisson(200 * spot((24, 30, 40), (10, 18, 21), 1.6) + 20).astype(dtype)
    prepared = psf.prepare(recorded, image_shape=(16, 64, 64))
    kernel, findings = prepared
    assert kernel is prepared.psf
    assert findings == prepared.findings
    assert kernel.min() == 0.0
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert all(k <= n for k, n in zip(kernel.shape, (16, 64, 64), strict=True))
    np.testing.assert_allclose(ndimage.center_of_mass(kernel), middle(kernel), atol=0.2)
    assert psf.fwhm(kernel) == pytest.approx((3.77,) * 3, rel=0.1)
    assert "(2, -3, -1)" in by_step(prepared)["centre"].message
    assert prepared.level == "repaired"


@given(st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_preparing_twice_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recorded = rng.poisson(300 * spot((25, 28), rng.uniform(8, 17, 2), 1.5) + 10)
    once = psf.prepare(recorded, image_shape=(64, 64)).psf
    again = psf.prepare(once, image_shape=(64, 64))
    np.testing.assert_allclose(again.psf, once, atol=1e-15)
    assert again.level == "ok"


def test_prepare_leaves_a_good_psf_as_it_is() -> None:
    good = psf.gaussian((5.0, 3.0, 3.0))
    prepared = psf.prepare(
        good, image_shape=(32, 64, 64), psf_scale=(0.2, 0.1, 0.1), image_scale=(0.2, 0.1, 0.1)
    )
    np.testing.assert_allclose(prepared.psf, good, atol=1e-17)
    assert {f.level for f in prepared.findings} == {"ok"}
    steps = ["background", "centre", "voxel size", "noise", "values", "size", "sum"]
    assert [f.step for f in prepared.findings] == steps


def test_prepare_drops_singleton_axes_but_keeps_a_flat_3d_psf() -> None:
    flat = psf.gaussian((3.0, 3.0))
    prepared = psf.prepare(flat[None, :, None, :], image_shape=(50, 50))
    assert prepared.psf.shape == flat.shape
    assert by_step(prepared)["axes"].level == "repaired"
    scaled = psf.prepare(
        flat[None], image_shape=(50, 50), psf_scale=(9.0, 1.0, 1.0), image_scale=(1.0, 1.0)
    )
    assert by_step(scaled)["voxel size"].level == "ok"
    assert psf.prepare(flat[None], image_shape=(10, 50, 50)).psf.shape == (1, *flat.shape)


def test_prepare_matches_voxel_sizes_and_says_when_it_cannot() -> None:
    kernel = psf.gaussian((1.0, 1.0), 0.1)
    prepared = psf.prepare(
        kernel, image_shape=(64, 64), psf_scale=(0.1, 0.1), image_scale=(0.25, 0.25)
    )
    assert psf.fwhm(prepared.psf, 0.25) == pytest.approx((1.03, 1.03), rel=0.03)
    assert by_step(prepared)["voxel size"].level == "repaired"
    one = psf.prepare(kernel, image_shape=(64, 64), image_scale=(0.25, 0.25))
    assert by_step(one)["voxel size"].level == "warning"
    assert "PSF is unknown" in by_step(one)["voxel size"].message
    tiny = psf.prepare(kernel, image_shape=(64, 64), psf_scale=(0.1, 0.1), image_scale=(9.0, 9.0))
    assert by_step(tiny)["sharpness"].level == "warning"


def test_a_psf_larger_than_the_image_is_cropped_or_refused() -> None:
    wide = np.pad(psf.gaussian((5.0, 5.0)), 40)
    prepared = psf.prepare(wide, image_shape=(16, 16))
    assert prepared.psf.shape <= (15, 15)
    assert by_step(prepared)["size"].level in ("repaired", "warning")
    with pytest.raises(InputError, match=r"larger than the image.*larger image or region"):
        psf.prepare(psf.gaussian((40.0, 40.0)), image_shape=(16, 16))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((9, 9)), "zero everywhere"),
        (np.full((9, 9), 7), "constant"),
        (np.full((9, 9), np.nan), "81 voxels that are NaN"),
        (np.where(np.eye(9) > 0, np.inf, 0.0), "9 voxels that are NaN"),
        (np.ones((9, 9), dtype=complex), "complex128"),
        (np.array(3.0), "real-valued"),
        (np.zeros((0, 9)), "real-valued"),
        (np.array([["a", "b"]]), "real-valued"),
        (-spot((9, 9), (4, 4)), "no positive value"),
        (psf.gaussian((3.0, 3.0, 3.0)), r"2D PSF for an image.*psf\[5\]"),
        (np.stack([psf.gaussian((3.0, 3.0, 3.0))] * 2), "2D PSF for images"),
    ],
)
def test_bad_psfs_are_refused_with_a_way_out(bad: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        psf.prepare(bad, image_shape=(64, 64))
    assert caught.value.hint


def test_a_flat_psf_for_a_volume_is_refused() -> None:
    with pytest.raises(InputError, match="3D PSF for a volume"):
        psf.prepare(psf.gaussian(3.0), image_shape=(8, 64, 64))


def test_a_psf_with_a_wrong_number_of_voxel_sizes_is_refused() -> None:
    with pytest.raises(InputError, match="one value an axis"):
        psf.prepare(psf.gaussian(3.0), image_shape=(64, 64), psf_scale=(1.0,))


def test_a_mostly_negative_psf_is_flagged() -> None:
    hat = spot((31, 31), (15, 15), 2.0) - 0.3 * spot((31, 31), (15, 15), 4.0)
    _, finding = psf.clip_negative(hat)
    assert finding.level == "warning"


def test_no_torch_and_no_viewer_is_loaded() -> None:
    code = (
        "import sys, numpy; from napari_selfsup_recon import psf;"
        "psf.prepare(psf.gaussian((3., 2.)), image_shape=(32, 32), psf_scale=(1, 1),"
        "image_scale=(2, 2));"
        "assert not {'torch', 'napari', 'qtpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Real data


@pytest.fixture
def real() -> Path:
    if "NSR_DATA" not in os.environ:
        pytest.skip("NSR_DATA names no folder of real data")
    return Path(os.environ["NSR_DATA"]) / "microscopy_3d"


def test_the_measured_light_sheet_psf(real: Path) -> None:
    import tifffile

    recorded = tifffile.imread(real / "lls_psf_measured_61x128x128.tif")
    prepared = psf.prepare(recorded, image_shape=(88, 256, 192))
    assert "(0, -7, 0)" in by_step(prepared)["centre"].message
    assert psf.fwhm(prepared.psf) == pytest.approx((6.9, 3.1, 3.1), abs=0.15)
    assert max(prepared.psf.shape) < 50
    assert prepared.level == "repaired"


def test_a_confocal_bead_and_the_field_with_four(real: Path) -> None:
    import tifffile

    beads = tifffile.imread(real / "confocal_beads_41x150x150.tif")
    one = psf.prepare(beads[:, 60:105, 54:98], image_shape=(41, 150, 150))
    assert psf.fwhm(one.psf) == pytest.approx((4.4, 10.5, 7.1), abs=0.2)
    assert one.psf[middle(one.psf)] > 0.9 * one.psf.max()
    many = psf.prepare(beads, image_shape=(41, 150, 150))
    assert "bright spots" in by_step(many)["centre"].message
    assert many.level == "warning"
