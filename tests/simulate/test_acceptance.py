"""The published figures of degradation, metrics and Lucy-Richardson (arXiv 2006.06156)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.metrics import (
    mutual_information,
    psnr,
    spectral_mutual_information,
    ssim,
)
from napari_selfsup_recon.simulate import (
    Degraded,
    degrade,
    lucy_richardson_mirror_at,
    published_psf_2d,
)

# (rows, columns); PSNR dB, SSIM with range 2, MI, SMI of the blurred and of the noisy image
FIGURES = {
    "drosophilaslice532x1352": (
        (1352, 532),
        (29.73214, 0.94441, 0.30235, 0.61725),
        (19.50243, 0.24395, 0.09358, 0.01054),
    ),
    "usaf768x812": (
        (812, 768),
        (18.23055, 0.79022, 0.24002, 0.41460),
        (16.09726, 0.22156, 0.13258, 0.10281),
    ),
    "characters875x1355": (
        (1355, 875),
        (16.63314, 0.75219, 0.12992, 0.30285),
        (15.05969, 0.16579, 0.07055, 0.14721),
    ),
}

# PSNR and SSIM with range 2 after 5, 10, 20 iterations; printed to as many digits as the authors'
LUCY_RICHARDSON = {
    "drosophilaslice532x1352": {
        5: (26.2343, 0.5711),
        10: (23.6415, 0.4589),
        20: (19.8503, 0.2984),
    },
    "usaf768x812": {5: (18.98, 0.353), 10: (19.16, 0.348), 20: (18.15, 0.320)},
    "characters875x1355": {5: (17.39, 0.282), 10: (17.78, 0.294), 20: (17.12, 0.284)},
}

# The same, MI and SMI, where they are known to four digits
LUCY_RICHARDSON_INFORMATION = {
    5: (0.1753, 0.0666),
    10: (0.1407, 0.1886),
    20: (0.1062, 0.3070),
}


@cache
def _degraded(name: str) -> Degraded:
    folder = os.environ.get("NSR_DATA")
    if not folder:
        pytest.skip("NSR_DATA does not name the folder of the benchmark images")
    path = Path(folder) / "microscopy_2d" / f"ssi_{name}.png"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder that NSR_DATA names")
    from skimage.io import imread

    image = imread(path)
    assert image.shape == FIGURES[name][0]
    return degrade(image, published_psf_2d())


@cache
def _lucy_richardson(name: str) -> dict[int, np.ndarray]:
    return lucy_richardson_mirror_at(_degraded(name).noisy, published_psf_2d(), (5, 10, 20))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("which", ["blurred", "noisy"])
def test_degradation_and_metrics(name, which):
    result = _degraded(name)
    image = getattr(result, which)
    expected = FIGURES[name][1 if which == "blurred" else 2]
    assert psnr(result.truth, image) == pytest.approx(expected[0], abs=1e-4)
    assert ssim(result.truth, image, data_range=2) == pytest.approx(expected[1], abs=1e-4)
    assert mutual_information(result.truth, image) == pytest.approx(expected[2], abs=1e-4)
    assert spectral_mutual_information(result.truth, image) == pytest.approx(expected[3], abs=1e-3)


@pytest.mark.parametrize(("which", "expected"), [("blurred", 0.881), ("noisy", 0.125)])
def test_ssim_with_the_range_of_the_image_is_much_lower(which, expected):
    result = _degraded("drosophilaslice532x1352")
    value = ssim(result.truth, getattr(result, which), data_range=1)
    assert value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "drosophilaslice532x1352",
        "usaf768x812",
        pytest.param("characters875x1355", marks=pytest.mark.slow),
    ],
)
def test_published_lucy_richardson(name):
    truth = _degraded(name).truth
    for iterations, estimate in _lucy_richardson(name).items():
        decibel, similarity = LUCY_RICHARDSON[name][iterations]
        assert psnr(truth, estimate) == pytest.approx(decibel, abs=0.01)
        assert ssim(truth, estimate, data_range=2) == pytest.approx(similarity, abs=1e-3)


def test_published_lucy_richardson_information():
    name = "drosophilaslice532x1352"
    truth = _degraded(name).truth
    for iterations, estimate in _lucy_richardson(name).items():
        shared, spectral = LUCY_RICHARDSON_INFORMATION[iterations]
        assert mutual_information(truth, estimate) == pytest.approx(shared, abs=1e-4)
        assert spectral_mutual_information(truth, estimate) == pytest.approx(spectral, abs=1e-3)
