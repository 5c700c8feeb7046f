"""Gain, offset, read noise and wrong pixels of a camera, from one image or stack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian
from napari_selfsup_recon.physics.noise_facts import noise_facts


@dataclass(frozen=True)
class NoiseEstimate:
    r"""What a measurement tells about its noise: variance :math:`g (\mu - o) + s^2`.

    Attributes
    ----------
    gain
        g, grey values a photon; 0.0 where no photon noise is seen.
    offset
        o, grey value without light: the darkest level there is.
    sigma
        s, standard deviation of the noise at the offset, grey values.
    outliers
        Share of wrong pixels, 0 to 1; 0 where no PSF is given.
    clipped_low, clipped_high
        Where the detector cut values off, None where it did not.
    coarse
        Whether the noise spans only a few grey levels, as with a handful of photons.
    remarks
        What the user should know, in words.
    """

    gain: float
    offset: float
    sigma: float
    outliers: float = 0.0
    clipped_low: float | None = None
    clipped_high: float | None = None
    coarse: bool = False
    remarks: tuple[str, ...] = ()

    def model(self) -> Noise:
        """Return the noise as a value that can be drawn from."""
        if self.gain > 0:
            return PoissonGaussian(gain=self.gain, sigma=self.sigma, offset=self.offset)
        return Gaussian(self.sigma)

    def deviation(self, level: Tensor) -> Tensor:
        """Return the standard deviation where the clean grey value is ``level``."""
        return (self.gain * (level - self.offset).clamp_min(0) + self.sigma**2).sqrt()

    def known(self, noise: Noise) -> NoiseEstimate:
        """Return these facts with gain, offset and read noise of a given ``noise``."""
        if isinstance(noise, PoissonGaussian):
            return replace(self, gain=noise.gain, offset=noise.offset, sigma=noise.sigma)
        if isinstance(noise, Gaussian):
            return replace(self, gain=0.0, sigma=noise.sigma)
        return self


def estimate_noise(y: Any, *, psf: np.ndarray[Any, Any] | None = None) -> NoiseEstimate:
    """Estimate the noise of one measurement.

    Parameters
    ----------
    y
        Array ``(z,) y, x`` or tensor ``(items, 1, *spatial)``; not changed.
    psf
        Of the blur, if there is one: it tells points from wrong pixels.

    Raises
    ------
    InputError
        If ``y`` is empty, has no rows and columns, or is not finite.
    """
    items = as_items(y)
    facts = noise_facts(items)
    offset = float(items.min())
    variance = max(facts.floor + facts.slope * offset, (0.1 * facts.sigma) ** 2)
    return NoiseEstimate(
        gain=facts.slope,
        offset=offset,
        sigma=variance**0.5,
        clipped_low=facts.clipped_low,
        clipped_high=facts.clipped_high,
        coarse=facts.coarse,
    )


def as_items(y: Any) -> Tensor:
    """Return ``(z,) y, x`` or ``(items, 1, *spatial)`` as a float32 tensor of the latter form.

    Raises
    ------
    InputError
        If it is empty, has no rows and columns, or is not finite.
    """
    if isinstance(y, Tensor):
        items = y.detach().to(torch.float32)
        items = items[None, None] if items.ndim < 4 else items
    else:
        items = torch.from_numpy(np.array(y, dtype=np.float32))[None, None]
    if items.ndim not in (4, 5) or not items.numel():
        raise InputError(
            f"A measurement of shape {tuple(np.shape(y))} has no noise to look at.",
            hint="Give an image (y, x) or a volume (z, y, x).",
        )
    if not bool(torch.isfinite(items).all()):
        raise InputError(
            "The measurement holds NaN or infinite values.",
            hint="Replace them (numpy.nan_to_num or the median) first.",
        )
    return items
