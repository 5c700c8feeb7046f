"""Sizes: crops and transform lengths."""

from __future__ import annotations

from collections.abc import Sequence

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region


def crop_shape(region: Region, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the crop ``region`` of an array of ``shape``.

    Raises
    ------
    InputError
        If the region has another number of axes, a step other than 1, or is empty.
    """
    bounds = [s.indices(n) for s, n in zip(region, shape, strict=False)]
    if len(region) != len(shape) or any(step != 1 or stop <= start for start, stop, step in bounds):
        raise InputError(
            f"The region {tuple(region)} is no crop of an array of shape {tuple(shape)}.",
            hint="Give one non-empty slice with step 1 for each spatial axis.",
        )
    return tuple(stop - start for start, stop, _ in bounds)


def fast_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the smallest shape, at least ``shape``, at which real transforms are fast."""
    *outer, last = (int(n) for n in shape)
    return (*(_fast_length(n, 1) for n in outer), _fast_length(last, 2))


def _fast_length(n: int, multiple: int) -> int:
    # Lengths without prime factors above 7; along the last axis odd ones cost about three times.
    length = n if n == 1 else -(-n // multiple) * multiple
    while not _is_smooth(length):
        length += multiple
    return length


def _is_smooth(n: int) -> bool:
    for prime in (2, 3, 5, 7):
        while n % prime == 0:
            n //= prime
    return n == 1
