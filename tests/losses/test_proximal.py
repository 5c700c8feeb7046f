"""The proximal maps of conjugates satisfy the equation that defines them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_selfsup_recon.losses.censored import censored_huber
from napari_selfsup_recon.losses.proximal import censored_dual, huber_dual
from napari_selfsup_recon.losses.robust import huber

POINTS = torch.linspace(-20, 20, 401, dtype=torch.float64)


def derivative(loss: Any, z: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(z).sum(), z)
    return slope


@settings(deadline=None, max_examples=60)
@given(
    step=st.floats(1e-3, 50), sigma=st.floats(0.2, 5), delta=st.sampled_from((None, 0.7, 1.5)),
    y=st.floats(-4, 4),
)  # fmt: skip
def test_huber(step: float, sigma: float, delta: float | None, y: float) -> None:
    target = torch.full_like(POINTS, y)
    inverse = torch.full_like(POINTS, 1 / sigma)
    q = huber_dual(POINTS.clone(), target, inverse, step=step, delta=delta)
    z = (POINTS - q) / step
    wanted = derivative(lambda z: huber((z - target) / sigma, delta or 1e9), z)
    torch.testing.assert_close(q, wanted, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    step=st.floats(1e-2, 50),
    sigma=st.floats(0.2, 5),
    side=st.sampled_from((-1, 1)),
    bound=st.floats(-3, 3),
)
def test_censored(step: float, sigma: float, side: int, bound: float) -> None:
    most = 2.5
    inverse = torch.full_like(POINTS, 1 / sigma)
    v = POINTS.clone()
    q = censored_dual(v, bound, inverse, step=step, side=side, most=most)
    assert torch.equal(v, POINTS)
    z = (POINTS - q) / step
    limits = {"low": bound} if side < 0 else {"high": bound}
    cut = torch.full_like(POINTS, bound)
    wanted = derivative(lambda z: censored_huber(z, cut, sigma=sigma, **limits), z)
    inner = q.abs() < most / sigma * (1 - 1e-9)
    torch.testing.assert_close(q[inner], wanted[inner], rtol=1e-4, atol=1e-4 / sigma)
    # Where it was cut the derivative is at least as large.
    assert (wanted[~inner].abs() >= most / sigma * (1 - 1e-4)).all()
    assert (q * side <= 0).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_values_that_lie_far_beyond_say_nothing(side: int) -> None:
    v = torch.tensor([side * 1e4])
    q = censored_dual(v, 0.0, torch.ones(1), step=1.0, side=side, most=1.5)
    assert q.abs() < 1e-6


def test_values_that_do_not_count_have_no_dual() -> None:
    q = huber_dual(torch.ones(3), torch.zeros(3), torch.zeros(3), step=0.5, delta=1.5)
    assert torch.equal(q, torch.zeros(3))
