"""Slices of the spatial axes behind whatever leads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def spatial(slices: Iterable[slice]) -> Any:
    """Return the index ``(..., *slices)`` for tensors and arrays.

    Typed ``Any`` since the stubs of torch and NumPy disagree about tuples that hold an ellipsis.
    """
    return (..., *slices)
