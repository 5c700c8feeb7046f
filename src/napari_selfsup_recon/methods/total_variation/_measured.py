"""What is known of a measurement before its image is sought."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

# No standard deviation is below this part of the largest one.
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Measured:
    """A measurement and its noise; tensors of ``measurement_shape``.

    Attributes
    ----------
    y
        Values as recorded.
    level
        About their mean: that of the pixels around each pixel.
    wrong
        Boolean, single pixels that say nothing.
    noise
        Of the values.
    deviation
        Standard deviation of each value where that does not follow from its level; else None.
    telling
        Boolean, values whose prediction tells how good an image is; None: all do.
    """

    y: Tensor
    level: Tensor
    wrong: Tensor
    noise: NoiseEstimate
    deviation: Tensor | None = None
    telling: Tensor | None = None

    def sigma(self) -> Tensor:
        """Return the standard deviation of the noise, that of one photon at least."""
        if self.deviation is not None:
            return self.deviation.clamp_min(_LEAST * float(self.deviation.median()))
        sigma = self.noise.deviation(self.level)
        least = max(self.noise.gain, _LEAST * float(sigma.max()))
        return sigma.clamp_min_(least) if least > 0 else torch.ones_like(sigma)

    def window(self, region: Region) -> Measured:
        """Return a part of it."""
        y, level, wrong = (t[region].contiguous() for t in (self.y, self.level, self.wrong))
        return Measured(y, level, wrong, self.noise)

    def twin(self, clean: Tensor) -> Measured:
        """Return a simulated measurement of known mean ``clean``, with the same noise."""
        noise = self.noise
        y = noise.model().sample(clean.cpu(), torch_generator("twin")).to(clean.device)
        if noise.clipped_low is not None:
            y.clamp_min_(noise.clipped_low)
        if noise.clipped_high is not None:
            y.clamp_max_(noise.clipped_high)
        return Measured(y, self.level, self.wrong, noise)
