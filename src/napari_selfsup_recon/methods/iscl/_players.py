"""The repaired networks: residual, without batch statistics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_selfsup_recon.methods.iscl._losses import Players
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._volume import volume_pair
from napari_selfsup_recon.networks.critics import MultiScaleCritic
from napari_selfsup_recon.networks.unet import UNet, initialise

_FACTORS = (1, 2, 4, 8)
_CRITIC = (16, 32, 32)
_START = 0.1


class Denoiser(nn.Module):
    r"""F: the middle slice less what a U-Net says of all.

    Parameters
    ----------
    slices
        That it sees: 1, or 3 with the neighbours.
    widths
        Channels of each level.
    generator
        Draws the first weights.
    """

    def __init__(self, slices: int, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.net = _small(slices, widths, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, slices, y, x)`` to ``(batch, 1, y, x)``."""
        middle = x.shape[1] // 2
        clean: Tensor = x[:, middle : middle + 1] - self.net(x)
        return clean


class NoiseExtractor(nn.Module):
    """H: the noise of the middle slice. Parameters as for :class:`Denoiser`."""

    def __init__(self, slices: int, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.net = _small(slices, widths, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, slices, y, x)`` to ``(batch, 1, y, x)``."""
        noise: Tensor = self.net(x)
        return noise


def repaired_pair(
    slices: int, width: int, generator: torch.Generator
) -> tuple[Denoiser, NoiseExtractor]:
    """Return F and H; H is half as wide."""
    return (
        Denoiser(slices, [width * factor for factor in _FACTORS], generator),
        NoiseExtractor(slices, [max(2, width // 2) * factor for factor in _FACTORS], generator),
    )


def repaired_players(
    slices: int, width: int, model: NoiseModel, generator: torch.Generator
) -> Players:
    """Return the five networks with first weights drawn from ``generator``."""
    return _with_critics(repaired_pair(slices, width, generator), model, generator)


def volume_players(width: int, model: NoiseModel, generator: torch.Generator) -> Players:
    """Return the five networks, F and H in 3D; critics judge slices all the same."""
    return _with_critics(volume_pair(width, generator), model, generator)


def _with_critics(
    pair: tuple[nn.Module, nn.Module], model: NoiseModel, generator: torch.Generator
) -> Players:
    denoiser, extractor = pair
    return Players(
        denoiser,
        Spoiler(model),
        extractor,
        MultiScaleCritic(1, _CRITIC, generator=generator),
        MultiScaleCritic(1, _CRITIC, generator=generator),
    )


def _small(slices: int, widths: Sequence[int], generator: torch.Generator) -> UNet:
    net = UNet(2, slices, 1, widths=widths)
    initialise(net, generator)
    with torch.no_grad():
        net.head.weight.mul_(_START)
    return net
