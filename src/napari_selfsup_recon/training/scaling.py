"""Data are scaled once before training and back exactly once at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

from napari_selfsup_recon.training.noise_facts import NoiseFacts


@dataclass(frozen=True)
class Scaling:
    """``scaled = (value - low) / (high - low)``: zero is no light, one is about the brightest.

    Attributes
    ----------
    low, high
        In grey values of the measurement.
    """

    low: float
    high: float

    def apply(self, y: Tensor) -> Tensor:
        """Return ``y`` scaled."""
        return (y - self.low) / (self.high - self.low)

    def apply_value(self, value: float) -> float:
        """Return one grey value scaled."""
        return (value - self.low) / (self.high - self.low)

    def invert(self, x: Tensor) -> Tensor:
        """Return grey values of a scaled image."""
        return x * (self.high - self.low) + self.low

    def as_dict(self) -> dict[str, float]:
        """Return a JSON-safe dictionary."""
        return asdict(self)


def estimate_scaling(y: Tensor, facts: NoiseFacts, *, background: float | None = None) -> Scaling:
    """Return the scaling for measurements ``(items, 1, *spatial)``.

    The zero level is ``background`` where given. Else it is where the detector clips; where it does
    not, it is where the noise of the photons would vanish, but between the smallest value and the
    0.1 % point of the image averaged over 3-wide neighbourhoods.
    """
    smooth = _smooth(y)
    low = background
    if low is None:
        low = facts.clipped_low
    if low is None:
        smallest = float(y.min())
        dark = -facts.floor / facts.slope if facts.slope > 0 else smallest
        low = min(max(dark, smallest), quantile(smooth, 0.001))
    high = quantile(smooth, 0.999)
    if high <= low:
        high = float(y.max())
    return Scaling(low, high if high > low else low + 1.0)


def quantile(values: Tensor, q: float) -> float:
    """Return a quantile of any number of values (strided down to about a million)."""
    return float(torch.quantile(sample(values.flatten()).float(), q))


def sample(flat: Tensor, most: int = 1_000_000) -> Tensor:
    """Return at most about ``most`` evenly spread values."""
    return flat[:: max(1, flat.numel() // most)]


def _smooth(y: Tensor) -> Tensor:
    if y.ndim == 4:
        return avg_pool2d(y, 3, 1, 1, count_include_pad=False)
    return avg_pool3d(y, (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)
