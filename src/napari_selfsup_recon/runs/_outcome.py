"""What one method made of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate


@dataclass(frozen=True)
class Outcome:
    """An image and how it came about.

    ``error`` is what ended the work early; the image is then the best that was reached. ``noise``
    is what the method was given, and ``chosen`` what it chose by itself, by option. ``state`` is
    what training can go on from.
    """

    index: tuple[int, ...]
    image: np.ndarray[Any, np.dtype[np.float32]]
    steps: int
    best_step: int
    reason: str
    scores: Mapping[str, float] = field(default_factory=dict)
    model: Any = None
    state: Mapping[str, Any] | None = None
    error: Exception | None = None
    noise: NoiseEstimate | None = None
    chosen: Mapping[str, float] = field(default_factory=dict)
