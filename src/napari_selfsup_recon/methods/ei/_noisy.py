"""What REI and SIAM do where the noise of the measurement is known."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.r2r import Pair, recorrupted
from napari_selfsup_recon.losses.renoise import Gradient, renoise
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods.ei._trainee import EITrainee
from napari_selfsup_recon.methods.ei.options import NoisyOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise


class NoisyTrainee(EITrainee):
    """Ask for a copy of the measurement with other noise than the network saw.

    Parameters
    ----------
    noise
        Of the measurement; None where it is not known.
    """

    options: NoisyOptions
    photons: Gradient = "straight"

    def __init__(self, *args: Any, noise: Noise | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.noise = noise
        # Noise of what the network saw must not be asked for.
        self.quiet = noise is None

    def on_device(self, generator: torch.Generator) -> torch.Generator:
        """Return a generator on the device of the data, seeded by ``generator``."""
        device = self.problem.y.device
        if device.type == "cpu":
            return generator
        seed = int(torch.randint(2**62, (), generator=generator))
        return torch.Generator(device=device).manual_seed(seed)

    def _copies(self, part: Part, generator: torch.Generator) -> Pair | None:
        if self.noise is None or not self.options.recorrupt:
            return None
        return recorrupted(
            part.y,
            self.noise,
            self.on_device(generator),
            alpha=self.options.recorrupt,
            weight=part.physics.observed(part.y),
        )

    def _measure(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Tensor:
        clean = super()._measure(physics, x, generator)
        if self.noise is None:
            return clean
        noisy = renoise(clean, self.noise, self.on_device(generator), gradient=self.photons)
        observed = physics.observed(clean)
        return noisy if observed is None else noisy * observed
