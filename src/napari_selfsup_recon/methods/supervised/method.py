"""Supervised learning with the same network: what self-supervision is measured against."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods._recon._held_out import fewest_slices
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.supervised.options import SupervisedOptions


class SupervisedTrainee(ReconstructionTrainee):
    r"""The error against clean images, :math:`\|f(y) - x\|^2`."""

    looks = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, passes=1, **kwargs)

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the mean squared error in units of the image."""
        assert part.clean is not None
        x: Tensor = model(part.y, part.physics)
        return (x - part.clean).square().mean()


class Supervised(ReconstructionMethod):
    """Learn from measurements and their clean images: the oracle of the benchmarks.

    Parameters
    ----------
    physics
        What the instrument did.
    options
        See :class:`SupervisedOptions`.
    noise
        Not used.
    """

    key: ClassVar[str] = "supervised"
    options_type: ClassVar[type[Options]] = SupervisedOptions
    options: SupervisedOptions

    def _prepare(self, y: Any, clean: Any) -> Problem:
        if clean is None:
            raise InputError(
                "Supervised learning needs the clean image of every measurement.",
                hint="Give train(y, clean=images), or use EI.",
            )
        problem = super()._prepare(y, clean)
        if problem.asked is not None:
            raise InputError(
                f"Supervised learning needs at least {fewest_slices(self.options.slab)} pairs.",
                hint="Give more slices.",
            )
        return problem

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        return SupervisedTrainee(problem, self.options, build=self._build)
