"""One EI training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.consistency import consistency
from napari_selfsup_recon.losses.equivariance import equivariance
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._problem import Part
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms.base import Transform


class EITrainee(ReconstructionTrainee):
    r"""Measurement consistency and equivariance.

    .. math:: \|A f(y) - y\|^2 + \alpha \|f(A T f(y)) - T f(y)\|^2

    with both means in units of the image.
    """

    options: EIOptions

    def __init__(self, *args: Any, transform: Transform, passes: int = 2, **kwargs: Any) -> None:
        super().__init__(*args, passes=passes, **kwargs)
        self.transform = transform

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the loss of some measurements."""
        units, physics = self.problem.units, part.physics
        x = model(part.y, physics)
        expected = physics.A(x * units.image)
        weight = physics.observed(part.y)
        agreement = consistency(expected, part.y, weight=weight) / units.measured**2
        return agreement + self.options.alpha * self._equivariance(model, x, physics, generator)

    def _equivariance(
        self, model: Reconstructor, x: Tensor, physics: Physics, generator: torch.Generator
    ) -> Tensor:
        shape = x.shape[2:]
        action = self.transform.draw(shape, generator)
        return equivariance(
            x,
            action,
            lambda moved: self._measure(physics, moved, generator),
            lambda y: model(y, physics),
            weight=action.valid(shape, like=x),
            stop_gradient=self.options.stop_gradient,
        ).loss

    def _measure(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the measurement of an image that was made up."""
        return physics.A(x * self.problem.units.image)
