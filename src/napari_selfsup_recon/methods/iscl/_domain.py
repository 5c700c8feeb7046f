"""The images of one domain, clean or noisy, and the crops that are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.ssi._crops import mirror

_PLACES = 2048
# Of what the busier windows show: below it a window counts as empty.
_EMPTY = 0.05
_GRAIN = 4


class Domain:
    """Stacks of slices and the places where crops may lie.

    Parameters
    ----------
    stacks
        ``(items, z, y, x)``; slices of a stack are neighbours, items are not. Images smaller than a
        crop are continued by their mirror image.
    side
        Of the crops.
    seed
        Of the places.
    name
        ``"clean"`` or ``"noisy"``.
    use
        Which slices, ``(items, z)``; all where None.
    below
        Share of the rows, at the bottom, in which no crop may lie.

    Raises
    ------
    InputError
        If no slice shows anything.
    """

    def __init__(
        self,
        stacks: Tensor,
        side: int,
        *,
        seed: int,
        name: str,
        use: Tensor | None = None,
        below: float = 0.0,
    ) -> None:
        missing = [max(0, side - n) for n in stacks.shape[-2:]]
        if any(missing):
            stacks = mirror(stacks, [n // 2 for n in missing], [n - n // 2 for n in missing])
        self.stacks, self.side = stacks, side
        self.rows = max(side, round((1 - below) * stacks.shape[-2]))
        wanted = stacks.flatten(2).std(dim=2) > 0
        if use is not None:
            wanted &= use.to(wanted.device)
        if not bool(wanted.any()):
            raise InputError(
                f"All {name} images are constant.",
                hint=f"Choose {name} images that show something.",
            )
        self.slices = wanted.nonzero().tolist()
        self._wanted = wanted.tolist()
        self._places(seed, name)

    def __len__(self) -> int:
        """Return how many crops there are that overlap by half at most."""
        step = max(1, self.side // 2)
        down, right = ((n - self.side) // step + 1 for n in (self.rows, self.stacks.shape[-1]))
        return len(self.slices) * down * right

    def at(self, place: Sequence[int], reach: int, side: int | None = None) -> Tensor:
        """Return ``(2 reach + 1, side, side)``: the slice at ``place`` and those around it.

        Beyond the end of a stack lies its mirror image.
        """
        item, z, row, column = place
        side = side or self.side
        depth = self.stacks.shape[1]
        planes = [_reflected(z + shift, depth) for shift in range(-reach, reach + 1)]
        return self.stacks[item, planes, row : row + side, column : column + side]

    def block(self, place: Sequence[int], depth: int, side: int | None = None) -> Tensor:
        """Return ``(depth, side, side)``: slices of one stack, the one at ``place`` among them.

        Slices that are not wanted are among them only where those that are make no such block.
        """
        item, z, row, column = place
        side = side or self.side
        wanted = self._wanted[item]
        first, last = z, z + 1
        while first and wanted[first - 1]:
            first -= 1
        while last < len(wanted) and wanted[last]:
            last += 1
        if last - first < depth:
            first, last = 0, len(wanted)
        start = min(max(first, z - depth // 2), last - depth)
        return self.stacks[item, start : start + depth, row : row + side, column : column + side]

    def draw(self, generator: torch.Generator, foreground: float) -> list[int]:
        """Return a place: item, slice, row, column."""
        busy = self._busy if float(torch.rand(1, generator=generator)) < foreground else self._any
        item, z, row, column = busy[int(torch.randint(len(busy), (1,), generator=generator))]
        shift = torch.randint(-_GRAIN, _GRAIN + 1, (2,), generator=generator).tolist()
        limits = self.rows - self.side, self.stacks.shape[-1] - self.side
        return [
            item,
            z,
            *(
                min(max(0, start + s), limit)
                for start, s, limit in zip((row, column), shift, limits, strict=True)
            ),
        ]

    def windows(self, count: int, side: int, seed: int) -> list[list[int]]:
        """Return places of ``count`` windows of another size, spread at random over the slices."""
        generator = torch_generator(seed, "windows", side)
        limits = max(0, self.rows - side), self.stacks.shape[-1] - side
        return [
            [
                *self.slices[int(torch.randint(len(self.slices), (1,), generator=generator))],
                *(int(torch.randint(n + 1, (1,), generator=generator)) for n in limits),
            ]
            for _ in range(count)
        ]

    def below(self, count: int, seed: int) -> list[list[int]]:
        """Return places of ``count`` crops that reach into the rows that are held out the most."""
        generator = torch_generator(seed, "held out")
        height, width = self.stacks.shape[-2:]
        return [
            [
                *self.slices[int(torch.randint(len(self.slices), (1,), generator=generator))],
                height - self.side,
                int(torch.randint(width - self.side + 1, (1,), generator=generator)),
            ]
            for _ in range(count)
        ]

    def _places(self, seed: int, name: str) -> None:
        generator = torch_generator(seed, "places", name)
        limits = self.rows - self.side, self.stacks.shape[-1] - self.side
        self._any, shows = [], []
        for _ in range(_PLACES):
            item, z = self.slices[int(torch.randint(len(self.slices), (1,), generator=generator))]
            start = [int(torch.randint(n + 1, (1,), generator=generator)) for n in limits]
            self._any.append([item, z, *start])
            window = self.at(self._any[-1], 0)[None]
            shows.append(float(avg_pool2d(window, _GRAIN).var()))
        content = torch.tensor(shows)
        least = content.min()
        limit = least + _EMPTY * (content.quantile(0.9) - least)
        self._busy = [
            place for place, much in zip(self._any, content.tolist(), strict=True) if much >= limit
        ]


def _reflected(z: int, depth: int) -> int:
    """Return the slice at ``z`` of a stack that goes on as its mirror image (edge not repeated)."""
    if depth == 1:
        return 0
    z = abs(z) % (2 * depth - 2)
    return z if z < depth else 2 * depth - 2 - z
