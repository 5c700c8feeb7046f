"""Products with the matrix of rays, and the matrix itself, by compiled loops on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_selfsup_recon.physics.tomography import _kernels
from napari_selfsup_recon.physics.tomography._matrix import sparse
from napari_selfsup_recon.physics.tomography._rays import Rays

Array = NDArray[Any]
RaysOf = Callable[[int, int], Rays]
Call = tuple[Any, ...]

# What tables of rays and copies of images may take at a time, in bytes.
_TABLES = 8 * 2**20
_BYTES_A_RAY = 100
_COPIES = 24 * 2**20
# Fewer images than this are treated one by one.
_FEW = 3


@dataclass(frozen=True)
class _Chunk:
    """Rays of some views: which, their tables, runs along rows and columns, pixels of a cell."""

    start: int
    stop: int
    taps: int
    tables: tuple[Array, ...]
    runs: tuple[Array, Array]


def line_integrals(rays_of: RaysOf, x: Tensor, measured: Sequence[int]) -> Tensor:
    """Return the line integrals ``(images, rays)`` of the images ``x (images, y, x)``."""
    out = x.new_empty(len(x), prod(measured))
    for start, stop in _groups(len(x), x[0].nbytes):
        lanes = stop - start > 1
        rows = _side_by_side(x[start:stop]) if lanes else x[start].numpy()
        images = rows, np.ascontiguousarray(rows.swapaxes(0, 1))
        kernel = _kernels.forward_lanes if lanes else _kernels.forward
        for chunk in _chunks(rays_of, measured, x.shape[1:], rows.dtype):
            part = np.zeros((chunk.stop - chunk.start, *rows.shape[2:]), rows.dtype)
            _run(
                (kernel, image, some, *chunk.tables, chunk.taps, part)
                for image, runs in zip(images, chunk.runs, strict=True)
                for some in np.array_split(runs, 2 * torch.get_num_threads())
            )
            part = part.T[: stop - start] if lanes else part[None]
            out[start:stop, chunk.start : chunk.stop] = torch.from_numpy(part)
    return out


def back_projections(
    rays_of: RaysOf, y: Tensor, measured: Sequence[int], shape: Sequence[int]
) -> Tensor:
    """Return the transpose applied to ``y (images, rays)``: ``(images, y, x)``."""
    out = y.new_empty(len(y), *shape)
    for start, stop in _groups(len(y), out[0].nbytes):
        lanes = stop - start > 1
        trailing = (_kernels.LANES,) if lanes else ()
        kernel = _kernels.adjoint_lanes if lanes else _kernels.adjoint
        rows = np.zeros((*shape, *trailing), y.numpy().dtype)
        images = rows, np.zeros((*shape[::-1], *trailing), rows.dtype)
        for chunk in _chunks(rays_of, measured, shape, rows.dtype):
            part = y[start:stop, chunk.start : chunk.stop]
            values = _side_by_side(part) if lanes else part[0].numpy()
            _run(
                (kernel, values, runs, *chunk.tables, chunk.taps, first, last, image)
                for image, runs in zip(images, chunk.runs, strict=True)
                for first, last in _spans(len(image))
            )
        rows += images[1].swapaxes(0, 1)
        whole = torch.from_numpy(rows)
        out[start:stop] = whole.movedim(-1, 0)[: stop - start] if lanes else whole
    return out


def matrices(
    rays: Rays, measured: Sequence[int], shape: Sequence[int], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return the matrix ``(rays, pixels)`` and its transpose as CSR tensors."""
    # In double precision, whatever the matrices hold: this is done once.
    chunk = _chunk(rays, 0, measured[1], shape, np.dtype(np.float64))
    return (
        _matrix(chunk, shape, dtype, by_ray=True),
        _matrix(chunk, shape, dtype, by_ray=False),
    )


def _matrix(chunk: _Chunk, shape: Sequence[int], dtype: torch.dtype, *, by_ray: bool) -> Tensor:
    height, width = shape
    size = (chunk.stop, height * width) if by_ray else (height * width, chunk.stop)
    counts = np.zeros(size[0], np.int64)
    low, high, *_ = chunk.tables
    # Threads own rays, or steps; what steps along rows and along columns meets in the same pixels.
    grids = ((height, (width, width, 1)), (width, (height, 1, width)))
    work = [
        [
            (some, grid, first, last)
            for some in (np.array_split(runs, 2 * torch.get_num_threads()) if by_ray else [runs])
            for first, last in ([(0, steps)] if by_ray else _spans(steps))
        ]
        for runs, (steps, grid) in zip(chunk.runs, grids, strict=True)
    ]
    for calls in work:
        _run((_kernels.count, some, low, high, *rest, by_ray, counts) for some, *rest in calls)
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    place = starts[:-1].copy()
    index = np.empty(starts[-1], np.int32)
    weights = np.empty(starts[-1], torch.empty(0, dtype=dtype).numpy().dtype)
    for calls in work:
        _run(
            (_kernels.store, some, *chunk.tables, *rest, by_ray, place, index, weights)
            for some, *rest in calls
        )
    rows, columns, values = map(torch.from_numpy, (starts.astype(np.int32), index, weights))
    return sparse(rows, columns, values, size)


def _chunks(
    rays_of: RaysOf, measured: Sequence[int], shape: Sequence[int], dtype: np.dtype[Any]
) -> Iterator[_Chunk]:
    views, cells = measured
    size = max(1, _TABLES // (_BYTES_A_RAY * cells))
    for view in range(0, views, size):
        rays = rays_of(view, min(views, view + size))
        yield _chunk(rays, view * cells, cells, shape, dtype)


def _chunk(
    rays: Rays, start: int, cells: int, shape: Sequence[int], dtype: np.dtype[Any]
) -> _Chunk:
    along_rows = rays.along_rows.numpy()
    ends = np.flatnonzero(np.diff(along_rows)) + 1
    ends = np.union1d(ends, np.arange(cells, len(rays) + 1, cells))
    runs = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)
    rows = along_rows[runs[:, 0]]
    low, high, length = (table.numpy() for table in (rays.low, rays.high, rays.length))
    depth = np.array([[1.0], [0.0]]).repeat(len(rays), axis=1)
    if rays.depth is not None:
        depth = rays.depth.numpy()
    # Cells are broadest at either end of the image.
    near, far = high[0] - low[0], (high - low).T @ [1.0, max(shape) - 1.0]
    taps = math.ceil(max(np.abs(near).max(), np.abs(far).max()) + 1e-3) + 1
    tables = [np.ascontiguousarray(table, dtype) for table in (low, high, length, depth)]
    return _Chunk(
        start,
        start + len(rays),
        min(taps, max(shape) + 1),
        tuple(tables),
        (runs[rows], runs[~rows]),
    )


def _groups(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Images that go together, such that their copies stay small."""
    at = 0
    while at < count:
        together = min(_kernels.LANES, count - at)
        if together < _FEW or 3 * _kernels.LANES * size > _COPIES:
            together = 1
        yield at, at + together
        at += together


def _side_by_side(values: Tensor) -> Array:
    """``(images, *rest)`` as ``(*rest, LANES)``, filled up with zeros."""
    out = values.new_zeros(*values.shape[1:], _kernels.LANES)
    out[..., : len(values)] = values.movedim(0, -1)
    return out.numpy()


def _spans(steps: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, steps, min(steps, 4 * torch.get_num_threads()) + 1).astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _run(calls: Iterator[Call]) -> None:
    """Make the calls, in as many threads as torch would use."""
    threads = torch.get_num_threads()
    if threads == 1:
        for function, *arguments in calls:
            function(*arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(*call) for call in calls]:
            future.result()
