"""Preparation of projections: what is known of made-up scans, and of three real ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import ct

RNG = np.random.default_rng(0)
COLUMNS, VIEWS = 96, 90


def scan(
    axis: float = 44.3, views: int = VIEWS, span: float = 180.0, start: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Line integrals of three discs, which have a formula, around ``axis``; and degrees."""
    degrees = start + span * np.arange(views) / views
    theta = np.deg2rad(degrees)[:, None]
    columns = np.arange(COLUMNS)[None]
    sinogram = np.zeros((views, COLUMNS))
    for x, y, radius, value in ((0, 0, 28, 0.02), (12, 5, 8, 0.03), (-9, 14, 5, -0.015)):
        centre = axis + x * np.cos(theta) - y * np.sin(theta)
        chord = np.maximum(radius**2 - (columns - centre) ** 2, 0)
        sinogram += 2 * value * np.sqrt(chord)
    return sinogram, degrees


@pytest.mark.parametrize("axis", [44.3, 47.5, 52.0])
@pytest.mark.parametrize(
    ("views", "span", "start"), [(90, 180, 0), (91, 180, -88), (120, 360, 0), (31, 150, -75)]
)
def test_the_axis_is_found(axis: float, views: int, span: float, start: float) -> None:
    sinogram, degrees = scan(axis, views, span, start)
    found = ct.find_axis(sinogram, degrees)
    assert found.column == pytest.approx(axis, abs=0.25)
    assert found.offset == pytest.approx(found.column - (COLUMNS - 1) / 2)
    assert found.sure
    assert found.way == {360: "opposite views", 180: "whole turn", 150: "centre of mass"}[span]


@pytest.mark.parametrize("views", [25, 31, 91])
def test_a_last_view_that_mirrors_the_first_counts_once(views: int) -> None:
    sinogram, degrees = scan(44.3, views, 180 * views / (views - 1))
    assert degrees[-1] == pytest.approx(180)
    found = ct.find_axis(sinogram, degrees)
    assert found.column == pytest.approx(44.3, abs=0.1)
    assert found.way == "whole turn"


def test_noise_and_shuffled_views_do_not_hide_the_axis() -> None:
    sinogram, degrees = scan(50.7)
    order = RNG.permutation(VIEWS)
    noisy = sinogram + RNG.normal(0, 0.05, sinogram.shape)
    assert ct.find_axis(noisy[order], degrees[order]).column == pytest.approx(50.7, abs=0.4)


def test_an_axis_that_cannot_be_seen_is_told() -> None:
    found = ct.find_axis(RNG.normal(0, 1, (VIEWS, COLUMNS)), scan()[1])
    assert not found.sure
    assert found.finding.level == "warning"
    with pytest.raises(InputError, match="90 views"):
        ct.find_axis(scan()[0], np.arange(7))


@pytest.mark.parametrize(
    ("degrees", "kind", "gap"),
    [
        (np.arange(180), "180", 0),
        (np.linspace(0, 360, 459), "360", 0),
        (np.arange(-76, 77, 2), "limited", 28),
        (np.linspace(0, 180, 31), "180", 0),
        (np.arange(0, 120, 3), "limited", 63),
    ],
)
def test_what_angles_amount_to(degrees: NDArray[Any], kind: str, gap: float) -> None:
    found = ct.describe_scan(degrees)
    assert found.kind == kind
    assert found.gap == pytest.approx(gap)
    assert ("missing" in str(found)) == (gap > 0)


def test_radians_are_told_from_degrees() -> None:
    degrees, found = ct.angles_in_degrees(np.deg2rad(np.arange(180.0)))
    np.testing.assert_allclose(degrees, np.arange(180.0))
    assert found.level == "repaired"
    assert "radians" in found.message
    assert ct.angles_in_degrees(np.arange(180.0))[1].level == "ok"
    small = np.linspace(0, 3, 30)
    kept, found = ct.angles_in_degrees(small, "degrees")
    np.testing.assert_array_equal(kept, small)
    assert found.level == "warning"
    for bad in ([], [1.0, np.nan], [5.0, 5.0, 5.0]):
        with pytest.raises(InputError):
            ct.angles_in_degrees(bad)


def test_a_transposed_sinogram_is_turned_and_told() -> None:
    sinogram, degrees = scan()
    known = ct.prepare(sinogram.T, degrees, axis="middle")
    guessed = ct.prepare(sinogram.T, 180.0, axis="middle")
    for made in (known, guessed):
        np.testing.assert_allclose(made.values, sinogram, rtol=1e-6, atol=1e-6)
        assert next(f for f in made.findings if f.step == "layout").level == "repaired"
    assert not [f for f in ct.prepare(sinogram, 180.0).findings if f.step == "layout"]


def test_stacks_of_projections_and_of_sinograms_are_told_apart() -> None:
    sinogram, degrees = scan()
    stack = np.stack([sinogram, 0.5 * sinogram, sinogram[:, ::-1]])
    for given in (stack, np.swapaxes(stack, 0, 1)):
        for angles in (degrees, 180.0):
            made = ct.prepare(given, angles, axis="middle")
            np.testing.assert_allclose(made.values, stack, rtol=1e-6, atol=1e-6)


def counts(light: float = 2e4) -> SimpleNamespace:
    """A scan as a camera sees it: uneven light, a dark level, photons."""
    sinogram, degrees = scan()
    lamp = light * (1 + 0.3 * np.sin(np.arange(COLUMNS) / 9))
    dark = np.full(COLUMNS, 120.0)
    return SimpleNamespace(
        projections=RNG.poisson(lamp * np.exp(-sinogram)) + dark,
        flat=RNG.poisson(lamp, (9, COLUMNS)) + dark,
        dark=dark,
        degrees=degrees,
        sinogram=sinogram,
    )


def test_flat_and_dark_give_line_integrals_and_keep_counts_gives_counts() -> None:
    raw = counts()
    before = raw.projections.copy()
    made = ct.prepare(raw.projections, raw.degrees, flat=raw.flat, dark=raw.dark)
    assert np.abs(made.values - raw.sinogram).mean() < 0.02
    assert made.axis == pytest.approx(44.3, abs=0.3)
    np.testing.assert_array_equal(raw.projections, before)
    kept = ct.prepare(raw.projections, raw.degrees, flat=raw.flat, dark=raw.dark, keep_counts=True)
    assert kept.light == pytest.approx(2e4, rel=0.1)
    np.testing.assert_allclose(-np.log(kept.values / kept.light), made.values, atol=1e-4)


def test_air_columns_take_the_place_of_a_flat_field() -> None:
    sinogram, degrees = scan()
    drift = 1 + 0.2 * np.sin(np.arange(VIEWS))[:, None]
    made = ct.prepare(3e4 * drift * np.exp(-sinogram), degrees, air=(0, 8))
    np.testing.assert_allclose(made.values, sinogram, atol=1e-4)
    with pytest.raises(InputError, match="no columns"):
        ct.prepare(sinogram, degrees, air=(90, 200))


def test_air_on_both_sides_mends_light_that_changed_since_the_flat_field() -> None:
    raw = counts()
    weaker = np.linspace(0.6, 0.8, COLUMNS) * (1 + 0.05 * np.sin(np.arange(VIEWS)))[:, None]
    projections = (raw.projections - raw.dark) * weaker + raw.dark
    given = {"flat": raw.flat, "dark": raw.dark}
    plain = ct.prepare(raw.projections, raw.degrees, **given)
    dim = ct.prepare(projections, raw.degrees, **given)
    assert any("of the light passes anywhere" in f.message for f in dim.findings)
    air = (0, 8, COLUMNS - 8, COLUMNS)
    made = ct.prepare(projections, raw.degrees, **given, air=air)
    np.testing.assert_allclose(made.values, plain.values, atol=0.03)
    assert not any(f.level == "warning" for f in made.findings)
    kept = ct.prepare(projections, raw.degrees, **given, air=air, keep_counts=True)
    assert kept.light == pytest.approx(0.7 * float(raw.flat.mean() - raw.dark.mean()), rel=0.03)
    for bad in ((0, 8, 90), (8, 0), ()):
        with pytest.raises(InputError, match="columns"):
            ct.prepare(projections, raw.degrees, air=bad)


def test_a_dark_level_alone_is_subtracted() -> None:
    sinogram, degrees = scan()
    for dark in (40.0, np.full(COLUMNS, 40)):
        made = ct.prepare(sinogram + 40, degrees, dark=dark, log=False)
        np.testing.assert_allclose(made.values, sinogram, atol=1e-5)
    made = ct.prepare(2e4 * np.exp(-sinogram) + 40, degrees, dark=40.0, air=(0, 8))
    np.testing.assert_allclose(made.values, sinogram, atol=1e-4)


def test_zero_and_negative_counts_are_clipped_and_told() -> None:
    raw = counts()
    raw.projections[10, 20:60] = 0
    made = ct.prepare(raw.projections, raw.degrees, flat=raw.flat, dark=raw.dark)
    assert np.isfinite(made.values).all()
    (found,) = [f for f in made.findings if f.step == "counts"]
    assert found.level == "warning"
    assert "40 of them zero or negative" in found.message
    with pytest.raises(InputError, match="nowhere brighter"):
        ct.prepare(raw.projections, raw.degrees, flat=raw.dark, dark=raw.flat)


def test_dead_columns_are_found_and_repaired_and_nothing_else() -> None:
    sinogram, degrees = scan()
    spoiled = sinogram.copy()
    spoiled[:, 30], spoiled[:, 40], spoiled[:, 50:52] = 11, 0.2, 0
    np.testing.assert_array_equal(ct.dead_columns(spoiled), [30, 40, 50, 51])
    assert ct.dead_columns(sinogram).size == 0
    made = ct.prepare(spoiled, degrees)
    assert np.abs(made.values - sinogram).max() < 0.15
    (found,) = [f for f in made.findings if f.step == "columns"]
    assert (found.level, found.undoable) == ("repaired", True)
    assert "30, 40, 50, 51" in found.message
    left = ct.prepare(spoiled, degrees, skip=("columns",), axis="middle")
    np.testing.assert_allclose(left.values, spoiled, rtol=1e-6)
    assert [f.step for f in left.findings if f.skipped] == ["columns"]


def test_stripes_go_and_the_object_stays() -> None:
    sinogram, _ = scan()
    stripes = np.where(RNG.random(COLUMNS) < 0.1, RNG.normal(0, 0.2, COLUMNS), 0)
    clean, found = ct.remove_stripes(sinogram + stripes, size=9)
    before = np.sqrt(np.mean(stripes**2))
    assert np.sqrt(np.mean((clean - sinogram) ** 2)) < 0.6 * before
    assert found.step == "stripes"
    with pytest.raises(InputError, match="odd number"):
        ct.remove_stripes(sinogram, size=8)


def test_a_narrow_object_on_a_narrow_detector_is_no_stripe() -> None:
    columns, axis = np.arange(64)[None], 31.5
    degrees = np.arange(60) * 3.0
    centre = axis + 3 * np.cos(np.deg2rad(degrees))[:, None]
    sinogram = 2 * np.sqrt(np.maximum(7.0**2 - (columns - centre) ** 2, 0))
    made = ct.prepare(sinogram, degrees, stripes=True, log=False)
    assert np.linalg.norm(made.values - sinogram) < 0.03 * np.linalg.norm(sinogram)
    assert made.axis == pytest.approx(axis, abs=0.1)


def test_without_algotom_its_absence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "algotom.prep.removal", None)
    with pytest.raises(InputError, match="not installed"):
        ct.remove_stripes(scan()[0], method="algotom")


def test_the_package_algotom_finds_the_same(data_dir: Path) -> None:
    removal = pytest.importorskip("algotom.prep.removal", exc_type=ImportError)
    calculation = pytest.importorskip("algotom.prep.calculation", exc_type=ImportError)
    with np.load(data_dir / "ct" / "tomopy_tooth.npz") as tooth:
        given = {"flat": tooth["flat"], "dark": tooth["dark"]}
        sinogram = ct.prepare(tooth["proj"], np.arange(181), **given).values[0]
    axis = ct.find_axis(sinogram, np.arange(181)).column
    assert calculation.find_center_vo(sinogram) == pytest.approx(axis, abs=0.75)
    kept = sinogram.copy()
    ours, _ = ct.remove_stripes(sinogram)
    theirs = removal.remove_stripe_based_sorting(sinogram.copy(), 21)
    assert np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(sinogram - theirs)
    combined, found = ct.remove_stripes(sinogram, method="algotom")
    assert combined.dtype == np.float32
    assert combined.shape == sinogram.shape
    assert 0 < np.linalg.norm(combined - sinogram) < 0.1 * np.linalg.norm(sinogram)
    assert found.step == "stripes"
    np.testing.assert_array_equal(sinogram, kept)


@pytest.mark.parametrize("slices", [1, 3, COLUMNS])
def test_sides_of_one_length_are_told_apart_by_their_totals(slices: int) -> None:
    sinogram, degrees = scan(views=COLUMNS)
    stack = np.linspace(0.5, 1, slices)[:, None, None] * sinogram
    orders = [stack, np.swapaxes(stack, -1, -2), np.swapaxes(stack, 0, 1)]
    for given in orders if slices > 1 else [stack[0], stack[0].T]:
        made = ct.prepare(given, degrees, axis="middle")
        np.testing.assert_allclose(made.values, stack.reshape(made.values.shape), atol=1e-5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"angles": np.arange(7)}, "7 angles"),
        ({"axis": 400.0}, "outside the detector"),
        ({"axis": -1.0}, "outside the detector"),
        ({"dark": np.zeros(COLUMNS)}, "no flat field"),
        ({"flat": np.ones(5)}, "flat field has the shape"),
        ({"skip": ("axis",)}, "cannot be left out"),
        ({"angles": np.arange(VIEWS), "order": "transposed"}, "90 angles"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        ct.prepare(scan()[0], **({"angles": scan()[1]} | more))
    assert caught.value.hint


def test_counts_that_are_taken_for_line_integrals_are_told() -> None:
    raw = counts()
    made = ct.prepare(raw.projections, raw.degrees, axis="middle")
    assert any("look like counts" in f.message for f in made.findings)


def test_odd_and_even_widths_and_few_slices() -> None:
    sinogram, degrees = scan()
    for width in (COLUMNS, COLUMNS - 1):
        made = ct.prepare(sinogram[None, :, :width], degrees)
        assert made.values.shape == (1, VIEWS, width)
        assert made.axis == pytest.approx(44.3, abs=0.3)


def test_the_tooth(data_dir: Path) -> None:
    with np.load(data_dir / "ct" / "tomopy_tooth.npz") as tooth:
        for step in (1, 6):
            made = ct.prepare(
                tooth["proj"][::step],
                np.arange(0, 181, step),  # the last view mirrors the first
                flat=tooth["flat"],
                dark=tooth["dark"],
            )
            assert made.values.shape == (2, 1 + 180 // step, 640)
            assert made.axis == pytest.approx(295.5, abs=0.2)


def test_the_diamond_and_the_neutrons(data_dir: Path) -> None:
    import tifffile

    folder = data_dir / "ct"
    angles = np.loadtxt(folder / "diamond24737_angles_deg_91.txt")
    diamond = ct.prepare(
        tifffile.imread(folder / "diamond24737_proj_91x135x160.tif")[:, 20:60],
        angles,
        flat=tifffile.imread(folder / "diamond24737_flat_135x160.tif")[20:60],
        dark=tifffile.imread(folder / "diamond24737_dark_135x160.tif")[20:60],
        air=(0, 16, 144, 160),
    )
    assert np.median(diamond.values[..., :16]) == pytest.approx(0, abs=0.01)
    assert diamond.axis == pytest.approx(85.8, abs=0.8)
    neutrons = tifffile.imread(folder / "neutron_sinogram360_459x503.tif")
    made = ct.prepare(neutrons, np.linspace(0, 360, 459), air=(0, 30))
    assert made.axis == pytest.approx(245.2, abs=0.6)
    assert any("zero or negative" in f.message for f in made.findings)
