"""3D convolution as 2D convolution over stacked planes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class PlaneConv3d(nn.Conv3d):
    """``Conv3d`` with 3-wide kernels and zero padding that is fast on the CPU too.

    The three planes under the kernel become channels of one 2D convolution: the same sums (to
    rounding), for which CPUs have much faster code. Other devices run the plain convolution.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, channels_in, z, y, x)`` to ``(batch, channels_out, z, y, x)``."""
        if input.device.type != "cpu":
            return super().forward(input)
        batch, channels, depth, height, width = input.shape
        planes = pad(input.transpose(1, 2), (0, 0, 0, 0, 0, 0, 1, 1))
        stacked = torch.cat([planes[:, i : i + depth] for i in range(3)], dim=2)
        weight = self.weight.transpose(1, 2).reshape(self.out_channels, 3 * channels, 3, 3)
        out = conv2d(
            stacked.reshape(batch * depth, 3 * channels, height, width),
            weight,
            self.bias,
            padding=1,
        )
        return out.reshape(batch, depth, self.out_channels, height, width).transpose(1, 2)
