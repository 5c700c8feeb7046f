"""Resampling between pixels: linear, or by cubic splines, with the exact transpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

_SMOOTHING = 0.5  # of an ideal sampling step: what a camera pixel of that size would average


class Lookups(NamedTuple):
    """Weighted linear interpolations that together make the resampling.

    A cubic B-spline has only positive weights, so its four neighbours along an axis are two linear
    interpolations, and two lookups an axis replace four (Sigg and Hadwiger, GPU Gems 2, ch. 20).
    """

    grids: tuple[Tensor, ...]  # each (1, *out, axes), for grid_sample, last axis first
    weights: tuple[Tensor, ...]  # each (*out)


class Plan(NamedTuple):
    """How an array is resampled, slab by slab along its first axis."""

    slabs: tuple[slice, ...]
    lookups: Callable[[slice], Lookups]  # computed anew each time, or kept
    filters: tuple[Tensor | None, ...]  # a matrix an axis, applied before


def lookups(source: list[Tensor], inside: Tensor, shape: tuple[int, ...], spline: bool) -> Lookups:
    """Return the lookups that read an array of ``shape`` at ``source`` (pixels, one an axis)."""
    pairs: list[list[tuple[Tensor, Tensor]]] = []
    for position in source:
        if not spline:
            pairs.append([(position, torch.ones_like(position))])
            continue
        base = position.floor()
        f = position - base
        g = 1 - f
        w0, w1 = g**3 / 6, 2 / 3 - f**2 / 2 * (2 - f)
        w2, w3 = 2 / 3 - g**2 / 2 * (2 - g), f**3 / 6
        pairs.append([(base - 1 + w1 / (w0 + w1), w0 + w1), (base + 1 + w3 / (w2 + w3), w2 + w3)])
    grids, weights = [], []
    for choice in product(*pairs):
        places = [
            (2 * _mirrored(place, n) + 1) / n - 1
            for (place, _), n in zip(choice, shape, strict=True)
        ]
        grids.append(torch.stack(places[::-1], dim=-1)[None])
        weight = inside
        for _, part in choice:
            weight = weight * part
        weights.append(weight)
    return Lookups(tuple(grids), tuple(weights))


def _mirrored(position: Tensor, n: int) -> Tensor:
    """Reflect positions beyond the first and last pixel back (the edge is not repeated)."""
    if n == 1:
        return torch.zeros_like(position)
    period = 2 * (n - 1)
    folded = position.remainder(period)
    return torch.minimum(folded, period - folded)


@lru_cache(maxsize=64)
def axis_filter(n: int, sigma: float, spline: bool) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Return what is applied along an axis of ``n`` pixels before reading between them.

    A Gaussian of ``sigma`` pixels against aliasing, then the weights of the cubic spline through
    the pixels (inverse of its samples 1/6, 4/6, 1/6). Beyond the edges the image is mirrored.
    """
    matrix = None
    if sigma > 0:
        reach = int(np.ceil(4 * sigma))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        matrix = _mirrored_kernel(n, kernel / kernel.sum())
    if spline and n > 1:
        inverse = np.linalg.inv(_mirrored_kernel(n, np.array([1, 4, 1]) / 6))
        matrix = inverse if matrix is None else inverse @ matrix
    return matrix


def _mirrored_kernel(
    n: int, kernel: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    matrix = np.zeros((n, n))
    period = max(2 * (n - 1), 1)
    rows = np.arange(n)
    for offset, value in enumerate(kernel, start=-(len(kernel) // 2)):
        columns = (rows + offset) % period
        np.add.at(matrix, (rows, np.minimum(columns, period - columns) if n > 1 else rows), value)
    return matrix


def smoothing(step: float) -> float:
    """Return the Gaussian (pixels) that makes reading every ``step`` pixels free of aliasing."""
    return _SMOOTHING * float(np.sqrt(max(step**2 - 1, 0.0)))


class _Resample(torch.autograd.Function):
    """A linear map whose derivative is its transpose, to any order."""

    @staticmethod
    def forward(x: Tensor, how: Plan, transposed: bool) -> Tensor:
        return _transposed(x, how) if transposed else _read(x, how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.how, ctx.transposed = inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return resample(gradient, ctx.how, not ctx.transposed), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return resample(tangents[0], ctx.how, ctx.transposed)


def resample(x: Tensor, how: Plan, transposed: bool = False) -> Tensor:
    """Apply ``how``, or its transpose, to ``(batch, channel, *axes)``."""
    return cast(Tensor, _Resample.apply(x, how, transposed))  # type: ignore[no-untyped-call]


def _filtered(x: Tensor, how: Plan, transposed: bool) -> Tensor:
    for axis, matrix in enumerate(how.filters, start=2):
        if matrix is not None:
            by = matrix.mT if transposed else matrix
            x = by @ x if axis == x.ndim - 2 else (x.movedim(axis, -1) @ by.mT).movedim(-1, axis)
    return x


def _read(x: Tensor, how: Plan) -> Tensor:
    x = _filtered(x, how, False)
    out = torch.zeros_like(x)
    for slab in how.slabs:
        lookups = how.lookups(slab)
        for grid, weight in zip(lookups.grids, lookups.weights, strict=True):
            part = torch.nn.functional.grid_sample(
                x,
                grid.expand(len(x), *grid.shape[1:]),
                mode="bilinear",
                padding_mode="border",
                align_corners=False,
            )
            out[:, :, slab].addcmul_(part, weight)
    return out


def _transposed(y: Tensor, how: Plan) -> Tensor:
    backward = (
        torch.ops.aten.grid_sampler_2d_backward
        if y.ndim == 4
        else torch.ops.aten.grid_sampler_3d_backward
    )
    out = torch.zeros_like(y)
    for slab in how.slabs:
        lookups = how.lookups(slab)
        for grid, weight in zip(lookups.grids, lookups.weights, strict=True):
            # bilinear, border, corners not aligned; values of the second argument do not matter
            part, _ = backward(
                (y[:, :, slab] * weight).contiguous(),
                y,
                grid.expand(len(y), *grid.shape[1:]),
                0,
                1,
                False,
                [True, False],
            )
            out += part
    return _filtered(out, how, True)
