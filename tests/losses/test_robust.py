"""The Huber loss and masked means."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.losses.robust import huber, masked_mean


@given(st.floats(-10, 10), st.floats(0.01, 5))
def test_huber_agrees_with_torch(r: float, delta: float) -> None:
    ours = huber(torch.tensor([r], dtype=torch.float64), delta)
    theirs = torch.nn.functional.huber_loss(
        torch.tensor([r], dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
        reduction="none",
        delta=delta,
    )
    assert torch.allclose(ours, theirs, atol=1e-12)


def test_huber_has_a_bounded_gradient() -> None:
    r = torch.tensor([-50.0, -0.1, 0.1, 50.0], requires_grad=True)
    huber(r, 0.5).sum().backward()
    assert torch.allclose(r.grad, torch.tensor([-0.5, -0.1, 0.1, 0.5]))


def test_masked_mean_counts_only_the_mask() -> None:
    values = torch.tensor([1.0, 2.0, 100.0])
    assert masked_mean(values, torch.tensor([True, True, False])) == 1.5
    assert masked_mean(values, torch.tensor([False, False, False])) == 0.0
