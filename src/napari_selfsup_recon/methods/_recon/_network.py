"""The reconstructor that is learned: from a measurement to an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from napari_selfsup_recon.methods._recon._phase import Phased, amplitude, phase_of, phased
from napari_selfsup_recon.methods._recon._scaled import Scaled, scaled_equations
from napari_selfsup_recon.methods._recon._start import QUICK, THOROUGH, smooth_start
from napari_selfsup_recon.methods._recon._units import LEAST_TRUST, Units
from napari_selfsup_recon.networks.clamp import open_clamp
from napari_selfsup_recon.networks.unet import UNet, initialise
from napari_selfsup_recon.networks.unrolled import Unrolled, solve
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.training.device import autocast


class Reconstructor(nn.Module):
    """A network around the physics; its first answer is a classical one.

    Parameters
    ----------
    kind
        ``"unet"`` repairs an image, ``"unrolled"`` repairs and returns to the data in turn.
    ndim, channels
        Of the images; one channel for amplitudes whose phase is told by ``units``.
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
        system = scaled_equations(physics, y, self.units)
        turn = phase_of(self.units, physics, y)
        if turn is None:
            return self._solved(system, self._start(system, y, physics))
        system = phased(system, turn)
        return self._solved(system, self._start(system, y, physics)) * turn

    def _solved(self, system: Scaled, start: Tensor) -> Tensor:
        if isinstance(self.net, Unrolled):
            return self._unrolled(self.net, system, start)
        with autocast(start.device, self.precision):
            change = self.net(start)
        return self._limited(start + change.float())

    def _start(self, system: Scaled, y: Tensor, physics: Physics) -> Tensor:
        if self.units.variation:
            with torch.autocast(y.device.type, enabled=False):
                units, effort = self.units, THOROUGH if self.units.thorough else QUICK
                return smooth_start(
                    system,
                    units.variation,
                    positive=self.positive,
                    effort=effort,
                    between=units.between,
                )
        inverse: Tensor = physics.A_dagger(y) / self.units.image
        if isinstance(system, Phased):
            inverse = amplitude(inverse, system.turn)
        if isinstance(self.net, UNet):
            return inverse
        if self.units.trust > LEAST_TRUST:
            # What is measured badly must not be drawn towards zero.
            return self._limited(inverse)
        return torch.zeros_like(system.backward(system.values))

    def _limited(self, x: Tensor) -> Tensor:
        return open_clamp(x, 0.0) if self.positive else x

    def _unrolled(self, net: Unrolled, system: Scaled, start: Tensor) -> Tensor:
        def consistency(x: Tensor, strength: Tensor) -> Tensor:
            with torch.autocast(x.device.type, enabled=False):
                misfit = system.values - system.forward(x)
                change = solve(system.forward, system.backward, misfit, strength, self.solver_steps)
                return self._limited(x + change)

        with autocast(start.device, self.precision):
            x: Tensor = net(start, consistency)
        return x.float()
