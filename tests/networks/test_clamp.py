"""The clamp lets descent lead back inside."""

from __future__ import annotations

import torch

from napari_selfsup_recon.networks.clamp import open_clamp


def test_values_are_clamped() -> None:
    x = torch.tensor([-1.0, 0.5, 2.0])
    assert open_clamp(x, 0.0, 1.0).tolist() == [0.0, 0.5, 1.0]
    assert open_clamp(x, 0.0).tolist() == [0.0, 0.5, 2.0]


def test_only_descent_that_leads_further_out_is_stopped() -> None:
    x = torch.tensor([-1.0, -1.0, 0.5, 2.0, 2.0], requires_grad=True)
    push = torch.tensor([1.0, -1.0, 3.0, 1.0, -1.0])
    (open_clamp(x, 0.0, 1.0) * push).sum().backward()
    assert x.grad is not None
    # Descent moves against the gradient: a negative one at -1 leads back up.
    assert x.grad.tolist() == [0.0, -1.0, 3.0, 1.0, 0.0]


def test_descent_recovers_from_beyond_the_limit() -> None:
    x = torch.tensor([-3.0], requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=0.2)
    for _ in range(200):
        optimiser.zero_grad()
        (open_clamp(x, 0.0) - 0.7).square().sum().backward()
        optimiser.step()
    assert abs(float(x.detach()) - 0.7) < 0.01
