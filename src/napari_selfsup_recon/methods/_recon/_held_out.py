"""Which slices, or slabs of slices, are learned from, which choose and which report."""

from __future__ import annotations

import torch

from napari_selfsup_recon.core.random import torch_generator

# With fewer slices, or slabs that share none, entries of the measurements are held out instead.
FEWEST_SLICES = 6
_FEWEST_SLABS = 4

Sets = tuple[list[int], list[int], list[int]]
"""Numbers of those that choose, that report and that are learned from."""


def fewest_slices(slab: int = 1) -> int:
    """Return how many slices a stack has at least of which some are held out."""
    return FEWEST_SLICES if slab == 1 else _FEWEST_SLABS * slab


def draw_sets(
    items: int, share: float, seed: int, *, stack: int | None = None, slab: int = 1
) -> Sets | None:
    """Draw what is held out; None where there is too little.

    Slabs that are held out share no slice with each other, nor with any that is learned from.

    Parameters
    ----------
    items
        Slices or, with ``stack``, slabs of all stacks one after another.
    share
        Of the slices, half to choose and half to report.
    seed
        Of the draw.
    stack, slab
        Slices of a stack, and of the slabs that it is cut into.
    """
    generator = torch_generator(seed, "held out")
    if stack is None:
        if items < FEWEST_SLICES:
            return None
        order = torch.randperm(items, generator=generator).tolist()
        count = max(1, round(share * items / 2))
        return sorted(order[:count]), sorted(order[count : 2 * count]), sorted(order[2 * count :])
    each = stack - slab + 1  # slabs of a stack, numbered as their first slices
    apart = [
        before + first
        for before in range(0, items, each)
        for first in range(0, stack - slab + 1, slab)
    ]
    if len(apart) < _FEWEST_SLABS:
        return None
    order = [apart[n] for n in torch.randperm(len(apart), generator=generator).tolist()]
    count = max(1, round(share * len(apart) / 2))
    choose, report = sorted(order[:count]), sorted(order[count : 2 * count])
    train = [
        item
        for item in range(items)
        if all(
            item // each != held // each or abs(item - held) >= slab for held in (*choose, *report)
        )
    ]
    return choose, report, train
