"""The repaired networks in 3D: they see blocks of slices and answer for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_selfsup_recon.networks.unet import UNet, initialise

_FACTORS = (1, 2, 4)
# Slices are often further apart than pixels, so that they are pooled once less.
_POOLING = ((1, 2, 2), (2, 2, 2))
_START = 0.1


class VolumeExtractor(nn.Module):
    """H: the noise of a block of slices.

    Parameters
    ----------
    widths
        Channels of each of the three levels.
    generator
        Draws the first weights.
    """

    def __init__(self, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.net = UNet(3, 1, 1, widths=widths, pooling=_POOLING)
        initialise(self.net, generator)
        with torch.no_grad():
            self.net.head.weight.mul_(_START)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, slices, y, x)`` to noise of the same shape."""
        noise: Tensor = self.net(x[:, None])[:, 0]
        return noise


class VolumeDenoiser(VolumeExtractor):
    """F: the block less what its network says. Parameters as for :class:`VolumeExtractor`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, slices, y, x)`` to clean blocks of the same shape."""
        return x - super().forward(x)


def volume_pair(width: int, generator: torch.Generator) -> tuple[VolumeDenoiser, VolumeExtractor]:
    """Return F and H; H is half as wide."""
    return (
        VolumeDenoiser([width * factor for factor in _FACTORS], generator),
        VolumeExtractor([max(2, width // 2) * factor for factor in _FACTORS], generator),
    )
