"""PSFs measured on beads: how wide they are, and what must not get into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import psf
from physics.simulated_beads import PEAKS, simulate

SIGMAS = np.array([2.0, 1.3, 1.3])
WIDTHS = 2.3548 * SIGMAS
FIELD = (40, 96, 100)
PLACES = np.array(
    [[18.2, 20.4, 22.7], [20.6, 24.1, 70.3], [17.9, 60.2, 25.5], [21.3, 66.8, 62.1], [19.5, 45, 45]]
)


def scene(
    places: np.ndarray = PLACES,
    heights: Any = 500.0,
    *,
    shape: tuple[int, ...] = FIELD,
    background: float = 20.0,
    seed: int = 0,
    sigmas: np.ndarray = SIGMAS,
) -> np.ndarray:
    """Return Gaussian beads with photon noise."""
    clean = np.full(shape, background)
    grids = np.indices(shape, dtype=float)
    for place, height in zip(places, np.broadcast_to(heights, len(places)), strict=True):
        squares = sum(((g - p) / s) ** 2 for g, p, s in zip(grids, place, sigmas, strict=True))
        clean += height * np.exp(-squares / 2)
    return np.random.default_rng(seed).poisson(clean).astype(np.uint16)


def missed(found: np.ndarray, places: np.ndarray) -> float:
    """Return the largest distance of a place from what was found, along any axis."""
    return max(float(np.abs(found - place).max(axis=1).min()) for place in places)


# Width


@pytest.mark.parametrize("peak", PEAKS)
@pytest.mark.parametrize("name", ["widefield 1.2", "light-sheet 0.8"])
def test_the_width_is_within_five_percent_at_four_noise_levels(name: str, peak: float) -> None:
    beads = simulate(name, peak)
    found = psf.from_beads(beads.volume, voxel_size=beads.scale)
    assert len(found.used) >= 15
    errors = np.array(found.fwhm) / beads.fwhm - 1
    assert np.abs(errors).max() < 0.05, errors
    positions = np.array([bead.position for bead in found.used])
    nearest = [np.abs(beads.positions - p).max(axis=1).min() for p in positions]
    assert max(nearest) < (0.1 if peak > 100 else 0.5)
    assert found.quality is not None
    assert found.quality > 0.9
    kernel = found.psf
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel.min() >= 0
    assert np.unravel_index(kernel.argmax(), kernel.shape) == tuple(n // 2 for n in kernel.shape)


def test_the_mean_is_better_than_one_bead() -> None:
    volume = scene(heights=100.0)
    truth = np.indices((25, 17, 17)) - np.array([12, 8, 8])[:, None, None, None]
    truth = np.exp(-((truth / SIGMAS[:, None, None, None]) ** 2).sum(0) / 2)
    truth /= truth.sum()

    def error(points: np.ndarray | None) -> float:
        kernel = psf.from_beads(volume, points, shape=truth.shape).psf
        return float(np.linalg.norm(kernel - truth) / np.linalg.norm(truth))

    assert error(None) < 0.75 * error(PLACES[:1])
    assert error(None) < 0.15


def test_flat_images_work_too() -> None:
    places = PLACES[:, 1:]
    image = scene(places, shape=FIELD[1:], sigmas=SIGMAS[1:])
    assert missed(psf.find_beads(image), places) < 0.3
    found = psf.from_beads(image, voxel_size=(0.1, 0.2))
    assert len(found.used) == 5
    assert found.fwhm == pytest.approx((WIDTHS[1] * 0.1, WIDTHS[2] * 0.2), rel=0.04)
    assert found.psf.ndim == 2


def test_bright_and_faint_beads_and_any_dtype() -> None:
    volume = scene(heights=[200, 400, 800, 1600, 1000.0])
    wide = psf.from_beads(volume)
    assert len(wide.used) == 5
    assert wide.fwhm == pytest.approx(WIDTHS, rel=0.04)
    bright = sorted(bead.brightness for bead in wide.used)
    assert bright[-1] / bright[0] == pytest.approx(8.0, rel=0.1)
    for converted in (volume.astype(np.float64), volume.astype(np.int32), volume[:, ::-1][:, ::-1]):
        before = converted.copy()
        np.testing.assert_allclose(psf.from_beads(converted).psf, wide.psf, atol=1e-6)
        np.testing.assert_array_equal(converted, before)
    for bead in wide.used:
        assert bead.background == pytest.approx(20.0, abs=1.0)


def test_the_shape_can_be_given_and_is_made_odd() -> None:
    assert psf.from_beads(scene(), shape=(20, 15, 12)).psf.shape == (21, 15, 13)
    assert psf.from_beads(scene(), shape=(99, 15, 15)).psf.shape == (39, 15, 15)


# What is found


def test_beads_are_found_the_brightest_first() -> None:
    heights = [300, 500, 700, 900, 1100.0]
    found = psf.find_beads(scene(heights=heights))
    assert found.shape == (5, 3)
    assert np.abs(found - PLACES[::-1]).max() < 0.4
    assert len(psf.find_beads(scene(heights=heights), faintest=0.5)) == 3
    known = psf.find_beads(scene(), voxel_size=(0.3, 0.1, 0.1), fwhm=(1.4, 0.3, 0.3))
    assert missed(known, PLACES) < 0.4


def test_nothing_is_found_in_noise() -> None:
    noise = np.random.default_rng(0).poisson(20, FIELD)
    assert len(psf.find_beads(noise)) == 0
    with pytest.raises(InputError, match=r"No bead was found.*points"):
        psf.from_beads(noise)
    assert psf.find_beads(np.full((9, 9), 3)).shape == (0, 2)


def test_clicks_need_not_be_exact() -> None:
    clicks = PLACES[:3] + np.array([[1.5, -1.0, 1.0]])
    found = psf.from_beads(scene(), clicks)
    assert missed(np.array([b.position for b in found.used]), PLACES[:3]) < 0.15
    assert len(found.used) == 3
    twice = psf.from_beads(scene(), np.concatenate([clicks, PLACES[:3]]))
    assert len(twice.used) == 3


# What must not get in


def reasons(found: psf.BeadPsf) -> list[str]:
    return sorted(bead.reason for bead in found.rejected)


def test_a_bead_at_the_border_is_left_out() -> None:
    volume = scene(np.concatenate([PLACES, [[20.0, 80.0, 98.0], [1.0, 80.0, 20.0]]]))
    found = psf.from_beads(volume)
    assert reasons(found) == ["cut by the border along x", "cut by the border along z"]
    assert len(found.used) == 5
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.04)
    assert "cut by the border along x (1)" in found.findings[0].message


@pytest.mark.parametrize("distance", [1.3, 1.8])
def test_touching_beads_are_both_left_out(distance: float) -> None:
    pair = np.array([[20.0, 80.0, 80.0], [20.0, 80.0, 80.0 + distance * WIDTHS[2]]])
    found = psf.from_beads(scene(np.concatenate([PLACES, pair])))
    assert reasons(found) == ["touches another bead"] * 2
    assert len(found.used) == 5
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.04)


@pytest.mark.parametrize("distance", [0.6, 0.9])
def test_two_beads_that_look_like_one_are_left_out(distance: float) -> None:
    pair = np.array([[20.0, 80.0, 80.0], [20.0, 80.0, 80.0 + distance * WIDTHS[2]]])
    found = psf.from_beads(scene(np.concatenate([PLACES, pair])))
    assert reasons(found)[0] in ("differs from the other beads", "touches another bead")
    assert len(found.used) == 5
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.04)


def test_a_neighbour_does_not_get_into_the_tails() -> None:
    beside = PLACES + np.array([0, 2.6 * WIDTHS[1], 0])
    found = psf.from_beads(scene(np.concatenate([PLACES[:3], beside[:3]])), PLACES[:3])
    assert len(found.used) == 3
    lonely = psf.from_beads(scene(PLACES[:3]), shape=found.psf.shape)
    np.testing.assert_allclose(found.psf, lonely.psf, atol=0.1 * lonely.psf.max())
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.04)


def test_saturated_beads_are_left_out() -> None:
    volume = np.minimum(scene(heights=[300, 350, 400, 2000, 3000]), 800)
    assert reasons(psf.from_beads(volume)) == ["saturated"] * 2
    eight = np.minimum(scene(heights=[150, 150, 200, 900, 1200]), 255).astype(np.uint8)
    assert reasons(psf.from_beads(eight)) == ["saturated"] * 2
    known = psf.from_beads(scene(heights=[300, 350, 400, 2000, 3000]), saturation=1500)
    assert reasons(known) == ["saturated"] * 2
    everything = np.minimum(scene(heights=3000.0), 500)
    with pytest.raises(InputError, match=r"None of the 5 beads .*: saturated \(5\)") as caught:
        psf.from_beads(everything)
    assert "not saturated" in caught.value.hint


def test_dark_planes_are_left_out() -> None:
    clean = psf.from_beads(scene())
    ends = scene()
    ends[:3] = 0
    found = psf.from_beads(ends)
    assert len(found.used) == 5
    np.testing.assert_allclose(found.psf, clean.psf, atol=0.02 * clean.psf.max())
    assert "3 dark planes" in " ".join(f.message for f in found.findings)
    through = scene(PLACES + np.array([[0], [8], [0], [8], [8]]) * [1.0, 0, 0])
    through[18] = 0
    found = psf.from_beads(through)
    assert reasons(found) == ["crossed by a dark plane"] * 2
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.05)


def test_dust_is_left_out() -> None:
    volume = scene().astype(np.float64)
    volume[15:26, 76:92, 76:92] += 400
    found = psf.from_beads(volume)
    assert len(found.used) == 5
    assert found.fwhm == pytest.approx(WIDTHS, rel=0.04)
    assert len(found.rejected) >= 1


def test_one_bead_is_told_and_few_planes_are_told() -> None:
    one = psf.from_beads(scene(PLACES[:1]))
    assert one.quality is None
    assert np.isnan(one.used[0].residual)
    assert [f.level for f in one.findings] == ["warning", "warning"]
    assert "single bead" in one.findings[1].message
    cut = psf.from_beads(scene(), shape=(5, 15, 15))
    assert cut.findings[-1].step == "length"
    assert cut.findings[-1].level == "warning"


# Bad input


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([[5.0, 5.0]], "one position in voxels for each axis"),
        ([[5.0, 5.0, 500.0]], "not in micrometers"),
        ([[5.0, 5.0, np.nan]], "one position"),
        (np.zeros((0, 3)), "bright beads"),
    ],
)
def test_points_that_are_no_beads_are_refused(points: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        psf.from_beads(scene(), points)
    assert words in caught.value.hint


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (np.zeros((3, 4, 5, 6)), "one channel"),
        (np.zeros((5, 5), dtype=complex), "real numbers"),
        (np.full((5, 5), np.nan), "nan_to_num"),
        (np.zeros((0, 5)), "real numbers"),
    ],
)
def test_volumes_that_are_none_are_refused(volume: np.ndarray, words: str) -> None:
    for call in (psf.find_beads, psf.from_beads):
        with pytest.raises(InputError) as caught:
            call(volume)
        assert words in caught.value.hint


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="3 positive numbers"):
        psf.from_beads(scene(), voxel_size=(0.1, 0.1))
    with pytest.raises(InputError, match="3 positive numbers"):
        psf.find_beads(scene(), fwhm=(1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="between 0 and 1"):
        psf.find_beads(scene(), faintest=2.0)
    with pytest.raises(InputError, match="length an axis"):
        psf.from_beads(scene(), shape=(9, 9))


# Real data


def test_the_four_confocal_beads(data_dir: Path) -> None:
    import tifffile

    volume = tifffile.imread(data_dir / "microscopy_3d" / "confocal_beads_41x150x150.tif")
    found = psf.from_beads(volume, voxel_size=(0.125, 0.022, 0.022))
    places = np.array(
        [[23.3, 82.5, 76.4], [23.3, 36.1, 125.8], [23.3, 73.1, 30.4], [23.2, 111.8, 44.6]]
    )
    # Those are centres of light; these beads lean to one side, and their cores are less than a
    # voxel away.
    assert missed(np.array([b.position for b in found.used]), places) < 1.0
    assert len(found.used) == 4
    widths = np.array(found.fwhm) / (0.125, 0.022, 0.022)
    assert widths == pytest.approx((4.8, 11.0, 7.5), rel=0.05)
    assert found.quality is not None
    assert found.quality > 0.95
    prepared = psf.prepare(found.psf, image_shape=(21, 150, 150))
    assert {f.level for f in prepared.findings} <= {"ok", "repaired"}
