"""Mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms.base import Action, Transform, ones


@dataclass(frozen=True)
class Flip(Action):
    """Mirror spatial axes.

    Parameters
    ----------
    flips
        One entry a spatial axis: True where it is mirrored.
    """

    flips: tuple[bool, ...]

    def __call__(self, x: Tensor) -> Tensor:
        n = len(self.flips)
        axes = [axis - n for axis, flip in enumerate(self.flips) if flip]
        return x.flip(axes) if axes else x

    def adjoint(self, x: Tensor) -> Tensor:
        return self(x)

    def inverse(self) -> Flip:
        return self

    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        return ones(shape, like)


@dataclass(frozen=True)
class Reflect(Transform):
    """Mirror images along any of the axes.

    Parameters
    ----------
    axes
        Spatial axes that may be mirrored (0 is the first); all by default.
    """

    axes: tuple[int, ...] | None = None

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Flip:
        """Return one of the mirrorings, the identity excluded."""
        others = self.elements(shape)[1:]
        return others[int(torch.randint(len(others), (), generator=generator))]

    def elements(self, shape: Sequence[int]) -> list[Flip]:  # type: ignore[override]
        """Return all combinations; the identity comes first."""
        axes = range(len(shape)) if self.axes is None else self.axes
        if not axes or not all(0 <= axis < len(shape) for axis in axes):
            raise InputError(
                f"Axes {tuple(axes)} cannot be mirrored in an image with {len(shape)} axes.",
                hint="Give axes from 0, the first spatial one.",
            )
        return [
            Flip(tuple(flips))
            for flips in product(
                *((False, True) if axis in axes else (False,) for axis in range(len(shape)))
            )
        ]
