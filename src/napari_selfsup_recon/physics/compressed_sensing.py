"""Compressed sensing: a given matrix of the whole image, or of each of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import pad

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe

# Singular values below this part of the largest one are left out of the pseudo-inverse.
_SMALLEST = 1e-3
# Rows count as orthonormal (up to one factor) to this precision.
_ORTHONORMAL = 1e-6


class CompressedSensing(Physics):
    r"""Inner products of the image, or of each of its blocks, with the rows of a matrix.

    .. math:: y_{k b} = \sum_i \Phi_{k i} \, x_{b i}

    i runs over the pixels of block b in the order of memory, k over the rows.

    Parameters
    ----------
    matrix
        :math:`\Phi`, ``(rows, pixels)`` or ``(rows, *block)``.
    block
        Sides of a block, one number where they are the same, for example 33. The image is cut into
        blocks from its first pixel on; those at its end see zeros beyond it. None: the image is one
        block and the measurement ``(rows,)``, else ``(rows, *blocks)``.
    shape
        Shape of the image. None: that of a block, else that of the columns of ``matrix``.

    Raises
    ------
    InputError
        If the matrix is empty or not finite, or does not fit the block and the shape.
    """

    def __init__(
        self,
        matrix: ArrayLike | Tensor,
        *,
        block: int | Sequence[int] | None = None,
        shape: Sequence[int] | None = None,
    ) -> None:
        values = np.array(
            matrix.detach().cpu() if isinstance(matrix, Tensor) else matrix, np.float64
        )
        if values.ndim < 2 or values.size == 0 or not np.isfinite(values).all():
            raise InputError(
                f"A sensing matrix of shape {values.shape} is no matrix, is empty, or holds NaN or "
                "infinite values.",
                hint="Give (rows, pixels) with finite values.",
            )
        if not values.any():
            raise InputError("The sensing matrix is zero everywhere.", hint="Give another one.")
        sides, image = _shapes(values.shape[1:], block, shape)
        self._counts = tuple(-(-n // side) for n, side in zip(image, sides, strict=True))
        rows = len(values)
        super().__init__(image, (rows,) if block is None else (rows, *self._counts))
        #: The matrix, float64, read-only, ``(rows, pixels)``.
        self.matrix = np.ascontiguousarray(values.reshape(rows, -1))
        self.matrix.setflags(write=False)
        #: Sides of a block; None where the image is one.
        self.block = None if block is None else sides
        self._sides = sides
        self._inverse: np.ndarray[Any, Any] | None = None
        self._kept: dict[tuple[bool, torch.dtype, torch.device], Tensor] = {}
        gram = self.matrix @ self.matrix.T if rows <= self.matrix.shape[1] else np.zeros((1, 1))
        power = float(gram.diagonal().mean())
        level = np.abs(gram - power * np.eye(len(gram))).max()
        #: Squared length of the rows where they are orthogonal and equally long, else None.
        self.row_power = power if power > 0 and level <= _ORTHONORMAL * power else None

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the Moore-Penrose inverse applied to ``y``, block by block.

        Singular values below a thousandth of the largest one are left out.
        """
        self._check(y, self.measurement_shape, "a measurement")
        if self.row_power is not None:
            return self.A_adjoint(y) / self.row_power
        if self._inverse is None:
            self._inverse = np.linalg.pinv(self.matrix, rcond=_SMALLEST)
        return self._joined(self._measurements(y) @ self._tensor(y, inverse=True).T)

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        block = None if self.block is None else list(self.block)
        params = {"block": block, "shape": list(self.image_shape)}
        return Recipe("compressed-sensing", params, {"matrix": self.matrix})

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> CompressedSensing:
        """Rebuild the operator."""
        return cls(recipe.arrays["matrix"], **recipe.params)

    def _seen(self, x: Tensor, regularisation: float) -> Tensor | None:
        whole = tuple(c * s for c, s in zip(self._counts, self._sides, strict=True))
        if self.row_power is None or whole != self.image_shape:
            return None
        return self.A_adjoint(self.A(x)) / self.row_power

    def _forward(self, x: Tensor) -> Tensor:
        y = self._blocks(x) @ self._tensor(x).T
        if self.block is None:
            return y.flatten(2)
        return y.movedim(-1, 2).contiguous()

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._joined(self._measurements(y) @ self._tensor(y))

    def _measurements(self, y: Tensor) -> Tensor:
        """Return ``(batch, channel, *blocks, rows)``."""
        if self.block is None:
            return y.reshape(*y.shape[:2], *self._counts, -1)
        return y.movedim(2, -1)

    def _blocks(self, x: Tensor) -> Tensor:
        """Return ``(batch, channel, *blocks, pixels)``."""
        beyond: list[int] = []
        for n, side, count in zip(self.image_shape, self._sides, self._counts, strict=True):
            beyond = [0, side * count - n, *beyond]
        split = [size for pair in zip(self._counts, self._sides, strict=True) for size in pair]
        parts = pad(x, beyond).reshape(*x.shape[:2], *split)
        axes = range(2, 2 + len(split))
        parts = parts.permute(0, 1, *axes[::2], *axes[1::2])
        return parts.reshape(*x.shape[:2], *self._counts, -1)

    def _joined(self, parts: Tensor) -> Tensor:
        """Return the image ``(batch, channel, *image_shape)`` of blocks; undoes :meth:`_blocks`."""
        ndim = len(self._sides)
        x = parts.reshape(*parts.shape[:2], *self._counts, *self._sides)
        order = [axis for k in range(ndim) for axis in (2 + k, 2 + ndim + k)]
        whole = [c * s for c, s in zip(self._counts, self._sides, strict=True)]
        x = x.permute(0, 1, *order).reshape(*parts.shape[:2], *whole)
        for axis, n in enumerate(self.image_shape, start=2):
            x = x.narrow(axis, 0, n)
        return x.contiguous()

    def _tensor(self, like: Tensor, *, inverse: bool = False) -> Tensor:
        key = (inverse, like.dtype, like.device)
        if key not in self._kept:
            values = self._inverse if inverse else self.matrix
            # In the wanted precision first: not every device knows double.
            self._kept[key] = torch.from_numpy(np.array(values)).to(like.dtype).to(like.device)
        return self._kept[key]


def _shapes(
    columns: tuple[int, ...], block: int | Sequence[int] | None, shape: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sides of a block and the shape of the image."""
    image = None if shape is None else tuple(int(n) for n in shape)
    if block is None:
        sides = columns if image is None else image
    elif isinstance(block, int):
        sides = (block,) * (len(image) if image is not None else 2)
    else:
        sides = tuple(int(n) for n in block)
    image = sides if image is None else image
    if not image or min(*image, *sides) < 1 or len(image) != len(sides):
        raise InputError(
            f"Blocks of {sides} pixels do not fit an image of shape {image}.",
            hint="Give one positive side for each axis of the image.",
        )
    if prod(sides) != prod(columns) or (len(columns) > 1 and columns != sides):
        raise InputError(
            f"The sensing matrix has columns for {columns} pixels, a block has {sides}.",
            hint="Give a matrix with a column for each pixel of a block, or shape= of the image.",
        )
    return sides, image
