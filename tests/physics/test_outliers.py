"""Hot pixels are told from points."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_selfsup_recon.physics import Blur, PoissonGaussian
from napari_selfsup_recon.physics.outliers import find_outliers, repair_outliers
from napari_selfsup_recon.simulate.scenes import cells_2d


def psf(width: float, side: int = 9) -> np.ndarray:
    line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * width**2))
    kernel = np.outer(line, line)
    return kernel / kernel.sum()


def noisy(image: np.ndarray, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    noise = np.random.default_rng(0).standard_normal(image.shape)
    y = torch.from_numpy((image + sigma * noise).astype("f4"))[None, None]
    return y, torch.full_like(y, sigma)


def test_hot_and_dead_pixels_are_found() -> None:
    y, sigma = noisy(np.full((64, 64), 10.0), 0.5)
    y[0, 0, 20, 30] = 30.0
    y[0, 0, 40, 10] = 0.0
    wrong = find_outliers(y, sigma, psf(1.5))
    found = {tuple(index) for index in wrong[0, 0].nonzero().tolist()}
    assert {(20, 30), (40, 10)} <= found
    assert len(found) <= 6  # 3.5 deviations: two in a thousand at most


def test_blurred_points_are_no_outliers_however_bright() -> None:
    for width in (0.8, 1.2, 2.0):
        image = np.zeros((64, 64))
        kernel = psf(width)
        for row, column in ((20, 20), (20, 44), (45, 30)):
            image[row - 4 : row + 5, column - 4 : column + 5] += 500 * kernel / kernel.max()
        y, sigma = noisy(image, 1.0)
        wrong = find_outliers(y, sigma, kernel)
        for row, column in ((20, 20), (20, 44), (45, 30)):
            assert not bool(wrong[0, 0, row, column])


def test_without_blur_nothing_is_called_wrong() -> None:
    y, sigma = noisy(np.zeros((32, 32)), 1.0)
    y[0, 0, 5, 5] = 100.0
    assert not find_outliers(y, sigma, None).any()
    assert not find_outliers(y, sigma, np.ones((1, 1))).any()


def test_volumes_go_plane_by_plane_and_are_not_changed() -> None:
    y, sigma = noisy(np.full((4, 32, 32), 5.0), 0.3)
    y[0, 0, 2, 10, 10] = 20.0
    kept = y.clone()
    wrong = find_outliers(y, sigma, np.stack([psf(1.5)] * 3))
    assert bool(wrong[0, 0, 2, 10, 10])
    assert torch.equal(y, kept)


def recorded(photons: float, hot: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image of a camera (gain 1, offset 100, read noise 2), its PSF, and what is hot."""
    rng = np.random.default_rng(1)
    kernel = psf(1.5)
    truth = cells_2d((200, 200), 0).astype(np.float64)
    blur = Blur(kernel, truth.shape, boundary="reflect")
    light = blur.A(torch.from_numpy(truth)[None, None])[0, 0].numpy().clip(0)
    y = rng.poisson(photons * light / light.max()) + rng.normal(100, 2, light.shape)
    wrong = rng.random(y.shape) < hot
    y[wrong] = rng.uniform(100, 100 + 4 * photons, int(wrong.sum()))
    return y.astype(np.float32), kernel, wrong


@pytest.mark.parametrize("photons", [20.0, 200.0, 5000.0])
def test_a_clean_image_is_left_alone(photons: float) -> None:
    y, kernel, _ = recorded(photons)
    kept = y.copy()
    repaired = repair_outliers(y, kernel)
    assert repaired.share < 1e-4
    assert repaired.wrong.sum() == round(repaired.share * y.size)
    np.testing.assert_array_equal(repaired.values[~repaired.wrong], y[~repaired.wrong])
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.6])
def test_bright_beads_in_the_dark_are_left_alone(width: float) -> None:
    kernel = psf(width)
    kernel[:, :4] *= 0.6  # not symmetric
    image = np.zeros((96, 96))
    for row, column in np.random.default_rng(0).integers(8, 88, (12, 2)):
        image[row - 4 : row + 5, column - 4 : column + 5] += 3e4 * kernel / kernel.sum()
    y, _ = noisy(image, 1.0)
    found = repair_outliers(y, kernel / kernel.sum())
    assert isinstance(found.values, torch.Tensor)
    assert found.share < 1e-4


def test_wrong_pixels_are_replaced_by_what_is_around_them() -> None:
    y, kernel, wrong = recorded(200.0, hot=0.005)
    clean = recorded(200.0)[0]
    repaired = repair_outliers(y, kernel)
    assert repaired.wrong[wrong].mean() > 0.85
    assert repaired.wrong[~wrong].mean() < 1e-4
    assert repaired.values.dtype == np.float32
    assert repaired.values.shape == y.shape

    def error(image: np.ndarray) -> float:
        return float(np.sqrt(np.mean((image - clean)[wrong] ** 2)))

    assert error(repaired.values) < 0.1 * error(y)


def test_known_noise_is_taken() -> None:
    y, kernel, wrong = recorded(200.0, hot=0.005)
    as_known = repair_outliers(y, kernel, noise=PoissonGaussian(1.0, 2.0, 100.0))
    assert as_known.wrong[wrong].mean() > 0.85
    assert repair_outliers(y, kernel, noise=PoissonGaussian(1.0, 500.0, 100.0)).share == 0


def test_without_blur_or_contrast_nothing_is_repaired() -> None:
    y, _, _ = recorded(200.0, hot=0.005)
    assert repair_outliers(y, None).share == 0
    assert repair_outliers(y, np.ones((1, 1))).share == 0
    assert repair_outliers(np.full((20, 20), 3.0), psf(1.5)).share == 0
    assert repair_outliers(np.full((3, 20, 20), 3.0), psf(1.5)[None]).values.shape == (3, 20, 20)
