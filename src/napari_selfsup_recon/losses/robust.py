"""Losses that outliers cannot dominate."""

from __future__ import annotations

from torch import Tensor


def huber(residual: Tensor, delta: float) -> Tensor:
    r"""Return the Huber loss, pixel by pixel.

    .. math:: \rho(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\
              \delta (|r| - \delta / 2) & \text{otherwise} \end{cases}
    """
    size = residual.abs()
    inside = size.clamp_max(delta)
    return inside * (size - 0.5 * inside)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``mask`` is True; zero where it is nowhere."""
    weight = mask.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1)
