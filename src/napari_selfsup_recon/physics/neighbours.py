"""What the pixels around a pixel say about it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv3d, pad

_CONV = {2: conv2d, 3: conv3d}


def surroundings(y: Tensor, visible: Tensor | None = None, *, radius: int = 2) -> Tensor:
    r"""Return the weighted mean of the visible pixels around each pixel, itself left out.

    .. math:: \frac{\sum_{d \ne 0} w_d V_{i+d} \, y_{i+d}}{\sum_{d \ne 0} w_d V_{i+d}}, \qquad
              w_d = 1 / |d|^2

    Parameters
    ----------
    y
        ``(batch, 1, *spatial)``.
    visible
        Boolean, same shape; all where None.
    radius
        Of the neighbourhood in pixels.
    """
    ndim = y.ndim - 2
    kernel = _weights(ndim, radius, y)
    seen = torch.ones_like(y) if visible is None else visible.to(y.dtype)
    sides = [radius] * (2 * ndim)
    weight = _CONV[ndim](pad(seen, sides), kernel)
    total = _CONV[ndim](pad(y * seen, sides), kernel)
    everywhere = (y * seen).sum() / seen.sum().clamp_min(1)
    return torch.where(weight > 0, total / weight.clamp_min(1e-12), everywhere)


def fill(y: Tensor, hidden: Tensor) -> Tensor:
    """Replace the hidden pixels by the mean of the visible ones around them.

    No hidden value enters any output pixel, so the result is the same whatever they were.

    Parameters
    ----------
    y
        ``(batch, 1, *spatial)``.
    hidden
        Boolean, same shape.
    """
    return torch.where(hidden, surroundings(y, ~hidden), y)


def _weights(ndim: int, radius: int, like: Tensor) -> Tensor:
    line = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    squares = torch.stack(torch.meshgrid(*[line] * ndim, indexing="ij")).square().sum(0)
    weights = torch.where(squares > 0, 1 / squares.clamp_min(1), torch.zeros_like(squares))
    return weights[None, None]
