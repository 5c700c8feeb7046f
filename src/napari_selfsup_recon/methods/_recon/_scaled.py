"""Measurements as equations in the units of a training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_selfsup_recon.methods._recon._partial import equations
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.physics.base import Physics


@dataclass(frozen=True)
class Scaled:
    """Weighed equations ``forward(x) = values`` of an operator of norm 1.

    Attributes
    ----------
    operator
        A linear operator.
    weigh
        What its measurements are multiplied with.
    values
        ``(batch, channel, *measurement_shape)``, of images over ``units.image``.
    """

    operator: Physics
    weigh: Tensor | float
    values: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return what is measured of images ``(batch, channel, *image_shape)``."""
        seen: Tensor = self.operator.A(x) * self.weigh
        return seen

    def backward(self, values: Tensor) -> Tensor:
        """Return the transpose of :meth:`forward`."""
        image: Tensor = self.operator.A_adjoint(values * self.weigh)
        return image


def scaled_equations(physics: Physics, y: Tensor, units: Units) -> Scaled:
    """Return what ``y`` says of images over ``units.image``."""
    system = equations(physics, y)
    root: float = units.norm**-0.5
    weigh = root if system.weight is None else system.weight.sqrt() * root
    return Scaled(system.operator, weigh, system.values * weigh / units.image)
