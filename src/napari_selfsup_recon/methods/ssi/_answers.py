"""What the network says of whole measurements, tile by tile and turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.inference.tiles import tiled
from napari_selfsup_recon.methods.ssi._network import Inverse
from napari_selfsup_recon.methods.ssi._symmetry import Orientation
from napari_selfsup_recon.training.device import autocast

# Tiles of about 0.2 s; what lies beyond the halo has next to no weight in a pixel's answer.
_TILE = {2: (256, 256), 3: (32, 64, 64)}
_HALO = {2: (48, 48), 3: (6, 12, 12)}


def answers(
    model: Inverse,
    canvas: Tensor,
    turns: Sequence[Orientation],
    *,
    device: torch.device,
    precision: str,
) -> Generator[tuple[int, int], None, Tensor]:
    """Return the mean answer over ``turns`` for ``(items, channel, *spatial)``.

    Yields ``(tiles done, tiles in all)``.
    """
    ndim = canvas.ndim - 2
    halo = [min(n, h) for n, h in zip(model.net.reach, _HALO[ndim], strict=True)]
    items = []
    for number, item in enumerate(canvas):
        total = torch.zeros_like(item[None, :1])
        for index, turn in enumerate(turns, start=number * len(turns)):
            total += yield from relay(
                tiled(
                    _turned(model, turn, device, precision),
                    item[None],
                    core=_TILE[ndim],
                    halo=halo,
                    multiple=model.net.multiple,
                    device=device,
                ),
                _counted(index, len(canvas) * len(turns)),
            )
        items.append(total / len(turns))
    return torch.cat(items)


def _turned(
    model: Inverse, turn: Orientation, device: torch.device, precision: str
) -> Callable[[Tensor], Tensor]:
    def answer(part: Tensor) -> Tensor:
        with torch.no_grad(), autocast(device, precision):
            image: Tensor = model(turn.apply(part))
        return turn.undo(image.float())

    return answer


def _counted(before: int, rounds: int) -> Callable[[tuple[int, int]], tuple[int, int]]:
    return lambda now: (before * now[1] + now[0], rounds * now[1])
