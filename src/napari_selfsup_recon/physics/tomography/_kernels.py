"""Loops over rays, compiled by numba: imported only where numba is.

All take runs of rays ``(runs, 2)``: from one ray to before another, neighbours in one view that
step in the same direction. Nothing here waits for the interpreter, so several threads may work at
once, each on runs or on steps of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

# Images that are treated together: one register of single precision.
LANES = 8

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    # Neither fused nor reordered: the loops that count weights and that store them must agree.
    made = numba.njit(nogil=True, error_model="numpy", fastmath={"nnan", "ninf", "nsz"})(function)
    with contextlib.suppress(RuntimeError):  # there may be no place to keep what was compiled
        made.enable_caching()
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
def _room(runs: Any, image: Any) -> Any:
    """Room for what :func:`_meet` finds out about the rays of the longest run."""
    most = 0
    for run in range(len(runs)):
        most = max(most, runs[run, 1] - runs[run, 0])
    return np.empty(most, np.int32), np.empty((4, most), image.dtype)


@_compiled
def _meet(
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    a: Any,
    b: Any,
    step: Any,
    across: Any,
    pixel: Any,
    found: Any,
) -> None:
    """Find where rays meet a step: first pixel, weight there, weight of a whole one, and the rest.

    The rest is how far the ray reaches beyond the first pixel. This is written for the vector
    units, without branches and in the precision of the images: edges are then right to 1e-4 pixels,
    and what two cells share is the same for both.
    """
    number = found.dtype.type
    none, half = number(0), number(0.5)
    at, limit = number(step), number(across - 0.5)
    inside, whole, rest = found[0], found[1], found[2]
    # Slices of one axis: the compiler then knows that neighbours lie side by side.
    low_p, low_q, high_p, high_q = low[0][a:b], low[1][a:b], high[0][a:b], high[1][a:b]
    length, depth_p, depth_q = scale[a:b], depth[0][a:b], depth[1][a:b]
    for ray in range(b - a):
        one = low_p[ray] + low_q[ray] * at
        other = high_p[ray] + high_q[ray] * at
        left, right = min(one, other), max(one, other)
        factor = length[ray] / ((right - left) * (depth_p[ray] + depth_q[ray] * at))
        left, right = max(left, -half), min(right, limit)
        first = min(np.int32(left + half), np.int32(across - 1))
        edge = number(first) + half
        pixel[ray] = first
        whole[ray] = factor
        inside[ray] = factor * max(min(right, edge) - left, none)
        rest[ray] = right - edge


@_compiled
def _weigh(found: Any, tap: Any, count: Any) -> Any:
    """Weights of the pixels ``tap`` behind the first ones."""
    if tap == 0:
        return found[0]
    number = found.dtype.type
    none, one, before = number(0), number(1), number(tap - 1)
    whole, rest, weights = found[1], found[2], found[3]
    for ray in range(count):
        weights[ray] = whole[ray] * min(max(rest[ray] - before, none), one)
    return weights


@_compiled
def forward(
    image: Any, runs: Any, low: Any, high: Any, scale: Any, depth: Any, taps: Any, out: Any
) -> None:
    """Add the line integrals of an image ``(steps, across)`` to ``out (rays,)``."""
    steps, across = image.shape[0], image.shape[1]
    pixel, found = _room(runs, image)
    for run in range(len(runs)):
        for step in range(steps):
            row = image[step]
            a, b = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            _meet(low, high, scale, depth, a, b, step, across, pixel, found)
            sums = out[a:b]
            for tap in range(taps):
                weights = _weigh(found, tap, b - a)
                for ray in range(b - a):
                    sums[ray] += (
                        weights[ray]
                        * row[np.uintp(min(pixel[ray] + np.int32(tap), np.int32(across - 1)))]
                    )


@_compiled
def adjoint(
    values: Any,
    runs: Any,
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    taps: Any,
    first: Any,
    last: Any,
    out: Any,
) -> None:
    """Add the back-projection of ``values (rays,)`` to steps of ``out (steps, across)``."""
    across = out.shape[1]
    pixel, found = _room(runs, out)
    for run in range(len(runs)):
        for step in range(first, last):
            row = out[step]
            a, b = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            _meet(low, high, scale, depth, a, b, step, across, pixel, found)
            some = values[a:b]
            for tap in range(taps):
                weights = _weigh(found, tap, b - a)
                for ray in range(b - a):
                    row[np.uintp(min(pixel[ray] + np.int32(tap), np.int32(across - 1)))] += (
                        weights[ray] * some[ray]
                    )


@_compiled
def forward_lanes(
    image: Any, runs: Any, low: Any, high: Any, scale: Any, depth: Any, taps: Any, out: Any
) -> None:
    """Do the same for images ``(steps, across, LANES)`` and ``out (rays, LANES)``."""
    steps, across = image.shape[0], image.shape[1]
    pixel, found = _room(runs, image)
    for run in range(len(runs)):
        for step in range(steps):
            row = image[step]
            a, b = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            _meet(low, high, scale, depth, a, b, step, across, pixel, found)
            sums = out[a:b]
            for tap in range(taps):
                weights = _weigh(found, tap, b - a)
                for ray in range(b - a):
                    if weights[ray] != 0:
                        for lane in range(LANES):
                            sums[ray, lane] += weights[ray] * row[np.uintp(pixel[ray] + tap), lane]


@_compiled
def adjoint_lanes(
    values: Any,
    runs: Any,
    low: Any,
    high: Any,
    scale: Any,
    depth: Any,
    taps: Any,
    first: Any,
    last: Any,
    out: Any,
) -> None:
    """Do the same for ``values (rays, LANES)`` and ``out (steps, across, LANES)``."""
    across = out.shape[1]
    pixel, found = _room(runs, out)
    for run in range(len(runs)):
        for step in range(first, last):
            row = out[step]
            a, b = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            _meet(low, high, scale, depth, a, b, step, across, pixel, found)
            some = values[a:b]
            for tap in range(taps):
                weights = _weigh(found, tap, b - a)
                for ray in range(b - a):
                    if weights[ray] != 0:
                        for lane in range(LANES):
                            row[np.uintp(pixel[ray] + tap), lane] += weights[ray] * some[ray, lane]


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
    """Write the same weights, and the pixel or else the ray of each, from ``place`` on.

    Loops go such that what is written lies within a ray's run, or within a step: in the cache.
    """
    across, stride_along, stride_across = grid
    steps = last - first
    outer, inner = (len(runs), steps) if by_ray else (steps, len(runs))
    for one in range(outer):
        for two in range(inner):
            run, step = (one, first + two) if by_ray else (two, first + one)
            begin, end = _hits(low, high, runs[run, 0], runs[run, 1], step, across)
            for ray in range(begin, end):
                pixel, left, right, breadth = _cell(low, high, ray, step, across)
                factor = scale[ray] / (breadth * (depth[0, ray] + depth[1, ray] * step))
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
