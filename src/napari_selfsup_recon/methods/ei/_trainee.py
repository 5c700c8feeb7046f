"""One EI training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.consistency import consistency
from napari_selfsup_recon.losses.equivariance import equivariance
from napari_selfsup_recon.methods._recon._frames import Frames
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._partial import draw_split, has_views, hide, sharpened
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
    quiet = True

    def __init__(self, *args: Any, transform: Transform, passes: int = 2, **kwargs: Any) -> None:
        super().__init__(*args, passes=passes, **kwargs)
        self.transform = transform
        self.frames = Frames(self.problem.physics)

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the loss of some measurements; the score asks for hidden entries alone."""
        if not scoring and self.options.frames:
            part = replace(part, physics=self.frames.draw(part.physics, generator))
        if not self.options.split:
            x = model(part.y, part.physics)
            agreement = self._agreement(model, part, x, generator)
        else:
            hidden = draw_split(part.physics, part.y, self.options.split, generator)
            x = model(part.y * (1 - hidden), hide(part.physics, hidden))
            agreement = self._missed_by(x, part, hidden)
            if scoring:
                return agreement
            agreement = agreement + self._kept(x, part, hidden)
        return agreement + self._equivariance(model, x, part.physics, generator)

    def _agreement(
        self, model: Reconstructor, part: Part, x: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return how well an image agrees with the measurement it was made from."""
        weight = part.physics.observed(part.y)
        return self._misfit(x, part, weight)

    def _missed_by(self, x: Tensor, part: Part, hidden: Tensor) -> Tensor:
        """Return the error of what was hidden."""
        return self._misfit(x, part, hidden)

    def _kept(self, x: Tensor, part: Part, hidden: Tensor) -> Tensor:
        """Return the error of what was shown."""
        observed = part.physics.observed(part.y)
        return self._misfit(x, part, 1 - hidden if observed is None else observed - hidden)

    def _misfit(self, x: Tensor, part: Part, weight: Tensor | None) -> Tensor:
        units = self.problem.units
        expected = part.physics.A(x * units.image)
        wanted = self.options.sharpen
        sharp = wanted == "on" or (wanted == "auto" and self.quiet)
        if sharp and has_views(self.problem.whole):
            expected, y = sharpened(expected), sharpened(part.y)
        else:
            y = part.y
        return consistency(expected, y, weight=weight) / units.measured**2

    def _equivariance(
        self, model: Reconstructor, x: Tensor, physics: Physics, generator: torch.Generator
    ) -> Tensor:
        """Return the second term, with its weight."""
        if not self.options.alpha:
            return x.new_zeros(())
        shape = x.shape[2:]
        action = self.transform.draw(shape, generator)
        found = equivariance(
            x,
            action,
            lambda moved: self._measure(physics, moved, generator),
            lambda y: model(y, physics),
            weight=action.valid(shape, like=x),
            stop_gradient=self.options.stop_gradient,
        )
        return self.options.alpha * found.loss

    def _measure(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the measurement of an image that was made up."""
        return physics.A(x * self.problem.units.image)
