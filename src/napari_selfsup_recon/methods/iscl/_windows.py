"""Blocks of clean slices with noise on them, evened out, from which many crops are drawn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._evening import DEPTH, Evening
from napari_selfsup_recon.methods.iscl._noise_model import Spoiler

_KEPT = 16

Block = tuple[Tensor, Tensor]
"""Noisy and clean slices ``(z, y, x)``."""


class Windows:
    """The last few blocks, one more at each step.

    Slices are evened out with many neighbours, so that noise is put on whole blocks. The block of
    a number is always the same: what is forgotten can be made again.

    Parameters
    ----------
    domain
        The clean images.
    evening
        What is done to noisy slices.
    side
        Of the blocks.
    foreground
        Share of them that must show something.
    draw
        Of the seed, for each number.
    turned
        Turns a block at random.
    """

    def __init__(
        self,
        domain: Domain,
        evening: Evening,
        *,
        side: int,
        foreground: float,
        draw: tuple[int, ...],
        turned: Callable[[Tensor, torch.Generator], Tensor],
    ) -> None:
        self._domain, self._evening, self._side = domain, evening, side
        self._foreground, self._draw, self._turned = foreground, draw, turned
        self._made: dict[int, Block] = {}

    def pair(
        self, step: int, reach: int, spoiler: Spoiler, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return a noisy and a clean crop ``(2 reach + 1, side, side)`` at a step."""
        first = max(0, step - _KEPT + 1)
        self._made = {n: block for n, block in self._made.items() if first <= n <= step}
        number = first + int(torch.randint(step + 1 - first, (1,), generator=generator))
        if number not in self._made:
            self._made[number] = self._block(number, spoiler)
        noisy, clean = self._made[number]
        crop = self._domain.side
        z, row, column = (
            int(torch.randint(n, (1,), generator=generator))
            for n in (len(clean) - 2 * reach, *(n - crop + 1 for n in clean.shape[1:]))
        )
        place = slice(z, z + 2 * reach + 1), slice(row, row + crop), slice(column, column + crop)
        return noisy[place], clean[place]

    def _block(self, number: int, spoiler: Spoiler) -> Block:
        generator = torch_generator(*self._draw, "window", number)
        domain, side = self._domain, self._side
        item, z, *corner = domain.draw(generator, self._foreground)
        limits = domain.rows - side, domain.stacks.shape[-1] - side
        shift = (side - domain.side) // 2
        start = [min(max(0, n - shift), most) for n, most in zip(corner, limits, strict=True)]
        depth = min(DEPTH, domain.stacks.shape[1])
        clean = self._turned(domain.block([item, z, *start], depth, side), generator)
        return spoiled(clean, spoiler, self._evening, generator), clean


def spoiled(
    clean: Tensor, spoiler: Spoiler, evening: Evening, generator: torch.Generator
) -> Tensor:
    """Return a block ``(z, y, x)`` with noise, evened out."""
    with torch.no_grad():
        return evening.apply(spoiler(clean[None], generator)[0])
