"""Theoretical PSFs, against three independent references and against what physics demands."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf._debye import amplitudes, intensity
from napari_selfsup_recon.physics.psf._light import airy_unit, even_spline, radial_light
from napari_selfsup_recon.physics.psf._optics import planes_needed, resolution
from napari_selfsup_recon.simulate import defocus_psf

Microscope = psf.Microscope

OBJECTIVES = [(0.3, 1.0), (0.8, 1.33), (1.2, 1.33), (1.4, 1.518)]


def differences(ours: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the largest difference over the peak, and the relative L2 difference."""
    return (
        float(np.abs(ours - reference).max() / reference.max()),
        float(np.linalg.norm(ours - reference) / np.linalg.norm(reference)),
    )


def pixel_sums(fine: np.ndarray, factor: int) -> np.ndarray:
    z, y, x = fine.shape
    return fine.reshape(z, y // factor, factor, x // factor, factor).sum(axis=(2, 4))


# References


@pytest.mark.parametrize(
    ("aperture", "index", "wavelength", "pixel", "magnification"),
    [
        (0.8, 1.33, 0.6, 0.406, 16.0),  # of the published demos
        (0.8, 1.33, 0.6, 0.406, 1e9),
        (1.2, 1.33, 0.52, 0.15, 1e9),
        (0.4, 1.0, 0.52, 0.3, 1e9),
        (1.4, 1.518, 0.52, 0.065, 1e9),
    ],
)
def test_scalar_is_the_closed_form_within_half_a_percent(
    aperture: float, index: float, wavelength: float, pixel: float, magnification: float
) -> None:
    fine = 15
    reference = pixel_sums(
        defocus_psf(
            (17, 17 * fine, 17 * fine),
            numerical_aperture=aperture,
            wavelength=wavelength,
            refractive_index=index,
            magnification=magnification,
            pixel=pixel / fine,
            step=pixel,
        ),
        fine,
    )
    microscope = Microscope(
        model="scalar",
        numerical_aperture=aperture,
        immersion_index=index,
        wavelength=1000 * wavelength,
    )
    ours = psf.theoretical(microscope, shape=(17, 17, 17), voxel_size=(pixel,) * 3)
    of_peak, l2 = differences(ours, reference / reference.sum())
    assert of_peak < 0.002
    assert l2 < 0.005


@pytest.mark.parametrize(("aperture", "index"), OBJECTIVES)
@pytest.mark.parametrize("model", ["scalar", "vectorial"])
def test_both_models_are_those_of_psf_generator(model: Any, aperture: float, index: float) -> None:
    generator = pytest.importorskip("psf_generator", reason="psf-generator is not installed")
    side, planes, pixel, step = 33, 9, 0.08, 0.25
    # It spreads n samples over n steps; so much narrower, its samples lie where they should.
    common = {
        "n_pix_pupil": 257,
        "n_pix_psf": side,
        "wavelength": 520.0,
        "na": aperture,
        "n_i": index,
        "n_i0": index,
        "pix_size": 1000 * pixel * (side - 1) / side,
        "n_defocus": planes,
        "defocus_step": 1000 * step * (planes - 1) / planes,
    }
    if model == "scalar":
        fields = [generator.ScalarSphericalPropagator(cos_factor=True, **common)]
    else:
        fields = [
            generator.VectorialSphericalPropagator(apod_factor=True, e0x=x, e0y=1 - x, **common)
            for x in (1.0, 0.0)
        ]
    reference = sum((np.abs(f.compute_focus_field().numpy()) ** 2).sum(axis=1) for f in fields)
    grid = pixel * (np.arange(side) - side // 2)
    radius = np.hypot(grid[:, None], grid[None])
    radii, where = np.unique(radius, return_inverse=True)
    microscope = Microscope(model=model, numerical_aperture=aperture, immersion_index=index)
    ours = intensity(microscope, 0.52, radii, step * (np.arange(planes) - planes // 2))
    ours = ours[:, where.reshape(radius.shape)]
    of_peak, l2 = differences(ours / ours.max(), reference / reference.max())
    assert of_peak < 5e-6  # it works in single precision
    assert l2 < 5e-6


@pytest.mark.parametrize(("aperture", "index"), OBJECTIVES)
def test_vectorial_is_gohlkes_psf_but_for_its_doubled_longitudinal_field(
    aperture: float, index: float
) -> None:
    gohlke = pytest.importorskip("psf", reason="the package psf is not installed")
    z, r = np.linspace(0, 3.2, 65), np.linspace(0, 1.6, 65)
    reference = gohlke.PSF(
        gohlke.ISOTROPIC | gohlke.EXCITATION,
        shape=(z.size, r.size),
        dims=(z[-1], r[-1]),
        ex_wavelen=520.0,
        num_aperture=aperture,
        refr_index=index,
        underfilling=0.0,
    ).data
    microscope = Microscope(numerical_aperture=aperture, immersion_index=index)
    across, along, crossed = (np.abs(a) ** 2 for a in amplitudes(microscope, 0.52, r, z))
    np.testing.assert_allclose(
        across + 2 * along + crossed, intensity(microscope, 0.52, r, z), rtol=1e-12
    )
    # Richards and Wolf have 4 |I1|^2 cos^2(phi), which is 2 |I1|^2 on the mean; it takes 4 |I1|^2.
    same = across + 4 * along + crossed
    of_peak, l2 = differences(same / same[0, 0], reference)
    assert of_peak < 0.002
    assert l2 < 0.002
    ours = intensity(microscope, 0.52, r, z)
    if aperture < 0.5:
        assert max(differences(ours / ours[0, 0], reference)) < 0.01


@pytest.mark.parametrize("pinhole", [0.25, 1.0, 2.0])
def test_confocal_is_gohlkes_product_with_the_pinhole(pinhole: float) -> None:
    gohlke = pytest.importorskip("psf", reason="the package psf is not installed")
    z, r = np.linspace(0, 1.6, 17), np.linspace(0, 2.0, 201)
    microscope = Microscope(kind="confocal", pinhole=pinhole)
    common = {
        "shape": (z.size, r.size),
        "dims": (z[-1], r[-1]),
        "num_aperture": 1.2,
        "refr_index": 1.33,
    }
    excited = gohlke.PSF(gohlke.ISOTROPIC | gohlke.EXCITATION, ex_wavelen=488.0, **common)
    emitted = gohlke.PSF(gohlke.ISOTROPIC | gohlke.EMISSION, em_wavelen=520.0, **common)
    for made, wavelength in ((excited, 0.488), (emitted, 0.52)):
        light = intensity(microscope, wavelength, r, z)
        made.data[:] = light / light[0, 0]
    reference = gohlke.PSF(
        gohlke.ISOTROPIC | gohlke.CONFOCAL,
        ex_wavelen=488.0,
        em_wavelen=520.0,
        pinhole_radius=pinhole * airy_unit(microscope) / 2,
        expsf=excited,
        empsf=emitted,
        **common,
    ).data
    radii, light = radial_light(microscope, 400, z)
    ours = even_spline(radii, light)(r).T
    of_peak, l2 = differences(ours / ours[0, 0], reference)
    assert of_peak < 0.003
    assert l2 < 0.003


# What physics demands


@pytest.mark.parametrize("model", ["scalar", "vectorial"])
@pytest.mark.parametrize("sample", [None, 1.45])
def test_every_plane_of_a_widefield_psf_holds_the_same_light(
    model: Any, sample: float | None
) -> None:
    microscope = Microscope(model=model, sample_index=sample, depth=3.0, numerical_aperture=1.0)
    radii, light = radial_light(microscope, 9000, np.array([-2.0, -0.5, 0.0, 1.0, 2.0]))
    energy = (light * radii).sum(axis=1)
    np.testing.assert_allclose(energy, energy.mean(), rtol=0.01)


def test_in_focus_the_scalar_psf_is_the_airy_pattern() -> None:
    from scipy.special import j1

    microscope = Microscope(model="scalar", numerical_aperture=0.8)
    r = np.linspace(1e-6, 3, 200)
    v = 2 * np.pi / 0.52 * 0.8 * r
    light = intensity(microscope, 0.52, r, np.zeros(1))[0]
    np.testing.assert_allclose(light / light[0], (2 * j1(v) / v) ** 2, atol=1e-9)


@given(
    kind=st.sampled_from(["widefield", "confocal", "light-sheet"]),
    shape=st.lists(st.integers(1, 12), min_size=2, max_size=3),
    aspect=st.floats(0.5, 2.0),
)
@settings(max_examples=20, deadline=None)
def test_any_shape_is_centred_symmetric_and_sums_to_one(
    kind: Any, shape: list[int], aspect: float
) -> None:
    sizes = (0.2, 0.1, 0.1 * aspect)[-len(shape) :]
    kernel = psf.theoretical(Microscope(kind=kind), shape=shape, voxel_size=sizes)
    assert kernel.shape == tuple(shape)
    assert kernel.dtype == np.float64
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert kernel.min() >= 0
    assert kernel[tuple(n // 2 for n in shape)] == kernel.max()
    odd = kernel[tuple(slice(1 - n % 2, None) for n in shape)]
    for axis in range(odd.ndim):
        np.testing.assert_allclose(odd, np.flip(odd, axis), rtol=1e-9, atol=1e-15)


def test_camera_pixels_add_up() -> None:
    microscope = Microscope()
    fine = psf.theoretical(microscope, shape=(5, 45, 45), voxel_size=(0.3, 0.05, 0.05))
    coarse = psf.theoretical(microscope, shape=(5, 15, 15), voxel_size=(0.3, 0.15, 0.15))
    np.testing.assert_allclose(pixel_sums(fine, 3), coarse, atol=1e-6 * coarse.max())


def test_a_thin_sheet_sections_and_a_thick_one_does_not() -> None:
    given_shape = {"shape": (9, 15, 15), "voxel_size": (0.3, 0.1, 0.1)}
    wide = psf.theoretical(Microscope(), **given_shape)  # type: ignore[arg-type]
    thick = psf.theoretical(Microscope(kind="light-sheet", sheet_fwhm=1000), **given_shape)  # type: ignore[arg-type]
    thin = psf.theoretical(Microscope(kind="light-sheet", sheet_fwhm=0.6), **given_shape)  # type: ignore[arg-type]
    np.testing.assert_allclose(thick, wide, rtol=1e-4)
    share = thin / thin[4] / (wide / wide[4])
    np.testing.assert_allclose(share[5], 0.5, rtol=1e-9)  # half a thickness away


def test_a_small_pinhole_sharpens_and_an_open_one_leaves_the_excitation() -> None:
    given_shape = {"shape": (9, 15, 15), "voxel_size": (0.2, 0.05, 0.05)}
    widths = [
        psf.fwhm(psf.theoretical(Microscope(kind="confocal", pinhole=p), **given_shape))[1]  # type: ignore[arg-type]
        for p in (0.0, 0.5, 1.0, 5.0)
    ]
    assert widths == sorted(widths)
    assert widths[0] < 0.8 * widths[-1]
    almost = psf.theoretical(Microscope(kind="confocal", pinhole=0.02), **given_shape)  # type: ignore[arg-type]
    closed = psf.theoretical(Microscope(kind="confocal", pinhole=0.0), **given_shape)  # type: ignore[arg-type]
    np.testing.assert_allclose(almost, closed, atol=1e-3 * closed.max())


def test_the_sample_matters_by_its_depth_alone() -> None:
    given_shape = {"shape": (21, 31, 31), "voxel_size": (0.2, 0.1, 0.1)}
    oil = Microscope(model="scalar", numerical_aperture=1.2, immersion_index=1.518)
    matched = psf.theoretical(oil, **given_shape)  # type: ignore[arg-type]
    shallow = psf.theoretical(oil.model_copy(update={"sample_index": 1.33}), **given_shape)  # type: ignore[arg-type]
    np.testing.assert_allclose(shallow, matched, rtol=1e-9, atol=1e-15)
    peaks = [
        psf.theoretical(
            oil.model_copy(update={"sample_index": 1.33, "depth": depth}),
            **given_shape,  # type: ignore[arg-type]
        )
        for depth in (1.0, 5.0, 20.0)
    ]
    tops = [kernel.max() for kernel in (matched, *peaks)]
    assert tops == sorted(tops, reverse=True)
    for kernel in peaks:  # asymmetric, and yet in the middle
        assert np.unravel_index(kernel.argmax(), kernel.shape) == (10, 15, 15)
        assert np.abs(kernel - kernel[::-1]).max() > 0.02 * kernel.max()
    nearly = psf.theoretical(
        Microscope(sample_index=1.3300001, depth=50.0),
        **given_shape,  # type: ignore[arg-type]
    )
    np.testing.assert_allclose(
        nearly,
        psf.theoretical(Microscope(), **given_shape),  # type: ignore[arg-type]
        atol=1e-4 * nearly.max(),
    )


@pytest.mark.parametrize("depth", [0.0, 10.0])
def test_rays_beyond_the_critical_angle_are_integrated_accurately(
    depth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    microscope = Microscope(
        numerical_aperture=1.4, immersion_index=1.518, sample_index=1.33, depth=depth
    )
    r, z = np.linspace(0, 3, 40), np.linspace(-3, 3, 13)
    usual = amplitudes(microscope, 0.52, r, z)
    monkeypatch.setattr(psf._debye, "_TURN", 8.0)
    for coarse, fine in zip(usual, amplitudes(microscope, 0.52, r, z), strict=True):
        np.testing.assert_allclose(coarse, fine, atol=1e-10 * np.abs(usual[0]).max())


# Shapes and reports


@pytest.mark.parametrize("kind", ["widefield", "confocal", "light-sheet"])
def test_the_automatic_shape_holds_the_light(kind: Any) -> None:
    microscope, sizes = Microscope(kind=kind), (0.3, 0.1, 0.1)
    kernel = psf.theoretical(microscope, voxel_size=sizes)
    assert all(n % 2 == 1 for n in kernel.shape)
    planes, side = kernel.shape[0], kernel.shape[1]
    larger = psf.theoretical(
        microscope, shape=(planes + 4, 2 * side + 1, 2 * side + 1), voxel_size=sizes
    )
    tops = larger.max(axis=(1, 2)) / larger.max()
    assert tops[:2].max() <= 0.01 < tops[2]
    middle = larger[2:-2]
    start = (middle.shape[1] - side) // 2
    box = middle[:, start : start + side, start : start + side]
    assert box.sum() > 0.98 * middle.sum()
    findings = psf.check_sampling(microscope, voxel_size=sizes, shape=kernel.shape)
    assert [(f.step, f.level) for f in findings] == [("sampling", "ok"), ("length", "ok")]
    flat = psf.theoretical(microscope, voxel_size=sizes[1:])
    assert flat.ndim == 2
    assert flat.shape[0] % 2 == 1


def test_few_planes_and_large_voxels_are_told() -> None:
    sampling, length = psf.check_sampling(
        Microscope(), voxel_size=(0.3, 0.3, 0.3), shape=(5, 31, 31)
    )
    assert sampling.level == length.level == "warning"
    assert "y 0.3 µm (at most 0.11)" in sampling.message
    needed = planes_needed(Microscope(), 0.3)
    assert f"{needed} planes of 0.3 µm" in length.message
    kernel = psf.theoretical(Microscope(), shape=(needed + 2, 31, 31), voxel_size=(0.3,) * 3)
    tops = kernel.max(axis=(1, 2)) / kernel.max()
    assert tops[0] < 0.015 < tops[1] * 1.6


def test_resolution_is_that_of_the_textbook() -> None:
    axial, lateral = resolution(Microscope(numerical_aperture=0.8, wavelength=600))
    assert lateral == pytest.approx(0.375)
    assert axial == pytest.approx(0.6 / (1.33 - np.sqrt(1.33**2 - 0.64)))


# Bad input


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"wavelength": 0.52}, r"looks like micrometers.*write 520"),
        ({"excitation": 4.88e-7}, r"looks like meters.*write 488"),
        ({"wavelength": 5200}, r"write 520"),
        ({"wavelength": 0.0}, "greater than or equal to 150"),
        ({"numerical_aperture": 1.33}, r"only possible above an index of 1.33.*oil \(1.518\)"),
        ({"numerical_aperture": 0.8, "immersion_index": 0.9}, "greater than or equal to 1"),
        ({"numerical_aperture": float("nan")}, "less than or equal to 1.7"),
        ({"kind": "spinning"}, "widefield"),
        ({"pinhole": -1}, "greater than or equal to 0"),
    ],
)
def test_impossible_microscopes_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Microscope(**values)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (None, "micrometers"),
        ((103.0, 103.0), "in nanometers, write 0.103"),
        ((1e-7, 1e-7), "in meters, write 0.1"),
        ((0.3, 0.1, 1e-4), "in millimeters, write 0.1"),
        ((0.1, -0.1), "positive"),
        ((0.1, float("nan")), "positive"),
        ((0.1,), "positive"),
        ((1e9, 1e9), "as it is in the sample"),
    ],
)
def test_impossible_voxels_are_refused(sizes: Any, words: str) -> None:
    for call in (psf.theoretical, psf.check_sampling):
        with pytest.raises(InputError) as caught:
            call(Microscope(), voxel_size=sizes)
        assert words in caught.value.hint


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one size an axis"):
        psf.theoretical(Microscope(), shape=(5, 5), voxel_size=(0.3, 0.1, 0.1))
    with pytest.raises(InputError, match="one size an axis"):
        psf.theoretical(Microscope(), shape=(5, 0), voxel_size=(0.1, 0.1))
    with pytest.raises(InputError, match="large"):
        psf.theoretical(Microscope(), shape=(999, 999, 999), voxel_size=(0.1, 0.1, 0.1))


def test_theory_needs_no_torch_and_no_viewer() -> None:
    code = (
        "import sys; from napari_selfsup_recon import psf;"
        "psf.theoretical(psf.Microscope(), shape=(5, 5, 5), voxel_size=(.3, .1, .1));"
        "assert not {'torch', 'napari', 'qtpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
