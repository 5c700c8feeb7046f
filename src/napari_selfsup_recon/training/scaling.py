"""Data are scaled once before training and back exactly once at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

_PILE = 0.002
_NORMAL_MAD = 0.6745


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


@dataclass(frozen=True)
class NoiseFacts:
    """What the values themselves tell about their noise.

    Attributes
    ----------
    sigma
        Standard deviation of white noise, robust against structure and outliers.
    clipped_low, clipped_high
        Where the detector cut values off, None where it did not.
    coarse
        Whether the noise spans only a few grey levels, as with a handful of photons; such values
        are skewed, and only their mean can be trusted.
    """

    sigma: float
    clipped_low: float | None = None
    clipped_high: float | None = None
    coarse: bool = False


def estimate_scaling(y: Tensor, facts: NoiseFacts, *, background: float | None = None) -> Scaling:
    """Return the scaling for measurements ``(items, 1, *spatial)``.

    The zero level is ``background`` where given. Else it is where the detector clips; where it does
    not, the 0.1 % point of the image averaged over 3-wide neighbourhoods, which noise moves far
    less than the smallest value, and at most that smallest value for counted photons.
    """
    smooth = _smooth(y)
    low = background
    if low is None:
        low = facts.clipped_low
    if low is None:
        low = float(y.min()) if facts.coarse else quantile(smooth, 0.001)
    high = quantile(smooth, 0.999)
    if high <= low:
        high = float(y.max())
    return Scaling(low, high if high > low else low + 1.0)


def noise_facts(y: Tensor) -> NoiseFacts:
    """Return what ``(items, 1, *spatial)`` tells about its noise."""
    sigma = noise_level(y)
    levels = torch.unique(_sample(y.flatten()))
    gaps = levels.diff()
    coarse = bool(len(gaps)) and sigma < 1.5 * float(gaps.min())
    if coarse:
        return NoiseFacts(sigma, coarse=True)
    low, high = float(y.min()), float(y.max())
    return NoiseFacts(
        sigma,
        clipped_low=low if _piled(y, low) else None,
        clipped_high=high if _piled(y, high) else None,
    )


def noise_level(y: Tensor) -> float:
    """Return a robust standard deviation of white noise in ``(items, 1, *spatial)``.

    The median absolute second difference along the last axis, corrected for a normal law: blurred
    structure has almost none, and outliers hardly move a median. Pixels that were cut off are left
    out. Where most differences vanish (few photons), their standard deviation takes its place.
    """
    second = y[..., 2:] - 2 * y[..., 1:-1] + y[..., :-2]
    low, high = float(y.min()), float(y.max())
    inside = (y > low) & (y < high)
    whole = inside[..., 2:] & inside[..., 1:-1] & inside[..., :-2]
    kept = second[whole] if float(whole.float().mean()) > 0.05 else second.flatten()
    level = quantile(kept.abs(), 0.5) / _NORMAL_MAD / 6**0.5
    if level > 0:
        return level
    spread = float(second.std()) / 6**0.5
    return spread if spread > 0 else max(1e-6, 1e-3 * (high - low))


def quantile(values: Tensor, q: float) -> float:
    """Return a quantile of any number of values (strided down to about a million)."""
    return float(torch.quantile(_sample(values.flatten()).float(), q))


def _sample(flat: Tensor, most: int = 1_000_000) -> Tensor:
    return flat[:: max(1, flat.numel() // most)]


def _piled(y: Tensor, value: float) -> bool:
    """Whether many pixels sit exactly at ``value``."""
    flat = _sample(y.flatten())
    share = float((flat == value).float().mean())
    return _PILE < share < 0.95


def _smooth(y: Tensor) -> Tensor:
    if y.ndim == 4:
        return avg_pool2d(y, 3, 1, 1, count_include_pad=False)
    return avg_pool3d(y, (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)
