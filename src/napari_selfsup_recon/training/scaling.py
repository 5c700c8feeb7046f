"""Data are scaled once before training and back exactly once at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

_AT_FLOOR = 0.005


@dataclass(frozen=True)
class Scaling:
    """``scaled = (value - low) / (high - low)``: zero is no light, one is about the brightest.

    Attributes
    ----------
    low, high
        In grey values of the measurement.
    clips
        Whether the detector cut values off at ``low`` (a good share of voxels sit exactly there).
    """

    low: float
    high: float
    clips: bool = False

    def apply(self, y: Tensor) -> Tensor:
        """Return ``y`` scaled."""
        return (y - self.low) / (self.high - self.low)

    def invert(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Return grey values of a scaled image; ``gain`` is what the physics makes of one."""
        return x * (self.high - self.low) + self.low / gain

    def as_dict(self) -> dict[str, float | bool]:
        """Return a JSON-safe dictionary."""
        return asdict(self)


def estimate_scaling(y: Tensor, *, background: float | None = None) -> Scaling:
    """Return the scaling for measurements ``(items, 1, *spatial)``.

    The zero level is ``background`` where given. Else it is the smallest value if many voxels sit
    exactly there (the detector clips), and otherwise the 0.1 % point of the image averaged over
    3-wide neighbourhoods, which noise moves far less than the smallest value.
    """
    lowest = float(y.min())
    clips = float((y == lowest).float().mean()) > _AT_FLOOR
    smooth = _smooth(y)
    low = background
    if low is None:
        low = lowest if clips else quantile(smooth, 0.001)
    high = quantile(smooth, 0.999)
    if high <= low:
        high = float(y.max())
    return Scaling(low, high if high > low else low + 1.0, clips)


def quantile(values: Tensor, q: float) -> float:
    """Return a quantile of any number of values (strided down to about a million)."""
    flat = values.flatten()
    flat = flat[:: max(1, flat.numel() // 1_000_000)]
    return float(torch.quantile(flat.float(), q))


def noise_level(y: Tensor) -> float:
    """Return a robust standard deviation of white noise in ``(items, 1, *spatial)``.

    The median absolute second difference along the last axis, corrected for a normal law: blurred
    structure has almost none, and outliers hardly move a median.
    """
    second = y[..., 2:] - 2 * y[..., 1:-1] + y[..., :-2]
    return quantile(second.abs(), 0.5) / 0.6745 / 6**0.5


def _smooth(y: Tensor) -> Tensor:
    if y.ndim == 4:
        return avg_pool2d(y, 3, 1, 1, count_include_pad=False)
    return avg_pool3d(y, (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)
