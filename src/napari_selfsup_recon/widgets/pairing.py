"""Which pixels of some layers lie on each other, and what differs there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage

# Of a pixel: what rounding may make of a whole number of pixels.
_TOLERANCE = 0.01
# Of the differences that lie within the colours.
_WITHIN = 0.998
DIVERGING = "PiYG"
# Of larger images the middle is measured: the numbers hardly change, the seconds do.
_LONGEST = {2: 1024, 3: 96}


def overlap(layers: Sequence[Layer]) -> list[tuple[slice, ...]]:
    """Return for each layer which part of it lies where all the others have pixels, too.

    Parameters
    ----------
    layers
        Image layers with as many axes, on one grid: the same voxel size and directions, and a whole
        number of pixels apart.

    Raises
    ------
    InputError
        If they are not on one grid, or nowhere on each other.
    """
    first = layers[0]
    starts, stops = [np.zeros(first.ndim)], [np.array(_shape(first), dtype=float)]
    for layer in layers[1:]:
        offset = _offset(first, layer)
        starts.append(offset)
        stops.append(offset + _shape(layer))
    low, high = np.max(starts, axis=0), np.min(stops, axis=0)
    if np.any(high <= low):
        names = " and ".join(repr(layer.name) for layer in layers[:2])
        raise InputError(
            f"{names} lie nowhere on each other.", hint="Choose layers of the same place."
        )
    return [
        tuple(slice(int(a), int(b)) for a, b in zip(low - start, high - start, strict=True))
        for start in starts
    ]


def values(layer: Image, part: tuple[slice, ...]) -> FloatImage:
    """Return a part of a layer as float32; lazy arrays are read here."""
    data = layer.data[0] if layer.multiscale else layer.data
    array: FloatImage = np.asarray(data[part], dtype=np.float32)
    return array


def difference(first: FloatImage, second: FloatImage) -> tuple[FloatImage, float]:
    """Return ``second - first`` and the size of the largest differences that count."""
    apart = second - first
    known = np.abs(apart[np.isfinite(apart)])
    most = float(np.quantile(known[:: max(1, known.size // 10**6)], _WITHIN)) if known.size else 0.0
    return apart, most if most > 0 else 1.0


def middle(image: FloatImage, ndim: int | None = None) -> FloatImage:
    """Return the middle of a large image; of leading axes the middle one.

    Parameters
    ----------
    image
        With leading axes, perhaps.
    ndim
        How many of its axes are spatial; three of those that are longer than 1, if None.
    """
    while ndim is not None and image.ndim > ndim:
        image = image[image.shape[0] // 2]
    flat = [n for n in image.shape if n > 1]
    image = image.reshape(flat)
    while image.ndim > 3:
        image = image[image.shape[0] // 2]
    most = _LONGEST[max(2, image.ndim)]
    part: FloatImage = image[
        tuple(slice((n - min(n, most)) // 2, (n + min(n, most)) // 2) for n in image.shape)
    ]
    return part


def placed_like(layer: Layer, start: Sequence[int]) -> dict[str, Any]:
    """Return where a layer lies whose first pixel is pixel ``start`` of ``layer``."""
    turn = Affine(scale=layer.scale, rotate=layer.rotate, shear=layer.shear).linear_matrix
    return {
        "scale": layer.scale,
        "translate": np.asarray(layer.translate) + turn @ np.asarray(start, dtype=float),
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def _shape(layer: Layer) -> tuple[int, ...]:
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return tuple(int(n) for n in data.shape)


def _offset(first: Layer, layer: Layer) -> Any:
    """Return where pixel 0 of ``layer`` is, in pixels of ``first``."""
    if layer.ndim != first.ndim:
        raise InputError(
            f"{first.name!r} has {first.ndim} dimensions and {layer.name!r} {layer.ndim}.",
            hint="Choose layers with as many.",
        )
    zero = np.zeros(layer.ndim)
    origin = np.asarray(first.world_to_data(layer.data_to_world(zero)))
    shape = np.array(_shape(layer))
    for axis in range(layer.ndim):
        last = zero.copy()
        last[axis] = shape[axis]
        moved = np.asarray(first.world_to_data(layer.data_to_world(last))) - origin
        if np.abs(moved - last).max() > max(_TOLERANCE * 10, _TOLERANCE * shape[axis] / 10):
            raise _unlike(first, layer)
    if np.abs(origin - np.round(origin)).max() > 10 * _TOLERANCE:
        raise _unlike(first, layer)
    return np.round(origin)


def _unlike(first: Layer, layer: Layer) -> InputError:
    return InputError(
        f"The pixels of {layer.name!r} do not lie on those of {first.name!r}.",
        hint="Choose layers with the same voxel size and position.",
    )
