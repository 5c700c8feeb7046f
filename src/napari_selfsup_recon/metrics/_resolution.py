"""From a curve of correlation over frequency to a resolution: thresholds and their crossing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import Image

Threshold = Literal["1/7", "half-bit"] | float
Limit = Literal["crossing", "sampling", "noise"]
_FEWEST = 4  # samples of a ring that may decide


@dataclass(frozen=True, eq=False)
class FourierCorrelation:
    """How far two images agree, frequency by frequency, and the finest detail in which they do."""

    frequency: Image
    """Mean frequency of each ring or shell, in cycles a ``unit``."""
    correlation: Image
    """-1 to 1; 1 where both images say the same."""
    counts: Image
    """Independent Fourier samples of each ring; mirrored ones and what a window ties together
    count once."""
    threshold: Image
    """What the correlation is compared with."""
    resolution: float | None
    """One over the frequency where the curve falls below the threshold, in ``unit``; None where it
    does not cross."""
    limit: Limit
    """What ends the agreement: the threshold was crossed; the ``"sampling"``, since all
    frequencies agree; or the ``"noise"``, since none does."""
    unit: str
    """Unit of length."""
    criterion: str
    """Name of the threshold."""

    def __str__(self) -> str:
        if self.resolution is not None:
            return f"{self.resolution:.3g} {self.unit} (threshold {self.criterion})"
        finest = 1 / float(self.frequency[-1])
        if self.limit == "sampling":
            return f"at least as fine as {finest:.3g} {self.unit}, which is all that is sampled"
        return "none: not even coarse detail agrees"


def threshold_curve(threshold: Threshold, counts: Image) -> tuple[Image, str]:
    """Return the threshold of each ring and its name.

    The half-bit curve is that of van Heel and Schatz 2005 (J. Struct. Biol. 151, 250)::

        T = (0.2071 + 1.9102 / sqrt(n)) / (1.2071 + 0.9102 / sqrt(n))

    Raises
    ------
    InputError
        If there is no such threshold.
    """
    if threshold == "half-bit":
        noise = 1 / np.sqrt(np.maximum(counts, 1e-9))
        return (0.2071 + 1.9102 * noise) / (1.2071 + 0.9102 * noise), "half-bit"
    if threshold == "1/7":
        return np.full_like(counts, 1 / 7), "1/7"
    if isinstance(threshold, (int, float)) and 0 < threshold < 1:
        return np.full_like(counts, float(threshold)), f"{threshold:g}"
    raise InputError(
        f"There is no threshold {threshold!r}.",
        hint="Choose '1/7', 'half-bit', or a number between 0 and 1.",
    )


def crossing(
    frequency: Image, correlation: Image, counts: Image, threshold: Image
) -> tuple[float | None, Limit]:
    """Return the frequency where the curve falls below the threshold for good, and what ended it.

    Between two rings the difference is taken as linear. Rings of fewer than four samples decide
    nothing, and a single ring below the threshold is passed over where the next one is above again.
    What lies inside the crossing must agree beyond three standard deviations of what independent
    noise would: sums over n samples vary by ``sqrt(n / 2)``.
    """
    start = int(np.argmax(counts >= _FEWEST)) if (counts >= _FEWEST).any() else 0
    above = (correlation - threshold)[start:]
    below = above < 0
    found = np.flatnonzero(below & np.append(below[1:], True))
    end = start + int(found[0]) if found.size else len(correlation)
    agreed = float((counts * correlation)[:end].sum())
    if agreed <= 3 * math.sqrt(float(counts[:end].sum()) / 2):
        return None, "noise"
    if found.size == 0:
        return None, "sampling"
    if end == start:
        return None, "noise"
    high, low = float(above[end - start - 1]), float(above[end - start])
    step = float(frequency[end] - frequency[end - 1])
    return float(frequency[end - 1]) + step * high / (high - low), "crossing"


def conclude(
    frequency: Image,
    correlation: Image,
    counts: Image,
    *,
    threshold: Threshold,
    unit: str,
) -> FourierCorrelation:
    """Return the curve with its resolution."""
    level, name = threshold_curve(threshold, counts)
    at, limit = crossing(frequency, correlation, counts, level)
    for array in (frequency, correlation, counts, level):
        array.setflags(write=False)
    return FourierCorrelation(
        frequency=frequency,
        correlation=correlation,
        counts=counts,
        threshold=level,
        resolution=None if at is None else 1 / at,
        limit=limit,
        unit=unit,
        criterion=name,
    )
