"""Noise of one image put onto another."""

from __future__ import annotations

import torch
from torch import Tensor


def transplanted(noise: Tensor, decorrelate: bool, generator: torch.Generator) -> Tensor:
    """Return extracted noise ``(batch, channel, *spatial)`` for other images.

    With ``decorrelate`` each map is shifted around by a random distance and flipped at random along
    the last axes, so that what it still shows of its own image lies elsewhere. The direction of the
    axes is kept: noise may be of one direction.
    """
    if not decorrelate:
        return noise
    rows, columns = noise.shape[-2:]
    maps = []
    for one in noise:
        down, right = (int(torch.randint(n, (1,), generator=generator)) for n in (rows, columns))
        flips = [axis for axis in (-2, -1) if int(torch.randint(2, (1,), generator=generator))]
        moved = torch.roll(one, (down, right), dims=(-2, -1))
        maps.append(moved.flip(flips) if flips else moved)
    return torch.stack(maps)
