"""What the networks say of whole images and stacks, slice by slice, tile by tile, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.inference.tiles import tiled
from napari_selfsup_recon.methods.iscl._answer import Answer
from napari_selfsup_recon.methods.ssi._symmetry import Orientation
from napari_selfsup_recon.networks.unet import UNet
from napari_selfsup_recon.training.device import autocast

_TILE, _HALO = (256, 256), (56, 56)
_MULTIPLE = (8, 8)
_BLOCK = (24, 96, 96)


def answers(
    answer: Answer,
    stack: Tensor,
    turns: Sequence[Orientation],
    *,
    reach: int,
    device: torch.device,
    precision: str,
) -> Generator[tuple[int, int], None, Tensor]:
    """Return the clean images of ``(z, y, x)``, the mean over ``turns``.

    Yields ``(tiles done, tiles in all)``.

    Parameters
    ----------
    answer
        Both branches.
    stack
        In units of the clean images.
    turns
        Orientations to average over.
    reach
        Neighbours on either side that the networks see; beyond the ends lies the mirror image.
    device, precision
        Where and how precisely to compute.
    """

    def turned(turn: Orientation) -> Callable[[Tensor], Tensor]:
        def function(part: Tensor) -> Tensor:
            with torch.no_grad(), autocast(device, precision):
                image: Tensor = answer(turn.apply(part))
            return turn.undo(image.float())

        return function

    made = []
    for number, plane in enumerate(_with_neighbours(stack, reach)):
        total = torch.zeros_like(plane[None, :1])
        for index, turn in enumerate(turns, start=number * len(turns)):
            total += yield from relay(
                tiled(
                    turned(turn),
                    plane[None],
                    core=_TILE,
                    halo=_HALO,
                    multiple=_MULTIPLE,
                    device=device,
                ),
                _counted(index, len(stack) * len(turns)),
            )
        made.append(total[0, 0] / len(turns))
    return torch.stack(made)


def volume_answers(
    answer: Answer,
    stack: Tensor,
    turns: Sequence[Orientation],
    *,
    device: torch.device,
    precision: str,
) -> Generator[tuple[int, int], None, Tensor]:
    """Return the clean stack of ``(z, y, x)`` by 3D networks, the mean over ``turns``.

    Tiles overlap by all that the networks can see, so that they agree with the whole stack to
    rounding: the stack is turned before it is cut. Parameters are those of :func:`answers`.
    """
    net = answer.denoiser.net
    assert isinstance(net, UNet)

    def function(part: Tensor) -> Tensor:
        with torch.no_grad(), autocast(device, precision):
            image: Tensor = answer(part[:, 0])
        return image[:, None].float()

    total = torch.zeros_like(stack)
    for index, turn in enumerate(turns):
        made = yield from relay(
            tiled(
                function,
                turn.apply(stack)[None, None],
                core=_BLOCK,
                halo=net.reach,
                multiple=net.multiple,
                device=device,
            ),
            _counted(index, len(turns)),
        )
        total += turn.undo(made[0, 0])
    return total / len(turns)


def _with_neighbours(stack: Tensor, reach: int) -> list[Tensor]:
    """Return ``(2 reach + 1, y, x)`` for each slice."""
    last = len(stack) - 1
    inside = [last - abs(last - abs(z)) if last else 0 for z in range(-reach, len(stack) + reach)]
    return [stack[inside[z : z + 2 * reach + 1]] for z in range(len(stack))]


def _counted(before: int, rounds: int) -> Callable[[tuple[int, int]], tuple[int, int]]:
    return lambda now: (before * now[1] + now[0], rounds * now[1])
