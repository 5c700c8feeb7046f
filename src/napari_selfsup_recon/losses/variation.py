"""Total variation."""

from __future__ import annotations

import torch
from torch import Tensor

_SMALL = 1e-3


def total_variation(x: Tensor) -> Tensor:
    r"""Return the mean isotropic total variation of ``(batch, channel, *spatial)``.

    .. math:: \frac{1}{N} \sum_i \sqrt{\textstyle\sum_a (x_{i + e_a} - x_i)^2 + \epsilon^2}

    over the pixels with a neighbour along every axis a; epsilon is a thousandth.
    """
    axes = range(2, x.ndim)
    squares = torch.full((), _SMALL**2, dtype=x.dtype, device=x.device)
    for axis in axes:
        difference = x.diff(dim=axis)
        for other in axes:
            if other != axis:
                difference = difference.narrow(other, 0, x.shape[other] - 1)
        squares = squares + difference.square()
    return squares.sqrt().mean()
