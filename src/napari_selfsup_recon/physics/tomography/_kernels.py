"""Loops over rays, compiled by numba: imported only where numba is.

All take runs of rays ``(runs, 2)``: from one ray to before another, neighbours in one view that
step in the same direction. Nothing here waits for the interpreter, so several threads may work at
once, each on runs or on steps of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

# Images that are treated together: one register of single precision.
LANES = 8

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    # Neither fused nor reordered: the loops that count weights and that store them must agree.
    finite = {"nnan", "ninf", "nsz"}
    made = numba.njit(function, nogil=True, cache=True, fastmath=finite, error_model="numpy")
    return cast(_Function, made)


@_compiled
def _search(edge: Any, start: Any, stop: Any, step: Any, bound: Any, sign: Any) -> Any:
    """First of the rays whose edge lies beyond the bound."""
    low, high = start, stop
    while low < high:
        middle = (low + high) // 2
        if sign * (edge[0, middle] + edge[1, middle] * step - bound) > 0:
            high = middle
        else:
            low = middle + 1
    return low


@_compiled
def _hits(low: Any, high: Any, start: Any, stop: Any, step: Any, across: Any) -> Any:
    """The rays of a run that meet the pixels of a step."""
    ascends = high[0, start] + high[1, start] * step > low[0, start] + low[1, start] * step
    sign = 1.0 if ascends else -1.0
    near, far = (-0.5, across - 0.5) if ascends else (across - 0.5, -0.5)
    begin = _search(high, start, stop, step, near, sign)
    return begin, _search(low, begin, stop, step, far, sign)


@_compiled
def _cell(low: Any, high: Any, ray: Any, step: Any, across: Any) -> Any:
    """First pixel, both edges within the pixels of the step, and the breadth without that limit."""
    one = low[0, ray] + low[1, ray] * step
    other = high[0, ray] + high[1, ray] * step
    left, right = min(one, other), max(one, other)
    breadth = right - left
    left, right = max(left, -0.5), min(right, across - 0.5)
    return min(int(left + 0.5), across - 1), left, right, breadth


@_compiled
def _factor(scale: Any, depth: Any, ray: Any, step: Any, breadth: Any) -> Any:
    return scale[ray] / (breadth * (depth[0, ray] + depth[1, ray] * step))


@_compiled
def forward(image: Any, runs: Any, low: Any, high: Any, scale: Any, depth: Any, out: Any) -> None:
    """Add the line integrals of an image ``(steps, across)`` to ``out (rays,)``."""
    steps, across = image.shape
    for run in range(len(runs)):
        for step in range(steps):
            row = image[step]
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                edge = pixel + 0.5
                total = row[pixel] * (min(right, edge) - left)
                while edge < right:
                    pixel += 1
                    total += row[pixel] * min(right - edge, 1.0)
                    edge += 1.0
                out[ray] += total * _factor(scale, depth, ray, step, breadth)


@_compiled
def adjoint(
    values: Any,
    runs: Any,
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    first: Any,
    last: Any,
    out: Any,
) -> None:
    """Add the back-projection of ``values (rays,)`` to some steps of ``out (steps, across)``."""
    across = out.shape[1]
    for run in range(len(runs)):
        for step in range(first, last):
            row = out[step]
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                value = values[ray] * _factor(scale, depth, ray, step, breadth)
                edge = pixel + 0.5
                row[pixel] += value * (min(right, edge) - left)
                while edge < right:
                    pixel += 1
                    row[pixel] += value * min(right - edge, 1.0)
                    edge += 1.0


@_compiled
def forward_lanes(
    image: Any, runs: Any, low: Any, high: Any, scale: Any, depth: Any, out: Any
) -> None:
    """Add the line integrals of images ``(steps, across, LANES)`` to ``out (rays, LANES)``."""
    steps, across = image.shape[:2]
    for run in range(len(runs)):
        for step in range(steps):
            row = image[step]
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                factor = _factor(scale, depth, ray, step, breadth)
                edge = pixel + 0.5
                weight = image.dtype.type(factor * (min(right, edge) - left))
                for lane in range(LANES):
                    out[ray, lane] += row[pixel, lane] * weight
                while edge < right:
                    pixel += 1
                    weight = image.dtype.type(factor * min(right - edge, 1.0))
                    for lane in range(LANES):
                        out[ray, lane] += row[pixel, lane] * weight
                    edge += 1.0


@_compiled
def adjoint_lanes(
    values: Any,
    runs: Any,
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    first: Any,
    last: Any,
    out: Any,
) -> None:
    """Add the back-projection of ``values (rays, LANES)`` to steps of the images ``out``."""
    across = out.shape[1]
    for run in range(len(runs)):
        for step in range(first, last):
            row = out[step]
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                factor = _factor(scale, depth, ray, step, breadth)
                edge = pixel + 0.5
                weight = out.dtype.type(factor * (min(right, edge) - left))
                for lane in range(LANES):
                    row[pixel, lane] += values[ray, lane] * weight
                while edge < right:
                    pixel += 1
                    weight = out.dtype.type(factor * min(right - edge, 1.0))
                    for lane in range(LANES):
                        row[pixel, lane] += values[ray, lane] * weight
                    edge += 1.0


@_compiled
def count(
    runs: Any, low: Any, high: Any, grid: Any, first: Any, last: Any, by_ray: Any, counts: Any
) -> None:
    """Add the number of weights of each ray, or else of each pixel, in some steps.

    ``grid`` is the number of pixels across a step and the strides along and across.
    """
    across, stride_along, stride_across = grid
    for run in range(len(runs)):
        for step in range(first, last):
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, _, right, _ = _cell(low, high, ray, step, across)
                edge = pixel - 0.5
                while True:
                    counts[ray if by_ray else step * stride_along + pixel * stride_across] += 1
                    pixel += 1
                    edge += 1.0
                    if edge >= right:
                        break


@_compiled
def store(
    runs: Any,
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    grid: Any,
    first: Any,
    last: Any,
    by_ray: Any,
    place: Any,
    index: Any,
    weights: Any,
) -> None:
    """Write the same weights, and the pixel or else the ray of each, from ``place`` on."""
    across, stride_along, stride_across = grid
    for run in range(len(runs)):
        for step in range(first, last):
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                factor = _factor(scale, depth, ray, step, breadth)
                edge = pixel - 0.5
                while True:
                    at = step * stride_along + pixel * stride_across
                    owner, other = (ray, at) if by_ray else (at, ray)
                    index[place[owner]] = other
                    weights[place[owner]] = factor * (min(right, edge + 1.0) - max(left, edge))
                    place[owner] += 1
                    pixel += 1
                    edge += 1.0
                    if edge >= right:
                        break
