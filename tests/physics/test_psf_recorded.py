"""What goes wrong while a PSF is recorded, undoing steps, and sheared grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import psf

SHAPE = (88, 128, 128)


def recorded(
    shape: tuple[int, ...] = (31, 35, 33),
    at: tuple[float, ...] = (15.0, 14.0, 18.0),
    peak: float = 2000.0,
    offset: float = 100.0,
) -> np.ndarray:
    grids = np.indices(shape, dtype=float)
    sigmas = (3.0, 1.6, 1.6)
    squares = sum(((g - a) / s) ** 2 for g, a, s in zip(grids, at, sigmas, strict=True))
    rng = np.random.default_rng(5)
    return rng.poisson(peak * np.exp(-squares / 2) + offset).astype(np.uint16)


def by_step(prepared: psf.Prepared) -> dict[str, psf.Finding]:
    return {finding.step: finding for finding in prepared.findings}


# Undoing


def test_what_was_repaired_can_be_left_out() -> None:
    raw = recorded()
    full = psf.prepare(raw, image_shape=SHAPE, psf_scale=(1, 1, 1), image_scale=(1.5, 1, 1))
    undoable = {finding.step for finding in full.findings if finding.undoable}
    assert undoable == {"background", "centre", "voxel size", "noise", "size"}
    assert not any(finding.skipped for finding in full.findings)
    for step in undoable:
        less = psf.prepare(
            raw, image_shape=SHAPE, psf_scale=(1, 1, 1), image_scale=(1.5, 1, 1), skip=(step,)
        )
        found = by_step(less)[step]
        assert found.skipped
        assert found.undoable
        assert found.level == "ok"
        others = [f.step for f in less.findings if f.step != step]
        assert others == [f.step for f in full.findings if f.step != step]
        assert less.psf.shape != full.psf.shape or np.abs(less.psf - full.psf).max() > 1e-6
        assert less.psf.min() >= 0
        assert less.psf.sum() == pytest.approx(1.0, abs=1e-12)


def test_left_out_steps_do_what_they_say() -> None:
    raw = recorded()
    for skip in ("centre", ("centre",)):  # a single name is taken as one
        kept = psf.prepare(raw, image_shape=SHAPE, skip=skip).psf
        where = np.unravel_index(kept.argmax(), kept.shape)
        offset = tuple(int(w) - n // 2 for w, n in zip(where, kept.shape, strict=True))
        assert np.abs(np.subtract(offset, (0, -3, 2))).max() <= 1
    everything = psf.prepare(raw, image_shape=SHAPE, skip=psf.SKIPPABLE)
    np.testing.assert_allclose(everything.psf, raw / raw.sum(), rtol=1e-12)
    assert everything.level == "repaired"  # its sum is 1 all the same


def test_a_step_without_work_is_neither_undoable_nor_skipped() -> None:
    good = psf.gaussian((5.0, 3.0, 3.0))
    for skip in ((), psf.SKIPPABLE):
        prepared = psf.prepare(good, image_shape=SHAPE, skip=skip)
        assert not any(f.undoable or f.skipped for f in prepared.findings)
        np.testing.assert_allclose(prepared.psf, good, atol=1e-17)


def test_a_psf_larger_than_the_image_is_cropped_all_the_same() -> None:
    wide = np.pad(psf.gaussian((5.0, 5.0)), 40)
    prepared = psf.prepare(wide, image_shape=(16, 16), skip=("size",))
    assert max(prepared.psf.shape) <= 16
    assert not by_step(prepared)["size"].undoable


@pytest.mark.parametrize("skip", [("sum",), ("values",), ("center",)])
def test_what_cannot_be_left_out_is_refused(skip: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"cannot be left out.*background"):
        psf.prepare(recorded(), image_shape=SHAPE, skip=skip)


# Saturation


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_plateau_is_told(dtype: type) -> None:
    raw = np.minimum(recorded(peak=200.0, offset=10.0), 120).astype(dtype)
    prepared = psf.prepare(raw, image_shape=SHAPE)
    assert by_step(prepared)["saturation"].level == "warning"
    assert "(120)" in by_step(prepared)["saturation"].message
    assert psf.check_saturation(np.minimum(recorded()[15], 800)).level == "warning"


@pytest.mark.parametrize("peak", [5.0, 20.0, 200.0, 5000.0])
def test_rounding_and_symmetry_are_no_saturation(peak: float) -> None:
    assert psf.check_saturation(recorded(peak=peak, offset=2.0)).level == "ok"
    smooth = np.round(peak * psf.gaussian((9.0, 7.0, 7.0)) / psf.gaussian((9.0, 7.0, 7.0)).max())
    assert psf.check_saturation(smooth).level == "ok"
    even = np.indices((8, 8, 8)) - 3.5
    assert psf.check_saturation(np.exp(-(even**2).sum(0) / 8)).level == "ok"
    disc = (np.hypot(*(np.mgrid[:15, :15] - 7)) < 5).astype(float)
    assert psf.check_saturation(disc).level == "ok"


# Dark planes


@pytest.mark.parametrize("value", [0, 40])
def test_dark_planes_at_the_ends_are_cut_off(value: int) -> None:
    raw = recorded()
    dark = np.full((3, *raw.shape[1:]), value, dtype=raw.dtype)
    mended, finding = psf.mend_dark_planes(np.concatenate([dark, raw, dark[:1]]))
    np.testing.assert_array_equal(mended, raw)
    assert finding.level == "repaired"
    assert finding.message.startswith("4 dark planes")
    prepared = psf.prepare(np.concatenate([dark, raw]), image_shape=SHAPE)
    np.testing.assert_allclose(prepared.psf, psf.prepare(raw, image_shape=SHAPE).psf, atol=1e-15)
    assert by_step(prepared)["dark planes"].undoable


@pytest.mark.parametrize("offset", [100.0, 0.0])
def test_dark_planes_inside_are_filled(offset: float) -> None:
    raw = recorded(offset=offset)
    broken = raw.copy()
    broken[17] = 0
    mended, finding = psf.mend_dark_planes(broken)
    assert "17" in finding.message
    np.testing.assert_allclose(mended[17], (raw[16].astype(float) + raw[18]) / 2)
    np.testing.assert_array_equal(np.delete(mended, 17, 0), np.delete(raw, 17, 0))


def test_the_dark_surroundings_of_a_clean_psf_are_no_lost_planes() -> None:
    padded = np.pad(psf.gaussian((5.0, 3.0, 3.0)), ((4, 4), (0, 0), (0, 0)))
    kept, finding = psf.mend_dark_planes(padded)
    np.testing.assert_array_equal(kept, padded)
    assert finding.level == "ok"


# Length


def test_missing_planes_are_told_with_their_number() -> None:
    raw = recorded()
    for part in (raw[10:21], raw[13:], raw[:17]):
        prepared = psf.prepare(part, image_shape=SHAPE)
        found = by_step(prepared)["length"]
        assert found.level == "warning"
        number = int(found.message.split("about ")[1].split()[0])
        assert 17 <= number <= 39  # a Gaussian of sigma 3 falls to 1 % after 9 planes
    assert "length" not in by_step(psf.prepare(raw, image_shape=SHAPE))
    assert (
        "first plane still has"
        in by_step(psf.prepare(raw[13:], image_shape=SHAPE))["length"].message
    )


def test_noise_is_no_light_and_a_single_plane_no_stack() -> None:
    noisy = np.random.default_rng(0).normal(0, 0.02, (31, 35, 33)) + spot()
    assert psf.check_length(noisy).level == "ok"
    assert psf.check_length(spot()[15:16]).level == "ok"
    assert psf.check_length(spot()[15]).level == "ok"


def spot() -> np.ndarray:
    raw = recorded(peak=1e6, offset=0.0).astype(float)
    return raw / raw.max()


# Sheared grids


def tilted(
    shape: tuple[int, int, int], spacing: float, shift: float, axis: int, pixel: float = 1.0
) -> np.ndarray:
    """Return a Gaussian point as a stage moving at an angle would record it."""
    grids = [np.arange(n, dtype=float) - n // 2 for n in shape]
    z, y, x = np.meshgrid(*grids, indexing="ij")
    moved = [y, x]
    moved[axis - 1] = moved[axis - 1] - shift * z
    squares = (z * spacing / 0.3) ** 2 + sum((m * pixel / 1.4) ** 2 for m in moved)
    return np.exp(-squares / 2)


@given(st.floats(-3.0, 3.0), st.sampled_from(["y", "x"]))
@settings(max_examples=10, deadline=None)
def test_a_sheared_point_is_what_a_sliding_stage_records(shift: float, axis: str) -> None:
    straight = tilted((25, 19, 19), 0.1, 0.0, 1)
    sheared, finding = psf.to_sheared_grid(
        straight,
        (0.1, 1.0, 1.0),
        plane_spacing=0.157,
        shift=shift,
        axis=axis,  # type: ignore[arg-type]
    )
    expected = tilted(sheared.shape, 0.157, shift, "zyx".index(axis))  # type: ignore[arg-type]
    assert sheared.sum() == pytest.approx(straight.sum(), rel=1e-12)
    np.testing.assert_allclose(
        sheared / sheared.max(), expected, atol=5e-3, err_msg=finding.message
    )
    assert all(n % 2 == 1 for n in sheared.shape)


def test_the_pixel_may_differ_too() -> None:
    straight = tilted((25, 39, 39), 0.1, 0.0, 1, pixel=0.5)
    sheared, _ = psf.to_sheared_grid(
        straight, (0.1, 0.5, 0.5), plane_spacing=0.2, shift=2.0, axis="x", pixel=(1.0, 1.0)
    )
    expected = tilted(sheared.shape, 0.2, 2.0, 2)  # type: ignore[arg-type]
    # Voxels twice as large are recorded a little wider.
    np.testing.assert_allclose(sheared / sheared.max(), expected, atol=0.02)


def test_shearing_there_and_back_and_along_the_other_axis() -> None:
    straight = tilted((11, 21, 15), 0.2, 0.0, 1)
    there = psf.shear(straight, 2.0, "y")
    back = psf.shear(there, -2.0, "y")
    start = (back.shape[1] - straight.shape[1]) // 2
    np.testing.assert_allclose(back[:, start : start + 21], straight, atol=1e-12)
    np.testing.assert_allclose(
        psf.shear(straight.swapaxes(1, 2), 2.0, "x").swapaxes(1, 2), there, atol=1e-12
    )
    np.testing.assert_array_equal(psf.shear(straight, 0.0), straight)


def test_shears_that_make_no_sense_are_refused() -> None:
    straight = tilted((11, 21, 15), 0.2, 0.0, 1)
    with pytest.raises(InputError, match="cannot be sheared"):
        psf.shear(straight[0], 1.0)
    with pytest.raises(InputError, match="cannot be sheared"):
        psf.shear(straight, 1.0, "z")  # type: ignore[arg-type]
    for shift in (1e9, float("nan")):
        with pytest.raises(InputError, match="too large"):
            psf.shear(straight, shift)
    for sizes, spacing in (((0.1, 0.1), 0.2), ((0.1, 0.1, 0.1), 0.0), ((0.1, 0.1, -1), 0.2)):
        with pytest.raises(InputError, match="positive"):
            psf.to_sheared_grid(straight, sizes, plane_spacing=spacing, shift=1.0)


def test_the_light_sheet_psf_on_the_grid_of_the_raw_stack(data_dir: Path) -> None:
    import tifffile

    folder = data_dir / "microscopy_3d"
    straight = psf.prepare(
        tifffile.imread(folder / "lls_psf_measured_61x128x128.tif"), image_shape=(61, 128, 128)
    ).psf
    # Points of the raw stack move by 2.52 pixels to smaller x with every plane.
    stack = tifffile.imread(folder / "lls_raw_crop_88x256x192.tif").astype(np.float32)
    fine = ndimage.gaussian_filter(stack, (0, 1, 1)) - ndimage.gaussian_filter(stack, (0, 9, 9))
    pairs = np.fft.rfft2(fine[4::8]) * np.fft.rfft2(fine[:-4:8]).conj()
    match = np.fft.irfft2(pairs.sum(axis=0))
    y, x = np.unravel_index(match.argmax(), match.shape)
    assert y == 0
    assert (x - match.shape[1]) / 4 == pytest.approx(-2.52, abs=0.15)
    sheared, _ = psf.to_sheared_grid(
        straight, (0.1, 0.1015, 0.1015), plane_spacing=0.157, shift=-2.52, axis="x"
    )
    before, after = (ndimage.center_of_mass(k) for k in (straight, sheared))
    np.testing.assert_allclose(
        np.subtract(after, [n // 2 for n in sheared.shape])[1:],
        np.subtract(before, [n // 2 for n in straight.shape])[1:],
        atol=0.5,
    )
    assert psf.fwhm(sheared)[0] < psf.fwhm(straight)[0] / 1.57  # cut at an angle
    z, x_ = (np.indices(sheared.shape)[a] - sheared.shape[a] // 2 for a in (0, 2))
    slope = (sheared * z * x_).sum() / (sheared * z**2).sum()
    assert slope == pytest.approx(-2.52, abs=0.2)
