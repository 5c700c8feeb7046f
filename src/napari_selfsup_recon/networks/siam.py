"""The published network of SIAM: steps towards the data, each followed by plain convolutions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import cast

import torch
from torch import Tensor, nn

from napari_selfsup_recon.networks.clamp import open_clamp
from napari_selfsup_recon.networks.planes import PlaneConv3d

_FIRST_STEP = 0.5
_FIRST_BIAS = 0.01
_LONGEST_STEP = 2.0


class SIAMNet(nn.Module):
    r"""Blocks that take a step towards the data, then add what convolutions say.

    .. math:: r_k = x_k - \gamma_k (T x_k - b), \qquad x_{k+1} = r_k + C_k(r_k), \qquad x_0 = b

    with the projection T onto what is measured and the smallest image b that explains the
    measurement. :math:`C_k` is six 3-wide convolutions with rectifiers between the inner ones.
    No block shares weights with another.

    Parameters
    ----------
    ndim
        2 or 3.
    channels
        Of the images ``(batch, channel, *spatial)``.
    blocks
        Number of them.
    width
        Channels of the convolutions.
    limited
        Keep :math:`\gamma_k` within 0 and 2, where the step cannot diverge. The published network
        does not.

    Notes
    -----
    With 25 blocks of width 32 on one channel there are 939,225 parameters, 37,569 a block. The
    first step changes nothing, as :math:`T b = b`: the gradient of :math:`\gamma_1` is zero.

    References
    ----------
    Quan, Qin, Pang and Ji, IEEE Trans. Pattern Anal. Mach. Intell. 46 (2024).
    """

    def __init__(
        self,
        ndim: int,
        channels: int = 1,
        *,
        blocks: int = 25,
        width: int = 32,
        limited: bool = False,
    ) -> None:
        super().__init__()
        self.limited = limited
        self.steps = nn.Parameter(torch.full((blocks,), _FIRST_STEP))
        self.blocks = nn.ModuleList(_Convolutions(ndim, channels, width) for _ in range(blocks))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw Xavier-normal weights; biases become 0.01."""
        with torch.no_grad():
            self.steps.fill_(_FIRST_STEP)
            for name, weight in self.blocks.named_parameters():
                if name.endswith("bias"):
                    weight.fill_(_FIRST_BIAS)
                    continue
                fans = (weight.shape[0] + weight.shape[1]) * prod(weight.shape[2:])
                draw = torch.randn(weight.shape, generator=generator)
                weight.copy_(draw * (2 / fans) ** 0.5)

    def forward(self, b: Tensor, measured: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the reconstruction.

        Parameters
        ----------
        b
            The smallest image that explains the measurement, ``(batch, channel, *spatial)``.
        measured
            T, from images to what is measured of them.
        """
        steps = open_clamp(self.steps, 0.0, _LONGEST_STEP) if self.limited else self.steps
        x = b
        for step, convolutions in zip(steps, self.blocks, strict=True):
            with torch.autocast(x.device.type, enabled=False):
                x = x.float() - step * (measured(x.float()) - b)
            x = x + convolutions(x)
        return x


class _Convolutions(nn.Module):
    """One to ``width`` channels, four more convolutions, and back."""

    def __init__(self, ndim: int, channels: int, width: int) -> None:
        super().__init__()
        self.first = _convolution(ndim, channels, width, bias=False)
        self.inner = nn.ModuleList(_convolution(ndim, width, width) for _ in range(4))
        self.last = _convolution(ndim, width, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, convolution in enumerate(self.inner):
            x = convolution(x)
            if number < len(self.inner) - 1:
                x = nn.functional.relu(x)
        return cast(Tensor, self.last(x))


def _convolution(ndim: int, channels_in: int, channels_out: int, *, bias: bool = True) -> nn.Module:
    if ndim == 2:
        return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=bias)
    convolution = PlaneConv3d(channels_in, channels_out)
    if not bias:
        convolution.register_parameter("bias", None)
    return convolution
