"""Slices of stacks: those in the middle, and those that critics look at."""

from __future__ import annotations

import torch
from torch import Tensor


def central(stacks: Tensor, count: int) -> Tensor:
    """Return the ``count`` slices in the middle of ``(batch, slices, y, x)``."""
    first = (stacks.shape[1] - count) // 2
    return stacks[:, first : first + count]


def planes(blocks: Tensor, axis: int = 1) -> Tensor:
    """Return the slices of ``(batch, z, y, x)`` across an axis (1 to 3) as single images.

    ``(slices, 1, rows, columns)``; a batch of single slices stays as it is.
    """
    return blocks.movedim(axis, 1).flatten(0, 1)[:, None]


def plane_axis(choice: str, depth: int, generator: torch.Generator) -> int:
    """Return across which axis critics cut blocks of ``depth`` slices now.

    ``choice`` is ``"xy"`` or ``"all"``, by which each of the three comes in turn at random.
    """
    if choice == "xy" or not depth:
        return 1
    return 1 + int(torch.randint(3, (1,), generator=generator))
