"""Data are scaled once before training and back exactly once at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian
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

    def apply_noise(self, noise: Noise) -> Noise:
        """Return the noise of scaled values; noise of another kind as it is."""
        span = self.high - self.low
        if isinstance(noise, PoissonGaussian):
            return PoissonGaussian(
                gain=noise.gain / span,
                sigma=noise.sigma / span,
                offset=self.apply_value(noise.offset),
            )
        return Gaussian(noise.sigma / span) if isinstance(noise, Gaussian) else noise

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


def facts_of(facts: NoiseFacts, noise: Noise | None, scaling: Scaling) -> NoiseFacts:
    """Return what was found in scaled values, but with the gain and levels of a known noise."""
    if noise is None:
        return facts
    known = scaling.apply_noise(noise)
    if isinstance(known, PoissonGaussian):
        floor = known.sigma**2 - known.gain * known.offset
        return replace(facts, floor=floor, slope=known.gain)
    if isinstance(known, Gaussian):
        sigma = known.sigma or facts.sigma
        return replace(facts, floor=sigma**2, slope=0.0, sigma=sigma)
    return facts


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
