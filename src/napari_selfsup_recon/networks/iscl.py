"""The networks of ISCL as published (Lee and Jeong 2021): generator, extractor, critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from napari_selfsup_recon.core.errors import InputError

_SLOPE = 0.2
_SPREAD = 0.05
_EPSILON = 1e-7
#: Sides of images must be a multiple of this for the generator.
STRIDE = 4
#: Side of the patches that the critic gives one score each.
PATCH = 64


class BatchInstanceNorm(nn.Module):
    r"""A learned mixture of batch and instance normalisation, a channel.

    .. math:: \gamma \left( \rho\, \mathrm{BN}(x) + (1 - \rho)\, \mathrm{IN}(x) \right) + \beta

    Nam and Kim 2018. There are no running averages: as published, the statistics are those of the
    batch at hand, in training and after it. :math:`\rho` begins at 1 and must be put back into
    [0, 1] after each step of the optimiser (:meth:`clip`).

    Parameters
    ----------
    channels
        Of the images ``(batch, channel, y, x)``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.rho = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised images."""
        batch, instance = _normalised(x, (0, 2, 3)), _normalised(x, (2, 3))
        gamma, beta, rho = (p[:, None, None] for p in (self.gamma, self.beta, self.rho))
        return gamma * (rho * batch + (1 - rho) * instance) + beta

    @torch.no_grad()
    def clip(self) -> None:
        """Put the mixture back into [0, 1]."""
        self.rho.clamp_(0, 1)


class Generator(nn.Module):
    """Encoder, three residual blocks, decoder: F (noisy to clean) and G (clean to noisy).

    1,148,225 parameters. Images ``(batch, 1, y, x)`` in [-1, 1], both sides a multiple of 4.

    Parameters
    ----------
    generator
        Draws the first weights.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [
                _Step(nn.Conv2d(1, 32, 7), 32, border=3),
                _Step(nn.Conv2d(32, 64, 4, 2), 64, border=1),
                _Step(nn.Conv2d(64, 128, 4, 2), 128, border=1),
            ]
        )
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(
                    _Step(nn.Conv2d(128, 128, 3), 128, border=1),
                    _Step(nn.Conv2d(128, 128, 3), 128, border=1, active=False),
                )
                for _ in range(3)
            ]
        )
        self.up = nn.ModuleList(
            [
                _Step(nn.ConvTranspose2d(128, 64, 3, 2), 64, cut=1),
                _Step(nn.ConvTranspose2d(64, 32, 3, 2), 32, cut=1),
            ]
        )
        self.last = nn.Conv2d(32, 1, 7)
        _initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return images of the other domain."""
        if x.shape[-1] % STRIDE or x.shape[-2] % STRIDE:
            raise InputError(
                f"The generator takes sides that are a multiple of {STRIDE}, not "
                f"{tuple(x.shape[-2:])}.",
                hint="Pad the image.",
            )
        for step in self.down:
            x = step(x)
        for block in self.blocks:
            x = x + block(x)
        for step in self.up:
            x = step(x)
        return torch.tanh(self.last(_symmetric(x, 3)))


class Extractor(nn.Module):
    """Twenty convolutions that return the noise of an image: H. 168,801 parameters.

    Parameters
    ----------
    generator
        Draws the first weights.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 32, 3, padding=1)
        self.middle = nn.Sequential(
            *(_Step(nn.Conv2d(32, 32, 3, padding=1), 32) for _ in range(18))
        )
        self.last = nn.Conv2d(32, 1, 3, padding=1)
        _initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return the noise of images ``(batch, 1, y, x)``."""
        noise: Tensor = self.last(self.middle(leaky_relu(self.first(x), _SLOPE)))
        return noise


class Critic(nn.Module):
    """Scores patches of 64 x 64, one number each. 2,790,177 parameters.

    Parameters
    ----------
    generator
        Draws the first weights.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 32, 4, 2, padding=1)
        self.middle = nn.Sequential(
            *(_Step(nn.Conv2d(n, 2 * n, 4, 2, padding=1), 2 * n) for n in (32, 64, 128)),
            _Step(nn.Conv2d(256, 512, 4), 512),
        )
        self.last = nn.Conv2d(512, 1, 1)
        _initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``(batch, 1, 1, 1)`` of patches ``(batch, 1, 64, 64)``."""
        scores: Tensor = self.last(self.middle(leaky_relu(self.first(x), _SLOPE)))
        return scores


class _Step(nn.Module):
    """Convolution, normalisation, rectifier."""

    def __init__(
        self,
        convolution: nn.Conv2d | nn.ConvTranspose2d,
        channels: int,
        *,
        border: int = 0,
        cut: int = 0,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = BatchInstanceNorm(channels)
        self._border, self._cut, self._active = border, cut, active

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(_symmetric(x, self._border))
        if self._cut:
            x = x[..., : -self._cut, : -self._cut]
        x = self.norm(x)
        return leaky_relu(x, _SLOPE) if self._active else x


def _normalised(x: Tensor, over: tuple[int, ...]) -> Tensor:
    variance, mean = torch.var_mean(x, dim=over, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + _EPSILON)


def _symmetric(x: Tensor, border: int) -> Tensor:
    """Continue images by their mirror image; the edge is repeated."""
    if border == 1:
        return pad(x, (1, 1, 1, 1), mode="replicate")
    for axis in (-2, -1):
        if border:
            n = x.shape[axis]
            left = x.narrow(axis, 0, border).flip(axis)
            right = x.narrow(axis, n - border, border).flip(axis)
            x = torch.cat([left, x, right], dim=axis)
    return x


@torch.no_grad()
def _initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw kernels from a normal distribution that is cut at two standard deviations."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.trunc_normal_(
                module.weight,
                std=_SPREAD,
                a=-2 * _SPREAD,
                b=2 * _SPREAD,
                generator=generator,
            )
            assert module.bias is not None
            module.bias.zero_()
