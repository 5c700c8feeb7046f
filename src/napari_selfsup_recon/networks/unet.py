"""U-Net in 2D and 3D without batch statistics."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from napari_selfsup_recon.core.indexing import spatial
from napari_selfsup_recon.networks.planes import PlaneConv3d

_POINTWISE = {2: nn.Conv2d, 3: nn.Conv3d}
_POOL = {2: nn.functional.avg_pool2d, 3: nn.functional.avg_pool3d}
SLOPE = 0.1


def pooling_factors(scale: Sequence[float], shape: Sequence[int], levels: int) -> list[list[int]]:
    """Return the pooling factor an axis for each level below the first.

    Axes are pooled by 2 while at least 4 would remain and while their voxels are at most 1.5 times
    as large as the smallest that can still be pooled, so that levels become isotropic.

    Parameters
    ----------
    scale
        Voxel size an axis, in any common unit.
    shape
        Shape of what the network will see.
    levels
        Levels of the network.
    """
    size = [float(s) for s in scale]
    left = [int(n) for n in shape]
    factors = []
    for _ in range(levels - 1):
        smallest = min((v for v, n in zip(size, left, strict=True) if n >= 8), default=0.0)
        factor = [
            2 if n >= 8 and voxel <= 1.5 * smallest else 1
            for voxel, n in zip(size, left, strict=True)
        ]
        factors.append(factor)
        size = [voxel * f for voxel, f in zip(size, factor, strict=True)]
        left = [n // f for n, f in zip(left, factor, strict=True)]
    return factors


class UNet(nn.Module):
    """Convolutions at several resolutions with skips; any input size.

    No normalisation layer: what the network says of a pixel depends on its surroundings alone, not
    on the crop or batch it is in, so tiles and whole images agree.

    Parameters
    ----------
    ndim
        2 or 3.
    channels_in, channels_out
        Of the images ``(batch, channel, *spatial)``.
    widths
        Channels of each level, finest first.
    pooling
        Pooling factor an axis for each level below the first; 2 everywhere where None.
    """

    def __init__(
        self,
        ndim: int,
        channels_in: int = 1,
        channels_out: int = 1,
        widths: Sequence[int] = (24, 48, 96, 96),
        pooling: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.ndim = ndim
        self.pooling = [list(p) for p in (pooling or [[2] * ndim] * (len(widths) - 1))]
        self.down = nn.ModuleList()
        before = channels_in
        for width in widths:
            self.down.append(_Block(ndim, before, width))
            before = width
        self.up = nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.up.append(_Block(ndim, before + width, width))
            before = width
        self.head = _POINTWISE[ndim](before, channels_out, 1)

    @property
    def multiple(self) -> tuple[int, ...]:
        """Sizes are padded to multiples of these inside the network."""
        return tuple(prod(level[axis] for level in self.pooling) for axis in range(self.ndim))

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels on either side that an output pixel may depend on, an axis."""
        reach = []
        for axis in range(self.ndim):
            step, total = 1, 0
            for level in [*self.pooling, None]:
                # Two 3-wide convolutions down, and two up except at the bottom, and the pooling.
                total += step * (4 if level is not None else 2)
                if level is not None:
                    step *= level[axis]
            reach.append(total + step)
        return tuple(reach)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels_in, *spatial)`` to ``(batch, channels_out, *spatial)``."""
        shape = x.shape[2:]
        x = self._padded(x)
        skips = []
        for index, block in enumerate(self.down):
            if index:
                x = _POOL[self.ndim](x, self.pooling[index - 1])
            x = block(x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            skip = skips.pop()
            x = block(torch.cat([skip, interpolate(x, size=skip.shape[2:])], dim=1))
        y: Tensor = self.head(x)
        return y[spatial(slice(0, n) for n in shape)]

    def _padded(self, x: Tensor) -> Tensor:
        missing = [-n % m for n, m in zip(x.shape[2:], self.multiple, strict=True)]
        if not any(missing):
            return x
        sides = [side for n in reversed(missing) for side in (0, n)]
        return pad(x, sides, mode="replicate")


class _Block(nn.Module):
    """Two 3-wide convolutions, each followed by a leaky rectifier."""

    def __init__(self, ndim: int, channels_in: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                _convolution(ndim, channels_in, width),
                _convolution(ndim, width, width),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), SLOPE, inplace=True)
        return x


def _convolution(ndim: int, channels_in: int, channels_out: int) -> nn.Module:
    if ndim == 3:
        return PlaneConv3d(channels_in, channels_out)
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw He-normal weights for leaky rectifiers from ``generator``; biases become zero."""
    gain = nn.init.calculate_gain("leaky_relu", SLOPE)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("weight") and weight.ndim > 1:
                spread = gain / (weight[0].numel() ** 0.5)
                weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
            else:
                weight.zero_()
