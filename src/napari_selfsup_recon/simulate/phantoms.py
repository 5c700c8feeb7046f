"""Bodies made of ellipsoids, and their projections, which have a formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError

_SUBSAMPLES = 3
_NOISE = 0.002  # of the largest line integral


@dataclass(frozen=True, eq=False)
class ScanSample:
    """A scan whose object is known; parallel rays, angles in degrees.

    Attributes
    ----------
    truth
        Attenuation a pixel ``(slice, y, x)``; the axis of rotation is in the middle.
    sinograms
        Line integrals ``(slice, angle, column)``.
    degrees
        One angle a view.
    axis
        Column of the rotation axis.
    pixel
        Size of a pixel and of a column, in micrometers.
    """

    truth: NDArray[np.float32]
    sinograms: NDArray[np.float32]
    degrees: NDArray[np.float64]
    axis: float
    pixel: float = 5.0


@dataclass(frozen=True)
class _Ellipsoid:
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float
    value: float

    def cut(self, z: float) -> tuple[float, float] | None:
        """Return the semi-axes of the ellipse at height ``z``."""
        rest = 1 - ((z - self.centre[0]) / self.radii[0]) ** 2
        if rest <= 0:
            return None
        return self.radii[1] * rest**0.5, self.radii[2] * rest**0.5


def ellipsoid_scan(
    views: int = 24, *, size: int = 96, slices: int = 12, axis_offset: float = 3.4, seed: int = 0
) -> ScanSample:
    """Return the scan of a body with inclusions, cracks and pores.

    Parameters
    ----------
    views
        Angles, evenly over 180 degrees.
    size
        Rows and columns of a slice, and columns of the detector.
    slices
        How many there are.
    axis_offset
        Columns between the middle of the detector and the rotation axis.
    seed
        Of body and noise.

    Raises
    ------
    InputError
        If a number is too small.
    """
    if views < 1 or slices < 1 or size < 16:
        raise InputError(
            f"A scan of {views} views, {slices} slices and {size} columns shows nothing.",
            hint="Give at least one view and slice, and 16 columns.",
        )
    generator = np.random.default_rng([seed, 7])
    body = _body(generator)
    degrees = 180 * np.arange(views) / views
    heights = np.linspace(-0.45, 0.45, slices) if slices > 1 else np.zeros(1)
    truth = np.stack([_slice(body, z, size) for z in heights])
    sinograms = np.stack([_project(body, z, size, degrees, axis_offset) for z in heights])
    sinograms += generator.normal(0, _NOISE * sinograms.max(), sinograms.shape)
    return ScanSample(
        truth=truth.astype(np.float32),
        sinograms=sinograms.astype(np.float32),
        degrees=degrees,
        axis=(size - 1) / 2 + axis_offset,
    )


def _body(generator: np.random.Generator) -> list[_Ellipsoid]:
    """Return ellipsoids in units of half a slice; those behind lie inside of those in front."""
    body = [
        _Ellipsoid((0, 0, 0), (1.6, 0.80, 0.68), 0.3, 0.020),
        _Ellipsoid((0, 0.02, 0), (1.5, 0.70, 0.58), 0.3, -0.006),
    ]
    for _ in range(400):
        radius, angle = 0.55 * np.sqrt(generator.random()), 2 * np.pi * generator.random()
        small = 0.025 + 0.1 * generator.random() ** 2
        long = small * (1 + 2 * generator.random())
        value = float(generator.choice([0.012, 0.008, -0.010]))
        z, turn = generator.uniform(-0.6, 0.6), float(generator.uniform(0, np.pi))
        y, x = radius * np.sin(angle), radius * np.cos(angle)
        # None lies in another: pores would make the body negative.
        apart = (np.hypot(y - o.centre[1], x - o.centre[2]) > long + o.radii[1] for o in body[2:])
        if long < 0.55 - radius + 0.08 and all(apart):
            body.append(_Ellipsoid((z, y, x), (0.5 + 3 * small, long, small), turn, value))
    return body


def _slice(body: list[_Ellipsoid], z: float, size: int) -> NDArray[np.float64]:
    fine = (np.arange(size * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    at = (fine - (size - 1) / 2) / (size / 2)
    y, x = at[:, None], at[None]
    image = np.zeros((size * _SUBSAMPLES,) * 2)
    for part in body:
        radii = part.cut(z)
        if radii is None:
            continue
        dy, dx = y - part.centre[1], x - part.centre[2]
        along = dx * np.cos(part.turn) + dy * np.sin(part.turn)
        across = -dx * np.sin(part.turn) + dy * np.cos(part.turn)
        image += part.value * ((along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1)
    blocks = image.reshape(size, _SUBSAMPLES, size, _SUBSAMPLES)
    mean: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return mean


def _project(
    body: list[_Ellipsoid], z: float, size: int, degrees: NDArray[np.float64], offset: float
) -> NDArray[np.float64]:
    r"""Return :math:`\sum_i 2 v a b \sqrt{w^2 - \tau^2} / w^2` over the ellipses, in pixels.

    w is half the shadow of an ellipse and :math:`\tau` the distance of the ray from its centre.
    """
    theta = np.deg2rad(degrees)[:, None]
    fine = (np.arange(size * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    s = ((fine - (size - 1) / 2 - offset) / (size / 2))[None]
    lines = np.zeros((len(degrees), size * _SUBSAMPLES))
    for part in body:
        radii = part.cut(z)
        if radii is None:
            continue
        a, b = radii
        # Rows count downwards: a ray at theta has the normal (cos, -sin) in (x, y).
        along = np.cos(theta + part.turn)
        across = np.sin(theta + part.turn)
        width = (a * along) ** 2 + (b * across) ** 2
        centre = part.centre[2] * np.cos(theta) - part.centre[1] * np.sin(theta)
        chord = np.sqrt(np.maximum(width - (s - centre) ** 2, 0)) / width
        lines += 2 * part.value * a * b * chord * (size / 2)
    mean: NDArray[np.float64] = lines.reshape(len(degrees), size, _SUBSAMPLES).mean(axis=2)
    return mean
