"""Noise is separate from the operator: it draws samples, gives the variance and is a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError


class Noise(ABC):
    """How a clean measurement becomes the recorded one."""

    @abstractmethod
    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return a noisy copy of ``clean`` drawn with ``generator`` (on the same device)."""

    @abstractmethod
    def variance(self, clean: Tensor) -> Tensor:
        """Return the variance of the recorded values, voxel by voxel."""


@dataclass(frozen=True)
class PoissonGaussian(Noise):
    r"""Photon noise and read noise of a camera.

    .. math:: y = g \, P + o + s \, n, \qquad P \sim \text{Poisson}((x - o) / g), \; n \sim N(0, 1)

    so that the mean is x and the variance :math:`g (x - o) + s^2`.

    Parameters
    ----------
    gain
        Grey values per photon, > 0.
    sigma
        Standard deviation of the read noise in grey values, >= 0.
    offset
        Grey value that the camera gives without light.
    """

    gain: float = 1.0
    sigma: float = 0.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.gain < inf:
            raise InputError(f"The gain is {self.gain}.", hint="Give grey values per photon, > 0.")
        if not 0 <= self.sigma < inf:
            raise InputError(f"The read noise is {self.sigma}.", hint="Give a value of 0 or more.")
        if not isfinite(self.offset):
            raise InputError(f"The offset is {self.offset}.", hint="Give a grey value.")

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return a noisy copy of ``clean``; values below the offset count as no light."""
        photons = ((clean - self.offset) / self.gain).clamp_min(0)
        noisy = torch.poisson(photons, generator=generator) * self.gain + self.offset
        return noisy + self.sigma * _normal(clean, generator) if self.sigma else noisy

    def variance(self, clean: Tensor) -> Tensor:
        """Return ``gain * (clean - offset) + sigma**2``."""
        return self.gain * (clean - self.offset).clamp_min(0) + self.sigma**2


def Poisson(gain: float = 1.0, offset: float = 0.0) -> PoissonGaussian:
    """Return photon noise without read noise; see :class:`PoissonGaussian`."""
    return PoissonGaussian(gain=gain, sigma=0.0, offset=offset)


@dataclass(frozen=True)
class Gaussian(Noise):
    """White Gaussian noise of standard deviation ``sigma`` (grey values, >= 0)."""

    sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma < inf:
            raise InputError(f"The noise level is {self.sigma}.", hint="Give a value of 0 or more.")

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return ``clean + sigma * n``."""
        return clean + self.sigma * _normal(clean, generator)

    def variance(self, clean: Tensor) -> Tensor:
        """Return ``sigma**2`` everywhere."""
        return torch.full_like(clean, self.sigma**2)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)
