"""Shifts by whole pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms.base import Action, Transform, ones

Edge = Literal["circular", "zero"]


@dataclass(frozen=True)
class Roll(Action):
    """Shift by whole pixels.

    Parameters
    ----------
    offsets
        Pixels along each spatial axis, positive towards higher indices.
    edge
        What moves in: the opposite side (``"circular"``, exactly orthogonal) or ``"zero"``.
    """

    offsets: tuple[int, ...]
    edge: Edge = "circular"

    def __call__(self, x: Tensor) -> Tensor:
        moved = torch.roll(x, self.offsets, self._axes())
        return moved if self.edge == "circular" else moved * self.valid(x.shape[2:], like=x)

    def adjoint(self, x: Tensor) -> Tensor:
        if self.edge == "zero":
            x = x * self.valid(x.shape[2:], like=x)
        return torch.roll(x, [-n for n in self.offsets], self._axes())

    def inverse(self) -> Roll:
        return Roll(tuple(-n for n in self.offsets), self.edge)

    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        mask = ones(shape, like)
        for axis, offset in enumerate(self.offsets):
            n = min(abs(offset), mask.shape[axis])
            mask.narrow(axis, 0 if offset > 0 else mask.shape[axis] - n, n).zero_()
        return mask

    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.offsets), 0))


@dataclass(frozen=True)
class Shift(Transform):
    """Shifts by whole pixels along every axis, drawn evenly.

    Parameters
    ----------
    limit
        Largest shift as a share of the side, in (0, 1].
    edge
        What moves in: the opposite side (``"circular"``) or ``"zero"``.
    axes
        Spatial axes that are shifted (0 is the first); all by default.

    Raises
    ------
    InputError
        If the limit is not in (0, 1] or there is no such edge.
    """

    limit: float = 1.0
    edge: Edge = "circular"
    axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.limit <= 1:
            raise InputError(
                f"Shifts of up to {self.limit:g} times the side make no sense.",
                hint="Give a limit above 0 and up to 1.",
            )
        if self.edge not in get_args(Edge):
            raise InputError(
                f"There is no edge {self.edge!r}.", hint=f"Choose from {', '.join(get_args(Edge))}."
            )

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Roll:
        """Return a shift, by no more than half the side where the opposite side moves in."""
        reach = [min(int(self.limit * n), n - 1) for n in shape]
        if self.edge == "circular":  # farther is the same as less far the other way
            reach = [min(r, n // 2) for r, n in zip(reach, shape, strict=True)]
        return Roll(
            tuple(
                int(torch.randint(-r, r + 1, (), generator=generator)) if self._moves(a) else 0
                for a, r in enumerate(reach)
            ),
            self.edge,
        )

    def _moves(self, axis: int) -> bool:
        return self.axes is None or axis in self.axes
