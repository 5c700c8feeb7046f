"""The PSF of the published demos, and the model behind it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate import defocus_psf, published_psf_2d, published_psf_3d


def test_published_2d_spot_values():
    psf = published_psf_2d()
    assert psf.shape == (17, 17)
    assert psf.dtype == np.float64
    assert psf.sum() == pytest.approx(1, abs=1e-14)
    assert psf[8, 8:12] == pytest.approx([0.041099, 0.008136, 0.021104, 0.016913], abs=5e-7)
    assert psf[0, 0] == pytest.approx(4.528e-5, abs=5e-9)
    assert (psf**2).sum() == pytest.approx(0.0130504, abs=5e-8)


def test_published_2d_is_a_ring_of_known_width():
    psf = published_psf_2d()
    y, x = np.indices(psf.shape) - 8
    radius = np.hypot(y, x)
    assert np.sqrt((psf * radius**2).sum()) == pytest.approx(3.67, abs=5e-3)
    for within, share in ((1, 0.07), (3, 0.49), (5, 0.87), (8, 0.99)):
        assert psf[radius <= within].sum() == pytest.approx(share, abs=6e-3)


def test_published_3d_spot_values():
    psf = published_psf_3d()
    assert psf.shape == (17, 17, 17)
    assert psf.sum() == pytest.approx(1, abs=1e-14)
    assert psf.max() == pytest.approx(0.0512029, abs=5e-8)
    assert psf[7:9, 8, 8] == pytest.approx(psf.max(), rel=1e-12)
    assert psf[0, 8, 8] == pytest.approx(2.352e-3, abs=5e-7)
    assert psf[16, 8, 8] == pytest.approx(2.221e-3, abs=5e-7)
    assert (psf**2).sum() == pytest.approx(0.0112638, abs=5e-8)
    # symmetric about 7.5, half a plane off the centre
    assert psf[:16] == pytest.approx(psf[15::-1], rel=1e-12)


def test_the_default_is_centred_and_symmetric():
    psf = defocus_psf()
    assert np.unravel_index(psf.argmax(), psf.shape) == (8, 8, 8)
    for axis in range(3):
        assert psf == pytest.approx(np.flip(psf, axis), rel=1e-9)
    assert psf == pytest.approx(psf.swapaxes(1, 2), rel=1e-12)


def test_in_focus_it_is_the_airy_pattern():
    aperture, wavelength, pixel = 0.8, 0.6, 0.02
    psf = defocus_psf(
        (1, 3, 61),
        numerical_aperture=aperture,
        wavelength=wavelength,
        magnification=1e6,
        pixel=pixel,
    )
    from scipy.special import j1

    r = pixel * np.abs(np.arange(61) - 30)
    v = 2 * np.pi / wavelength * aperture * np.maximum(r, 1e-9)
    airy = (2 * j1(v) / v) ** 2
    line = psf[0, 1] / psf[0, 1].max()
    assert line == pytest.approx(airy, abs=1e-6)


def test_a_bigger_array_holds_the_same_light():
    small, large = defocus_psf((5, 9, 9)), defocus_psf((7, 15, 13))
    inner = large[1:6, 3:12, 2:11]
    assert inner / inner.sum() == pytest.approx(small, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"shape": (0, 3, 3)}, "cannot be made"),
        ({"shape": (3, 3)}, "cannot be made"),
        ({"numerical_aperture": 1.4}, "impossible"),
        ({"numerical_aperture": 0.0}, "impossible"),
        ({"wavelength": -1.0}, "wavelength"),
        ({"pixel": 0.0}, "pixel"),
        ({"step": float("nan")}, "step"),
    ],
)
def test_impossible_optics(given, words):
    with pytest.raises(InputError, match=words):
        defocus_psf(**given)
