"""Flips and transpositions under which an image may be turned while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Orientation:
    """Exchange of the last two axes (first), then flips of spatial axes."""

    transpose: bool
    flips: tuple[bool, ...]

    def apply(self, x: Tensor) -> Tensor:
        """Turn ``(..., *spatial)``."""
        if self.transpose:
            x = x.transpose(-1, -2)
        axes = self._axes()
        return x.flip(axes) if axes else x

    def undo(self, x: Tensor) -> Tensor:
        """Turn back."""
        axes = self._axes()
        if axes:
            x = x.flip(axes)
        return x.transpose(-1, -2) if self.transpose else x

    def _axes(self) -> list[int]:
        n = len(self.flips)
        return [axis - n for axis, flip in enumerate(self.flips) if flip]


def orientations(ndim: int, *, square: bool = True) -> list[Orientation]:
    """Return all flips, with and without exchange of y and x (only if ``square``)."""
    return [
        Orientation(transpose, flips)
        for transpose in ((False, True) if square else (False,))
        for flips in product((False, True), repeat=ndim)
    ]


def symmetries(
    psf: np.ndarray[Any, Any] | None,
    ndim: int,
    *,
    scale: Sequence[float] | None = None,
    tolerance: float = 0.05,
) -> list[Orientation]:
    """Return the orientations that leave the PSF as it is, up to a relative L2 ``tolerance``.

    The network may only be shown the image in orientations in which the instrument looks the same;
    otherwise it could not know which blur to undo.
    """
    square = scale is None or abs(scale[-1] - scale[-2]) <= 0.01 * scale[-1]
    candidates = orientations(ndim, square=square)
    if psf is None:
        return candidates
    centred = _centred(psf)
    norm = float(np.linalg.norm(centred))
    return [
        turn
        for turn in candidates
        if float(np.linalg.norm(_turned(centred, turn) - centred)) <= tolerance * norm
    ]


def _centred(psf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Embed the PSF so that its centre is the middle of an odd, equal-sided (y, x) array."""
    halves = [max(n // 2, n - 1 - n // 2) for n in psf.shape]
    halves[-1] = halves[-2] = max(halves[-1], halves[-2])
    out = np.zeros([2 * h + 1 for h in halves])
    out[
        tuple(slice(h - n // 2, h - n // 2 + n) for h, n in zip(halves, psf.shape, strict=True))
    ] = psf
    return out


def _turned(array: np.ndarray[Any, Any], turn: Orientation) -> np.ndarray[Any, Any]:
    if turn.transpose:
        array = array.swapaxes(-1, -2)
    axes = [axis for axis, flip in enumerate(turn.flips) if flip]
    return np.flip(array, tuple(axes)) if axes else array
