"""Rotations, scalings and what they make together: one matrix, one interpolation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import prod
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms import _spline
from napari_selfsup_recon.transforms.base import Action, ones

Interpolation = Literal["spline", "linear"]
_EXACT = 1e-9  # a matrix this near to one of zeros and ones moves pixels onto pixels
_TOLERANCE = 1e-4  # pixels by which a place may lie outside and still count as inside
_KEPT_PIXELS = 1 << 20  # of larger images the places are computed anew each time,
_SLAB_PIXELS = 1 << 18  # so many at once
_KEPT = 2


class Affine(Action):
    r"""A linear map of the coordinates about the centre of the image.

    .. math:: (T x)(p) = x(M p), \qquad p = \text{index} - (n - 1) / 2

    Parameters
    ----------
    matrix
        M, in pixels: where the value at p is read. A rotation of the object by R has
        :math:`M = R^{-1}`.
    axes
        The spatial axes it works on, counted from the last: ``(-2, -1)`` turns every slice of a
        volume alike. As many as the matrix has rows, 2 or 3.
    interpolation
        Cubic splines through the pixels (``"spline"``), or ``"linear"``. Where M moves pixels onto
        pixels, values are copied.
    antialias
        Smooth before reading with larger steps than a pixel.

    Raises
    ------
    InputError
        If the matrix is singular or does not fit the axes, or there is no such interpolation.

    Notes
    -----
    What is read from outside of the image is zero. Products of such actions (``a @ b``) multiply
    their matrices, so that values are interpolated once.
    """

    def __init__(
        self,
        matrix: ArrayLike,
        axes: Sequence[int] | None = None,
        *,
        interpolation: Interpolation = "spline",
        antialias: bool = True,
    ) -> None:
        #: The matrix, float64, read-only.
        self.matrix = np.array(matrix, dtype=np.float64)
        self.matrix.setflags(write=False)
        n = len(self.matrix)
        self.axes = tuple(range(-n, 0)) if axes is None else tuple(int(a) for a in axes)
        if self.matrix.shape != (n, n) or n not in (2, 3) or len(self.axes) != n:
            raise InputError(
                f"A matrix of shape {self.matrix.shape} cannot turn the axes {self.axes}.",
                hint="Give 2 x 2 for two axes and 3 x 3 for three.",
            )
        if not np.isfinite(self.matrix).all() or abs(np.linalg.det(self.matrix)) < 1e-12:
            raise InputError("The matrix cannot be inverted.", hint="Give another one.")
        if interpolation not in get_args(Interpolation):
            raise InputError(
                f"There is no interpolation {interpolation!r}.",
                hint=f"Choose from {', '.join(get_args(Interpolation))}.",
            )
        self.interpolation: Interpolation = interpolation
        self.antialias = antialias
        self._kept: OrderedDict[tuple[Any, ...], _spline.Plan] = OrderedDict()

    def __call__(self, x: Tensor) -> Tensor:
        return self._apply(x, False)

    def adjoint(self, x: Tensor) -> Tensor:
        return self._apply(x, True)

    def inverse(self) -> Affine:
        return self._like(np.linalg.inv(self.matrix))

    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        sides = tuple(shape[axis] for axis in self.axes)
        inside = torch.cat([self._source(sides, slab)[1] for slab in _slabs(sides)])
        view = [1] * len(shape)
        for axis in self.axes:
            view[axis] = shape[axis]
        # The axes may come in any order; broadcasting wants them in that of the image.
        inside = inside.permute(tuple(int(i) for i in np.argsort(self.axes)))
        mask = ones(shape, like)
        return mask * inside.reshape(view).to(mask)

    def __matmul__(self, other: Action) -> Action:
        if (
            isinstance(other, Affine)
            and other.axes == self.axes
            and (other.interpolation, other.antialias) == (self.interpolation, self.antialias)
        ):
            # (T_a T_b x)(p) = (T_b x)(M_a p) = x(M_b M_a p)
            return self._like(other.matrix @ self.matrix)
        return super().__matmul__(other)

    def __repr__(self) -> str:
        return f"Affine({self.matrix.tolist()}, axes={self.axes})"

    def _like(self, matrix: ArrayLike) -> Affine:
        return Affine(matrix, self.axes, interpolation=self.interpolation, antialias=self.antialias)

    def _apply(self, x: Tensor, transposed: bool) -> Tensor:
        n = len(self.axes)
        moved = x.movedim(self.axes, tuple(range(-n, 0)))
        whole = moved.shape
        shape = tuple(whole[-n:])
        copied = self._copied(moved, transposed)
        if copied is not None:
            out = copied
        else:
            single = moved if moved.dtype in (torch.float32, torch.float64) else moved.float()
            # Slices of a volume and channels are images of their own.
            images = single.reshape(1, prod(whole[:-n]), *shape)
            how = self._plan(shape, images)
            out = _spline.resample(images, how, transposed).reshape(whole).to(x.dtype)
        return out.movedim(tuple(range(-n, 0)), self.axes)

    def _copied(self, x: Tensor, transposed: bool) -> Tensor | None:
        """Return the result where pixels are moved onto pixels, else None."""
        whole = np.rint(self.matrix)
        if np.abs(self.matrix - whole).max() > _EXACT or (np.abs(whole).sum(axis=0) != 1).any():
            return None
        if (np.abs(whole).sum(axis=1) != 1).any():
            return None
        n = len(whole)
        if transposed:
            whole = whole.T  # orthogonal: the transpose is the inverse
        # Row a: the source runs along output axis source_of[a], backwards where the sign is -1.
        source_of = [int(np.flatnonzero(row)[0]) for row in whole]
        sides = x.shape[-n:]
        if any(sides[a] != sides[j] for a, j in enumerate(source_of)):
            return None
        backwards = [a - n for a, j in enumerate(source_of) if whole[a, j] < 0]
        x = x.flip(backwards) if backwards else x
        lead = x.ndim - n
        order = [source_of.index(j) for j in range(n)]
        return x.permute(*range(lead), *(lead + a for a in order))

    def _source(self, sides: tuple[int, ...], slab: slice) -> tuple[list[Tensor], Tensor]:
        """Return where each pixel of a slab is read, an axis, and whether that is in the image."""
        ranges = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in sides]
        ranges[0] = ranges[0][slab]
        centred = torch.meshgrid(*ranges, indexing="ij")
        places = []
        inside = torch.ones(centred[0].shape, dtype=torch.bool)
        for row, n in zip(self.matrix, sides, strict=True):
            place = (n - 1) / 2 + sum(
                (float(m) * p for m, p in zip(row, centred, strict=True)), torch.zeros(())
            )
            inside &= (place > -_TOLERANCE) & (place < n - 1 + _TOLERANCE)
            places.append(place)
        return places, inside

    def _plan(self, shape: tuple[int, ...], like: Tensor) -> _spline.Plan:
        key = (shape, like.dtype, like.device)
        found = self._kept.get(key)
        if found is not None:
            return found
        spline = self.interpolation == "spline"

        def lookups(slab: slice) -> _spline.Lookups:
            places, inside = self._source(shape, slab)
            made = _spline.lookups(places, inside.to(torch.float64), shape, spline)
            return _spline.Lookups(
                tuple(grid.to(like) for grid in made.grids),
                tuple(weight.to(like) for weight in made.weights),
            )

        filters = []
        for n, row in zip(shape, self.matrix, strict=True):
            step = float(np.linalg.norm(row)) if self.antialias else 1.0
            # Rounding may make a rotation a tiny bit larger than one.
            matrix = _spline.axis_filter(n, round(_spline.smoothing(step), 4), spline)
            filters.append(None if matrix is None else torch.from_numpy(matrix).to(like))
        slabs = _slabs(shape)
        if len(slabs) > 1:
            return _spline.Plan(slabs, lookups, tuple(filters))
        kept = lookups(slabs[0])
        plan = _spline.Plan(slabs, lambda _: kept, tuple(filters))
        self._kept[key] = plan
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return plan


def _slabs(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Cut an array along its first axis, so that the places of one slab are few."""
    if prod(shape) <= _KEPT_PIXELS:
        return (slice(0, shape[0]),)
    rows = max(1, _SLAB_PIXELS // prod(shape[1:]))
    return tuple(slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows))
