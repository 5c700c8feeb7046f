"""The inverse that SSI learns."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from napari_selfsup_recon.networks.unet import UNet, initialise

_SHARPNESS = 10.0


class Inverse(nn.Module):
    """A U-Net whose output is an image: positive where light is counted.

    Positivity is a smooth fact of the output (softplus), not a clamp: nowhere does the gradient
    vanish altogether, and the first output is the mean of the image.
    """

    def __init__(
        self,
        ndim: int,
        *,
        width: int,
        pooling: Sequence[Sequence[int]],
        positive: bool,
        mean: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width][: len(pooling) + 1]
        self.net = UNet(ndim, widths=widths, pooling=pooling)
        self.positive = positive
        initialise(self.net, generator)
        with torch.no_grad():
            self.net.head.weight.mul_(0.1)
            start = max(mean, 0.01)
            if positive:
                start = log(expm1(_SHARPNESS * start)) / _SHARPNESS
            assert self.net.head.bias is not None
            self.net.head.bias.fill_(start)

    def forward(self, y: Tensor) -> Tensor:
        """Map scaled measurements ``(batch, 1, *spatial)`` to images of the same shape."""
        z: Tensor = self.net(y).float()
        return softplus(z, beta=_SHARPNESS) if self.positive else z
