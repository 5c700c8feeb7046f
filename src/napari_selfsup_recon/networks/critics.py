"""Critics that judge images by their patches, at several scales, without batch statistics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from napari_selfsup_recon.networks.unet import initialise

_SLOPE = 0.2
_SMALLEST = 16


class PatchCritic(nn.Module):
    """Convolutions that score overlapping patches of an image.

    Every kernel is divided by its largest singular value (spectral normalisation, Miyato et al.
    2018), so that scores change at most as fast as images, and no score depends on the other images
    of a batch.

    Parameters
    ----------
    channels
        Of the images.
    widths
        Channels after each convolution; all but the last halve the image.
    generator
        Draws the first weights; None: that of seed 0.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        before, layers = channels, []
        for width in widths[:-1]:
            layers.append(nn.Conv2d(before, width, 4, 2, padding=1))
            before = width
        layers.append(nn.Conv2d(before, widths[-1], 3, padding=1))
        layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1))
        generator = generator or torch.Generator().manual_seed(0)
        bare = nn.ModuleList(layers)
        initialise(bare, generator)
        # The search for singular values begins at random, by torch's global generator.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
            self.layers = nn.ModuleList(spectral_norm(layer) for layer in bare)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``(batch, 1, y', x')`` of images ``(batch, channels, y, x)``."""
        for layer in self.layers[:-1]:
            x = leaky_relu(layer(x), _SLOPE)
        scores: Tensor = self.layers[-1](x)
        return scores


class MultiScaleCritic(nn.Module):
    """Patch critics of the image and of smaller copies; all scores in one row.

    Parameters
    ----------
    channels
        Of the images.
    widths
        Of each critic, see :class:`PatchCritic`.
    scales
        How many: the second sees the image at half its size, and so on.
    generator
        Draws the first weights.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (32, 64, 128),
        *,
        scales: int = 2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            PatchCritic(channels, widths, generator) for _ in range(scales)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``(batch, n)``; each scale counts the same in their mean."""
        rows = []
        for index, critic in enumerate(self.critics):
            if index and min(x.shape[-2:]) < 2 * _SMALLEST:
                break
            x = avg_pool2d(x, 2) if index else x
            rows.append(critic(x).flatten(1))
        most = max(row.shape[1] for row in rows)
        return torch.cat([_repeated(row, most) for row in rows], dim=1)


def _repeated(row: Tensor, length: int) -> Tensor:
    """Return the scores stretched to ``length``, each about as often as the others."""
    index = torch.arange(length, device=row.device) * row.shape[1] // length
    return row[:, index]
