"""Hot pixels are told from points."""

from __future__ import annotations

import numpy as np
import torch

from napari_selfsup_recon.physics.outliers import find_outliers


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
