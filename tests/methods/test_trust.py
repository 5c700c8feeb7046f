"""Residual, measured and inferred part, spread."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.methods import Wiener, WienerOptions
from napari_selfsup_recon.methods.base import Method
from napari_selfsup_recon.methods.trust import companion_steps, companions
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.noise import Gaussian
from napari_selfsup_recon.transforms import Reflect, Shift


class Known(Method):
    """Answers with ``A_dagger``, and with ``guess`` where nothing is measured."""

    guess = 0.0

    def run(self, y):
        yield from ()

    def _estimate(self, y):
        mask = self.physics.observed(y)
        return y + (1 - mask) * self.guess


@pytest.fixture
def mask() -> np.ndarray:
    return np.random.default_rng(0).random((20, 24)) < 0.6


def test_parts_of_a_masked_image(mask: np.ndarray) -> None:
    physics = Inpainting(mask)
    method = Known.__new__(Known)
    method.physics, method.noise, method.guess = physics, None, 0.25
    y = np.random.default_rng(1).random((3, 20, 24)).astype(np.float32) * mask
    found = companions(method, y, draws=4)
    assert found.image.shape == found.spread.shape == y.shape
    assert np.abs(found.residual).max() == 0
    assert np.allclose(found.seen, y)
    assert np.allclose(found.inferred, 0.25 * ~mask)
    assert np.allclose(found.seen + found.inferred, found.image)


def test_an_exact_method_has_no_spread_and_noise_shows_in_it() -> None:
    physics = Inpainting(np.ones((20, 24)))
    method = Known.__new__(Known)
    method.physics, method.noise = physics, None
    y = np.random.default_rng(1).random((20, 24)).astype(np.float32)
    still = companions(method, y, transform=Reflect(), draws=3)
    assert np.abs(still.spread).max() < 1e-6
    noisy = companions(method, y, transform=Shift(), noise=Gaussian(0.1), draws=40)
    assert np.sqrt(np.nanmean(noisy.spread**2)) == pytest.approx(0.1, rel=0.05)


def test_what_is_filled_in_spreads_and_what_is_measured_does_not(mask: np.ndarray) -> None:
    physics = Inpainting(mask)
    method = Known.__new__(Known)
    method.physics, method.noise = physics, None
    y = (0.5 + np.random.default_rng(1).random((20, 24)).astype(np.float32)) * mask
    found = companions(method, y, draws=30)
    # A pixel that was measured moves under holes in some of the draws, and reads zero there.
    assert np.nanmean(found.spread[mask]) > 2 * np.nanmean(found.spread[~mask])


def test_blurred_images_and_progress() -> None:
    psf = np.ones((5, 5)) / 25
    physics = Blur(psf, (24, 28))
    y = torch.rand(24, 28, generator=torch.Generator().manual_seed(0)).numpy()
    method = Wiener(physics, WienerOptions(balance=0.05))
    steps = companion_steps(method, y, draws=2)
    marks = []
    while True:
        try:
            marks.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert marks == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.image.shape == found.seen.shape == found.residual.shape == y.shape
    assert np.allclose(found.seen + found.inferred, found.image, atol=1e-5)
    with pytest.raises(InputError, match="at least one draw"):
        companions(method, y, draws=0)
