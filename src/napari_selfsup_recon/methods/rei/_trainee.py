"""One REI training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.renoise import renoise
from napari_selfsup_recon.losses.sure import sure
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._problem import Part
from napari_selfsup_recon.methods.ei._trainee import EITrainee
from napari_selfsup_recon.methods.rei.options import REIOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise


class REITrainee(EITrainee):
    r"""Stein's unbiased risk estimate and equivariance under noise.

    .. math:: \text{SURE}(A f, y) + \alpha \|f(\text{noise}(A T f(y))) - T f(y)\|^2

    with both means in units of the image.
    """

    options: REIOptions
    quiet = False

    def __init__(self, *args: Any, noise: Noise, **kwargs: Any) -> None:
        super().__init__(*args, passes=3, **kwargs)
        self.noise = noise

    def _agreement(
        self,
        model: Reconstructor,
        shown: Part,
        x: Tensor,
        physics: Physics,
        generator: torch.Generator,
    ) -> Tensor:
        """Return Stein's estimate of the error against the clean values of what was shown."""
        units = self.problem.units

        def predict(y: Tensor) -> Tensor:
            clean: Tensor = physics.A(model(y, shown.physics) * units.image)
            return clean

        risk = sure(
            shown.y,
            predict,
            self.noise,
            self.on_device(generator),
            weight=shown.physics.observed(shown.y),
            prediction=physics.A(x * units.image),
        )
        return risk / units.measured**2

    def on_device(self, generator: torch.Generator) -> torch.Generator:
        """Return a generator on the device of the data, seeded by ``generator``."""
        device = self.problem.y.device
        if device.type == "cpu":
            return generator
        seed = int(torch.randint(2**62, (), generator=generator))
        return torch.Generator(device=device).manual_seed(seed)

    def _measure(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Tensor:
        clean = super()._measure(physics, x, generator)
        noisy = renoise(
            clean, self.noise, self.on_device(generator), gradient=self.options.gradient
        )
        observed = physics.observed(clean)
        return noisy if observed is None else noisy * observed
