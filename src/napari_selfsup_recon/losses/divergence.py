"""Derivatives of an estimator along random probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError

Derivative = Literal["exact", "finite"]
Estimator = Callable[[Tensor], Tensor]
_STEP = 1e-2  # of the spread of the measurement
_SECOND_STEP = 10.0  # second differences need larger steps: rounding is divided by their square
_ODDS = 0.5 + 0.5 * sqrt(0.2)


def rademacher(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return -1 or 1 for every entry, with even odds."""
    bits = torch.randint(0, 2, like.shape, generator=generator, device=like.device)
    return bits.to(like.dtype).mul_(2).sub_(1)


def two_point(like: Tensor, generator: torch.Generator) -> Tensor:
    r"""Return probes with the moments 0, 1 and 1.

    :math:`-\sqrt{(1-p)/p}` with probability :math:`p = (1 + \sqrt{1/5})/2` and
    :math:`\sqrt{p/(1-p)}` otherwise: then :math:`E\,b\,D^2h[b, b]` is the sum of second
    derivatives, which random signs, whose third moment is zero, miss.
    """
    low, high = -sqrt((1 - _ODDS) / _ODDS), sqrt(_ODDS / (1 - _ODDS))
    drawn = torch.rand(like.shape, generator=generator, device=like.device)
    return torch.where(drawn < _ODDS, low, high).to(like.dtype)


def default_step(y: Tensor, weight: Tensor) -> float:
    """Return a hundredth of the spread of the measured values, as step of finite differences."""
    values = y[weight > 0]
    if values.numel() == 0:
        return 1.0
    spread = float(values.std(correction=0))
    return _STEP * (spread or float(values.abs().max()) or 1.0)


def predicted(
    y: Tensor, estimator: Estimator, prediction: Tensor | None, derivative: Derivative
) -> tuple[Tensor, Tensor]:
    """Return y and ``estimator(y)``, ready for :func:`directional`.

    Raises
    ------
    InputError
        If an exact derivative is wanted of a prediction whose y requires no gradient.
    """
    if derivative == "finite":
        return y, estimator(y) if prediction is None else prediction
    if prediction is None:
        y = y.detach().requires_grad_()
        return y, estimator(y)
    if not y.requires_grad:
        raise InputError(
            "The prediction was computed from a measurement that requires no gradient.",
            hint="Call y.requires_grad_() before predicting, or leave the prediction out.",
        )
    return y, prediction


def directional(
    y: Tensor,
    estimator: Estimator,
    probe: Tensor,
    cotangents: Sequence[Tensor],
    *,
    prediction: Tensor,
    derivative: Derivative,
    step: float,
) -> list[Tensor]:
    r"""Return :math:`c \cdot J b` for a probe b and each cotangent c.

    ``"exact"`` is :math:`b \cdot J^T c` by automatic differentiation; ``"finite"`` is
    :math:`c \cdot (h(y + \tau b) - h(y)) / \tau`.
    """
    if derivative == "exact":
        backs = [
            torch.autograd.grad(prediction, y, c, create_graph=True, retain_graph=True)[0]
            for c in cotangents
        ]
        return [(back * probe).sum() for back in backs]
    slope = (estimator(y.detach() + step * probe) - prediction) / step
    return [(c * slope).sum() for c in cotangents]


def curvature(
    y: Tensor,
    estimator: Estimator,
    weight: Tensor,
    prediction: Tensor,
    generator: torch.Generator,
    *,
    step: float,
) -> Tensor:
    r"""Return an estimate of :math:`\sum_i w_i\, \partial^2 h_i / \partial y_i^2`."""
    tau = _SECOND_STEP * step
    probe = two_point(y, generator) * (weight > 0)
    bend = estimator(y + tau * probe) + estimator(y - tau * probe) - 2 * prediction
    return (weight * probe * bend).sum() / tau**2
