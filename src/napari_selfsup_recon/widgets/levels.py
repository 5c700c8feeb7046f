"""Multiscale layers: their resolutions, and where the voxels of each lie."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.memory import readable_bytes


def level_count(layer: Layer) -> int:
    """Return how many resolutions the layer has."""
    return len(layer.data) if getattr(layer, "multiscale", False) else 1


def array_of(layer: Layer, level: int = 0) -> Any:
    """Return the array of one resolution, 0 is the finest.

    Raises
    ------
    InputError
        If there is no such resolution.
    """
    count = level_count(layer)
    if not 0 <= level < count:
        has = f"{count} levels" if count > 1 else "one resolution"
        raise InputError(
            f"{layer.name!r} has {has}; there is no level {level}.",
            hint=f"Choose a level from 0 to {count - 1}.",
        )
    return layer.data[level] if getattr(layer, "multiscale", False) else layer.data


def factors(layer: Layer, level: int) -> tuple[float, ...]:
    """Return how many voxels of the finest level one of ``level`` spans, along each axis.

    Where the length is no multiple, a whole number that leads to it (by cutting off or by filling
    up) is meant rather than the ratio.
    """
    pairs = zip(array_of(layer).shape, array_of(layer, level).shape, strict=True)
    return tuple(_factor(int(n), int(m)) for n, m in pairs)


def first_voxel(layer: Layer, level: int) -> np.ndarray[Any, Any]:
    """Return the centre of the first voxel of ``level`` in voxels of the finest one.

    A coarse voxel covers the fine ones it was made of, so its centre is not that of the first of
    them; napari shows levels so, and OME-Zarr places them so.
    """
    return (np.array(factors(layer, level)) - 1) / 2


def level_texts(layer: Layer) -> list[str]:
    """Return each resolution in words: its shape, and what it takes in memory."""
    if level_count(layer) == 1:
        return []
    found = []
    for array in layer.data:
        size = prod(map(int, array.shape)) * np.dtype(array.dtype).itemsize
        found.append(f"{_by(array.shape)} ({readable_bytes(size)})")
    return found


def _factor(fine: int, coarse: int) -> float:
    whole = round(fine / coarse)
    if whole and coarse in (fine // whole, ceil(fine / whole)):
        return float(whole)
    return fine / coarse


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
