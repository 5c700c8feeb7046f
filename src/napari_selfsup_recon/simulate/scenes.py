"""Generated truths in [0, 1]: beads, cells and nuclei. Each takes well under a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError

FloatImage = NDArray[np.float32]
_Array = NDArray[np.float64]


def beads_3d(shape: tuple[int, int, int] = (32, 96, 96), seed: int = 0) -> FloatImage:
    """Return small Gaussian beads at sub-voxel positions, some touching, on a dim background.

    Parameters
    ----------
    shape
        Planes, rows, columns.
    seed
        Of positions and brightness.

    Returns
    -------
    ndarray
        float32 in [0, 1]; the background is 0.02.
    """
    _check(shape, 3)
    generator = np.random.default_rng(seed)
    sigma = np.array([0.9, 1.1, 1.1])
    count = max(3, int(np.prod(shape) / 5000))
    centres = generator.uniform(0, 1, (count, 3)) * (np.array(shape) - 1)
    # Every third bead gets a neighbour at 2.2 to 3.5 sigma: two that a blur makes one.
    first = centres[::3]
    ways = generator.normal(size=first.shape)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    near = first + ways * sigma * generator.uniform(2.2, 3.5, (len(first), 1))
    centres = np.concatenate([centres, near])
    peaks = generator.uniform(0.35, 0.98, len(centres))

    scene = np.zeros(shape)
    for centre, peak in zip(centres, peaks, strict=True):
        box = [
            slice(max(0, int(c - 5 * s)), min(n, int(c + 5 * s) + 2))
            for c, s, n in zip(centre, sigma, shape, strict=True)
        ]
        z, y, x = (
            np.exp(-0.5 * ((np.arange(b.start, b.stop) - c) / s) ** 2)
            for b, c, s in zip(box, centre, sigma, strict=True)
        )
        scene[tuple(box)] += peak * z[:, None, None] * y[:, None] * x
    return _image(0.02 + scene)


def cells_2d(shape: tuple[int, int] = (256, 256), seed: int = 0) -> FloatImage:
    """Return soft, textured cells with a dark nucleus, filaments and bright puncta.

    Parameters
    ----------
    shape
        Rows, columns.
    seed
        Of everything that varies.

    Returns
    -------
    ndarray
        float32 in [0, 1].
    """
    _check(shape, 2)
    generator = np.random.default_rng(seed)
    y, x = np.indices(shape, dtype=np.float64)
    size = 0.17 * min(shape)
    bodies, nuclei, lines, puncta = (np.zeros(shape) for _ in range(4))
    for cy, cx in _spread(generator, shape, 1.75 * size):
        reach = size * generator.uniform(0.85, 1.2)
        angle, distance = np.arctan2(y - cy, x - cx), np.hypot(y - cy, x - cx)
        edge = reach * _outline(generator, angle)
        body = _soft(edge - distance, 1.5)
        off = generator.uniform(-0.15, 0.15, 2) * reach
        kernel = np.hypot((y - cy - off[0]) / 0.38, (x - cx - off[1]) / 0.46) / reach
        nucleus = _soft((1 - kernel) * 0.4 * reach, 1.0)
        bodies = np.maximum(bodies, body)
        nuclei = np.maximum(nuclei, nucleus)
        own = np.zeros(shape)
        for _ in range(14):
            _splat(own, _curve(generator, (cy, cx), reach), 1.0)
        lines += own * body
        spots = np.array([cy, cx]) + generator.normal(0, 0.45 * reach, (18, 2))
        own = np.zeros(shape)
        _splat(own, spots, generator.uniform(0.4, 1.0, len(spots)))
        puncta += own * body
    texture = 0.75 + 0.25 * _noise(generator, shape, 2.5)
    inside = bodies * (1 - 0.8 * nuclei)
    scene = 0.015 + 0.2 * inside * texture
    scene += 0.5 * _draw(lines, 0.8, 0.9) * (1 - 0.9 * nuclei)
    scene += 0.85 * _draw(puncta, 1.0, 1.0) * (1 - 0.9 * nuclei)
    return _image(scene)


def nuclei_3d(shape: tuple[int, int, int] = (32, 96, 96), seed: int = 0) -> FloatImage:
    """Return ellipsoidal nuclei with chromatin texture and dark nucleoli on a dim background.

    Parameters
    ----------
    shape
        Planes, rows, columns; a plane is taken to be twice as thick as a pixel is wide.
    seed
        Of everything that varies.

    Returns
    -------
    ndarray
        float32 in [0, 1].
    """
    _check(shape, 3)
    generator = np.random.default_rng(seed)
    thick = np.array([2.0, 1.0, 1.0])
    extent = np.array(shape) * thick
    size = 0.16 * float(min(extent[1:]))
    scene = np.full(shape, 0.02)
    chromatin = 0.6 + 0.4 * _noise(generator, shape, (1.0, 2.0, 2.0))
    for centre in _spread(generator, tuple(extent), 1.9 * size):
        radii = size * generator.uniform(0.75, 1.1, 3)
        turn = generator.uniform(0, np.pi)
        # Beyond 1.3 radii the soft edge has faded.
        box = tuple(
            slice(max(0, int((c - 1.3 * radii.max()) / t)), int((c + 1.3 * radii.max()) / t) + 2)
            for c, t in zip(centre, thick, strict=True)
        )
        z, y, x = (
            t * np.arange(n, dtype=np.float64)[b] - c
            for t, n, b, c in zip(thick, shape, box, centre, strict=True)
        )
        z, y = z[:, None, None], y[:, None]
        u, v = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
        shell = 1 - np.sqrt((z / radii[0]) ** 2 + (u / radii[1]) ** 2 + (v / radii[2]) ** 2)
        body = _soft(shell * radii.min(), 0.7)
        for oz, oy, ox in generator.uniform(-0.45, 0.45, (2, 3)) * radii:
            away = np.sqrt((z - oz) ** 2 + (y - oy) ** 2 + (x - ox) ** 2)
            body *= 1 - 0.8 * _soft(0.22 * size - away, 0.7)
        bright = generator.uniform(0.55, 1.0)
        scene[box] = np.maximum(scene[box], bright * body * chromatin[box])
    return _image(scene)


def _image(scene: _Array) -> FloatImage:
    image: FloatImage = np.clip(scene, 0.0, 1.0).astype(np.float32)
    return image


def _check(shape: tuple[int, ...], ndim: int) -> None:
    if len(shape) != ndim or min(shape) < 8:
        raise InputError(
            f"A scene of the shape {tuple(shape)} cannot be drawn.",
            hint=f"Give {ndim} numbers of 8 or more.",
        )


def _spread(generator: np.random.Generator, shape: tuple[float, ...], apart: float) -> _Array:
    """Return random points at least ``apart`` from each other."""
    points: list[_Array] = []
    for candidate in generator.uniform(0, 1, (400, len(shape))) * np.array(shape):
        if all(np.linalg.norm(candidate - point) >= apart for point in points):
            points.append(candidate)
    return np.array(points)


def _outline(generator: np.random.Generator, angle: _Array) -> _Array:
    edge = np.ones_like(angle)
    for order in (2, 3, 5):
        edge += (
            generator.uniform(0.04, 0.22)
            / order**0.5
            * np.cos(order * angle + generator.uniform(0, 2 * np.pi))
        )
    return edge


def _soft(inside: _Array, width: float) -> _Array:
    """Return 1 where ``inside`` is positive and 0 where negative, over ``width`` pixels."""
    return 0.5 * (1 + np.tanh(inside / width))


def _noise(
    generator: np.random.Generator, shape: tuple[int, ...], sigma: float | tuple[float, ...]
) -> _Array:
    """Return smooth noise that spans about [-1, 1]."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(generator.normal(size=shape), sigma, mode="wrap")
    bounded: _Array = np.clip(smooth / (2 * smooth.std()), -1.0, 1.0)
    return bounded


def _curve(generator: np.random.Generator, centre: tuple[float, float], reach: float) -> _Array:
    """Return points half a pixel apart on a line that wanders through a cell."""
    steps = int(3 * reach)
    heading = generator.uniform(0, 2 * np.pi) + np.cumsum(generator.normal(0, 0.05, steps))
    start = np.array(centre) + generator.normal(0, 0.35 * reach, 2)
    path = np.cumsum(0.5 * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
    return start + path


def _splat(scene: _Array, points: _Array, weights: _Array | float) -> None:
    """Add points to ``scene`` in place, each shared linearly between its four pixels."""
    corner = np.floor(points).astype(int)
    part = points - corner
    for oy in (0, 1):
        for ox in (0, 1):
            share = np.abs(1 - oy - part[:, 0]) * np.abs(1 - ox - part[:, 1]) * weights
            row, column = corner[:, 0] + oy, corner[:, 1] + ox
            ok = (row >= 0) & (row < scene.shape[0]) & (column >= 0) & (column < scene.shape[1])
            np.add.at(scene, (row[ok], column[ok]), share[ok])


def _draw(scene: _Array, sigma: float, level: float) -> _Array:
    """Return the splatted points as smooth strokes of about ``level``, bounded by 1."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(scene, sigma)
    bright = float(np.percentile(smooth[smooth > 0], 98)) if smooth.any() else 1.0
    strokes: _Array = np.tanh(level * smooth / bright)
    return strokes
