"""Large images in overlapping tiles that join without seams."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from napari_selfsup_recon.core.indexing import spatial


@dataclass(frozen=True)
class Tile:
    """What is read, and which part of the answer is kept where.

    Attributes
    ----------
    read
        Slices of the image that the network sees.
    keep
        Slices of its answer.
    put
        Where they go in the result.
    """

    read: tuple[slice, ...]
    keep: tuple[slice, ...]
    put: tuple[slice, ...]


def tiles(
    shape: Sequence[int], core: Sequence[int], halo: Sequence[int], multiple: Sequence[int]
) -> list[Tile]:
    """Cut ``shape`` into cores that are read with a halo around them.

    Tiles begin at multiples of ``multiple``, so that a network that pools sees every pixel at the
    same phase in a tile as in the whole image. Once the halo is as wide as the network's reach the
    tiles therefore agree with the whole image to rounding.
    """
    axes = []
    for n, c, h, m in zip(shape, core, halo, multiple, strict=True):
        c, h = -(-min(c, n) // m) * m, -(-h // m) * m
        cuts = []
        for start in range(0, n, c):
            stop = min(n, start + c)
            first, last = max(0, start - h), min(n, stop + h)
            cuts.append(
                (slice(first, last), slice(start - first, stop - first), slice(start, stop))
            )
        axes.append(cuts)
    return [
        Tile(*(tuple(cut[part] for cut in cuts) for part in range(3))) for cuts in product(*axes)
    ]


@torch.no_grad()
def tiled(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    core: Sequence[int],
    halo: Sequence[int],
    multiple: Sequence[int],
    device: torch.device,
) -> Generator[tuple[int, int], None, Tensor]:
    """Apply ``function`` to ``x`` ``(1, channel, *spatial)`` tile by tile.

    Yields ``(tiles done, tiles in all)`` and returns ``(1, 1, *spatial)`` on the device of ``x``.
    """
    parts = tiles(x.shape[2:], core, halo, multiple)
    result = torch.empty(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    for done, tile in enumerate(parts, start=1):
        answer = function(x[spatial(tile.read)].to(device))
        result[spatial(tile.put)] = answer[spatial(tile.keep)].to(x.device)
        yield done, len(parts)
    return result
