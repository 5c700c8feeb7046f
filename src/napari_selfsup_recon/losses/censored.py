"""A robust likelihood for detectors that cut values off."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_selfsup_recon.losses.robust import huber


def censored_huber(
    mean: Tensor,
    y: Tensor,
    *,
    sigma: Tensor | float,
    low: float | None = None,
    high: float | None = None,
    delta: float = 1.5,
) -> Tensor:
    r"""Return the loss of ``y`` given its mean before the detector cut it off, pixel by pixel.

    .. math:: \ell = \begin{cases}
              -\log \Phi((l - \mu) / \sigma) & y \le l \\
              -\log \Phi((\mu - h) / \sigma) & y \ge h \\
              \rho_\delta((y - \mu) / \sigma) & \text{otherwise} \end{cases}

    (Tobin 1958, with the Huber loss for the values in between.) A value that was cut off says only
    that the true one lay beyond; taken at face value, clipped noise would lift the dark parts of an
    image and lower its bright ones.

    Parameters
    ----------
    mean, y
        Same shape.
    sigma
        Standard deviation of the noise; one value, or one a pixel.
    low, high
        Where the detector cuts off; None where it does not.
    delta
        Residuals beyond so many standard deviations count linearly.
    """
    loss = huber((y - mean) / sigma, delta)
    if low is not None:
        below = -torch.special.log_ndtr((low - mean) / sigma)
        loss = torch.where(y <= low, below, loss)
    if high is not None:
        above = -torch.special.log_ndtr((mean - high) / sigma)
        loss = torch.where(y >= high, above, loss)
    return loss
