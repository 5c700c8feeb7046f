"""Slices seen together with their neighbours (2.5D): a stack as overlapping slabs.

The slices of a slab are channels of one image. An instrument that all slices share maps channels
for themselves, and serves as it is; where each slice has an operator of its own :class:`Slab` takes
its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.physics.base import Physics


class Slab(Physics):
    """An instrument with an operator a slice, for slabs of some slices each.

    Parameters
    ----------
    inner
        The instrument of single slices, with ``items``.
    members
        Numbers of the slices of each slab, equally many.
    """

    def __init__(self, inner: Physics, members: Sequence[Sequence[int]]) -> None:
        super().__init__(inner.image_shape, inner.measurement_shape)
        self.inner, self.members = inner, [tuple(slab) for slab in members]
        self.channels, self.items = len(self.members[0]), len(self.members)
        self.linear = inner.linear  # type: ignore[misc]

    @cached_property
    def _flat(self) -> Physics:
        """The instrument of all slices in turn, some of them more than once."""
        return self.inner.at([number for slab in self.members for number in slab])

    def A(self, x: Tensor) -> Tensor:
        """Return the measurements of slabs ``(batch, slice, *image_shape)``."""
        self._check(x, self.image_shape, "an image")
        return _as(x, self._flat.A(_single(x)))

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Return the transpose."""
        self._check(y, self.measurement_shape, "a measurement")
        return _as(y, self._flat.A_adjoint(_single(y)))

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the inverse of the instrument, slice by slice."""
        return _as(y, self._flat.A_dagger(_single(y)))

    def at(self, items: Sequence[int]) -> Slab:
        """Return the operator of some slabs."""
        return Slab(self.inner, [self.members[n] for n in items])

    def observed(self, like: Tensor) -> Tensor | None:
        """Return which entries are recorded, ``(batch, slice, *measurement_shape)``."""
        found = self._flat.observed(_single(like))
        return None if found is None else _as(like, found)

    def _forward(self, x: Tensor) -> Tensor:
        return self.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y)


def behind(physics: Physics, members: Sequence[Sequence[int]]) -> Physics:
    """Return the instrument for slabs of the slices that it is for."""
    return physics if physics.items is None else Slab(physics, members)


def slabs_of(slices: int, stack: int, slab: int) -> list[range]:
    """Return the slices of all slabs; none reaches from one stack into another.

    Parameters
    ----------
    slices
        How many there are.
    stack
        Slices of each stack.
    slab
        Slices of each slab, no more than those of a stack.
    """
    firsts = range(stack - slab + 1)
    return [
        range(before + first, before + first + slab)
        for before in range(0, slices, stack)
        for first in firsts
    ]


def gathered(values: Tensor, stack: int, slab: int) -> Tensor:
    """Return slices ``(n, 1, *shape)`` as slabs ``(slabs, slab, *shape)``; of one stack a view."""
    stacks = values.reshape(-1, stack, *values.shape[2:])
    return stacks.unfold(1, slab, 1).movedim(-1, 2).flatten(0, 1)


def scattered(slabs: Sequence[Tensor]) -> Tensor:
    """Return the slices ``(n, 1, *shape)`` of one stack from all its slabs ``(1, slab, *shape)``.

    Each is the middle one of a slab; those at the ends are what the outermost slabs have there.
    """
    middle = slabs[0].shape[1] // 2
    parts: list[Any] = [slabs[0][:, :middle], *(one[:, middle : middle + 1] for one in slabs)]
    return torch.cat([*parts, slabs[-1][:, middle + 1 :]], dim=1).transpose(0, 1)


def _single(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, *values.shape[2:])


def _as(slabs: Tensor, values: Tensor) -> Tensor:
    return values.reshape(*slabs.shape[:2], *values.shape[2:])
