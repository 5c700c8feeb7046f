"""The censored loss: exact where it can be, unbiased where plain losses are not."""

from __future__ import annotations

import pytest
import torch

from napari_selfsup_recon.losses.censored import censored_huber
from napari_selfsup_recon.losses.robust import huber


def test_without_limits_it_is_the_huber_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, y = torch.randn(2, 100, generator=generator)
    assert torch.allclose(
        censored_huber(mean, y, sigma=0.5, delta=1.2), huber((y - mean) / 0.5, 1.2)
    )


def test_values_that_were_cut_off_push_only_outwards() -> None:
    mean = torch.tensor([-0.5, 0.5, 0.5, 1.5], requires_grad=True)
    y = torch.tensor([0.0, 0.0, 1.0, 1.0])
    censored_huber(mean, y, sigma=0.1, low=0.0, high=1.0).sum().backward()
    assert mean.grad is not None
    inside_low, low, high, inside_high = mean.grad.tolist()
    assert abs(inside_low) < 1e-3
    assert abs(inside_high) < 1e-3
    assert low > 1
    assert high < -1


@pytest.mark.parametrize("truth", [0.0, 0.03, 0.5, 0.97])
def test_the_mean_of_clipped_noise_is_found(truth: float) -> None:
    generator = torch.Generator().manual_seed(1)
    y = (truth + 0.1 * torch.randn(40000, generator=generator)).clamp(0, 1)
    grid = torch.linspace(-0.1, 1.1, 481)
    losses = [censored_huber(m, y, sigma=0.1, low=0.0, high=1.0).mean() for m in grid]
    found = float(grid[int(torch.stack(losses).argmin())])
    assert found == pytest.approx(truth, abs=0.006)
    if truth == 0.0:
        assert float(y.mean()) > 0.03  # what a squared loss would find


def test_gradients_stay_finite_far_out() -> None:
    mean = torch.tensor([50.0, -50.0], requires_grad=True)
    censored_huber(mean, torch.tensor([0.0, 1.0]), sigma=0.1, low=0.0, high=1.0).sum().backward()
    assert mean.grad is not None
    assert torch.isfinite(mean.grad).all()
