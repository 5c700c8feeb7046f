"""The inverse that SSI learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_selfsup_recon.networks.clamp import open_clamp
from napari_selfsup_recon.networks.unet import UNet, initialise


@dataclass(frozen=True)
class Statistics:
    """Mean and spread of the scaled measurement, and the limits of the image.

    ``start_mean`` and ``start_spread`` are those of the image that learning starts from, if any.
    """

    mean: float
    spread: float
    low: float | None = None
    high: float | None = None
    start_mean: float | None = None
    start_spread: float = 1.0


class Inverse(nn.Module):
    """A U-Net whose output is an image inside its limits.

    It sees the measurement with mean zero and spread one, and its first answer is the mean; where
    there is an image to start from it sees that too, and its first answer is that image. The limits
    (no negative light) are facts of the output, through a clamp that never traps.
    """

    def __init__(
        self,
        ndim: int,
        *,
        widths: Sequence[int],
        pooling: Sequence[Sequence[int]],
        statistics: Statistics,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        starts = statistics.start_mean is not None
        self.net = UNet(ndim, 1 + starts, widths=widths[: len(pooling) + 1], pooling=pooling)
        self.statistics = statistics
        initialise(self.net, generator)
        with torch.no_grad():
            self.net.head.weight.mul_(0.0 if starts else 0.1)

    def forward(self, y: Tensor) -> Tensor:
        """Map scaled measurements to images ``(batch, 1, *spatial)``.

        Parameters
        ----------
        y
            ``(batch, 1, *spatial)``; with the start as a second channel where there is one.
        """
        facts = self.statistics
        if facts.start_mean is None:
            z: Tensor = self.net((y - facts.mean) / facts.spread).float()
            x = z * facts.spread + facts.mean
        else:
            seen, start = y[:, :1], y[:, 1:]
            z = self.net(
                torch.cat(
                    [
                        (seen - facts.mean) / facts.spread,
                        (start - facts.start_mean) / facts.start_spread,
                    ],
                    dim=1,
                )
            ).float()
            x = start + z * facts.start_spread
        if facts.low is None and facts.high is None:
            return x
        infinity = float("inf")
        low = -infinity if facts.low is None else facts.low
        return open_clamp(x, low, infinity if facts.high is None else facts.high)
