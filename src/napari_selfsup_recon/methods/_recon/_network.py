"""The reconstructor that is learned: from a measurement to an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from napari_selfsup_recon.methods._recon._partial import equations
from napari_selfsup_recon.networks.clamp import open_clamp
from napari_selfsup_recon.networks.unet import UNet, initialise
from napari_selfsup_recon.networks.unrolled import Unrolled, solve
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.training.device import autocast

#: Where there is next to no noise.
LEAST_TRUST = 0.01


@dataclass(frozen=True)
class Units:
    """What counts as one, so that nothing depends on the units of the data.

    Attributes
    ----------
    image
        Value of the image: networks see and answer images over it.
    measured
        Change of the measurement that a change by one of the image makes, root mean square.
    norm
        Square of the largest singular value of the (linear) operator.
    trust
        How much a guess of the image counts against the measurement, before learning.
    """

    image: float
    measured: float
    norm: float
    trust: float = LEAST_TRUST


class Reconstructor(nn.Module):
    """A network around the physics; its first answer is the classical inverse.

    Parameters
    ----------
    kind
        ``"unet"`` repairs ``A_dagger(y)``, ``"unrolled"`` repairs and returns to the data in turn.
    ndim, channels
        Of the images.
    widths, pooling
        Of the U-Nets.
    iterations, solver_steps
        Of the unrolled network.
    units
        Of the data.
    positive
        Whether images are never negative.
    precision
        Of the convolutions.
    generator
        Draws the first weights.
    """

    def __init__(
        self,
        kind: Literal["unrolled", "unet"],
        ndim: int,
        channels: int,
        *,
        widths: Sequence[int],
        pooling: Sequence[Sequence[int]],
        iterations: int,
        solver_steps: int,
        units: Units,
        positive: bool,
        precision: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.units = units
        self.positive = positive
        self.solver_steps = solver_steps
        self.precision = precision
        self.net: UNet | Unrolled
        if kind == "unet":
            self.net = UNet(ndim, channels, channels, widths=widths, pooling=pooling)
            initialise(self.net, generator)
            nn.init.zeros_(self.net.head.weight)
        else:
            self.net = Unrolled(
                ndim,
                channels,
                iterations=iterations,
                widths=widths,
                pooling=pooling,
                first_weight=units.trust,
            )
            self.net.initialise(generator)

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        """Return images over ``units.image``, ``(batch, channel, *image_shape)``.

        Parameters
        ----------
        y
            Measurements as recorded, ``(batch, channel, *measurement_shape)``.
        physics
            What made them.
        """
        if isinstance(self.net, UNet):
            guess = physics.A_dagger(y) / self.units.image
            with autocast(y.device, self.precision):
                change = self.net(guess)
            x = guess + change.float()
        else:
            x = self._unrolled(self.net, y, physics)
        return self._limited(x)

    def _limited(self, x: Tensor) -> Tensor:
        return open_clamp(x, 0.0) if self.positive else x

    def _unrolled(self, net: Unrolled, y: Tensor, physics: Physics) -> Tensor:
        system = equations(physics, y)
        operator = system.operator
        root = self.units.norm**-0.5
        weigh = root if system.weight is None else system.weight.sqrt() * root
        values = system.values * weigh / self.units.image

        def forward(x: Tensor) -> Tensor:
            seen: Tensor = operator.A(x) * weigh
            return seen

        def backward(residual: Tensor) -> Tensor:
            return operator.A_adjoint(residual * weigh)

        def consistency(x: Tensor, strength: Tensor) -> Tensor:
            with torch.autocast(y.device.type, enabled=False):
                misfit = values - forward(x)
                return self._limited(
                    x + solve(forward, backward, misfit, strength, self.solver_steps)
                )

        if self.units.trust > LEAST_TRUST:
            # What is measured badly must not be drawn towards zero.
            start = self._limited(physics.A_dagger(y) / self.units.image)
        else:
            start = torch.zeros_like(backward(values))
        with autocast(y.device, self.precision):
            x: Tensor = net(start, consistency)
        return x.float()
