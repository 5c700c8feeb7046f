"""Larger and smaller images of the same object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms.affine import Affine, Interpolation
from napari_selfsup_recon.transforms.base import Transform, uniform


@dataclass(frozen=True)
class Scale(Transform):
    """Magnifications about the centre of the image, the same along every axis.

    Parameters
    ----------
    low, high
        Smallest and largest factor, drawn evenly on a logarithmic scale; above 1 the object grows.
    interpolation
        ``"spline"`` or ``"linear"``. What shrinks is smoothed first, so that it does not alias.

    Raises
    ------
    InputError
        Unless 0 < low < high.
    """

    low: float = 0.75
    high: float = 1.25
    interpolation: Interpolation = "spline"

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < np.inf:
            raise InputError(
                f"Scales from {self.low:g} to {self.high:g} make no sense.",
                hint="Give two factors above 0, the smaller one first.",
            )

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Affine:
        """Return a magnification by a random factor."""
        return self.action(shape, exp(uniform(log(self.low), log(self.high), generator)))

    def action(self, shape: Sequence[int], factor: float) -> Affine:
        """Return the magnification by ``factor``."""
        return Affine(np.eye(len(shape)) / factor, interpolation=self.interpolation)
