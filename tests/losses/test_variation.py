"""Total variation of things whose variation is known."""

from __future__ import annotations

import pytest
import torch

from napari_selfsup_recon.losses.variation import total_variation


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_ramp_varies_by_its_slope(ndim: int) -> None:
    x = torch.arange(10.0).expand(1, 1, *([10] * ndim)).contiguous()
    assert float(total_variation(x)) == pytest.approx(1.0, rel=1e-5)
    assert float(total_variation(x + x.transpose(-1, -2))) == pytest.approx(2**0.5, rel=1e-5)


def test_it_scales_with_the_image_and_not_with_its_level() -> None:
    x = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    base = float(total_variation(x))
    assert float(total_variation(3 * x + 7)) == pytest.approx(3 * base, rel=1e-4)


def test_its_gradient_is_finite_where_the_image_is_flat() -> None:
    x = torch.ones(1, 1, 8, 8, requires_grad=True)
    total_variation(x).backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros_like(x))
