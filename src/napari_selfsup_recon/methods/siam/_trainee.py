"""One SIAM training."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.siamese import siamese
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import draw_split, hide
from napari_selfsup_recon.methods._recon._phase import phase_of
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods.ei._noisy import NoisyTrainee
from napari_selfsup_recon.methods.siam._balance import Balance
from napari_selfsup_recon.methods.siam._mixture import Mixture, Shares, differences
from napari_selfsup_recon.methods.siam._network import Projections, twin
from napari_selfsup_recon.methods.siam._views import drawn, is_mask, views
from napari_selfsup_recon.methods.siam.options import SIAMOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.averaging import AveragedModel
from napari_selfsup_recon.training.trainee import Work
from napari_selfsup_recon.transforms.base import Transform

_TEACHER = 0.99
# Of the values that decide the shares of the twins, where none are hidden in training.
_SPLIT = 0.125


class SIAMTrainee(NoisyTrainee):
    r"""Agreement with the measurement, and of two twins in what it misses.

    .. math:: \|A z - y\|^2 + \nu \|P_N (w - z)\|^2 + \mu \|w - z\|^2, \qquad
              z = f(y), \quad w = f_N(P_N z)

    with all means in units of the image; the first term is asked of hidden values, and of a copy of
    the measurement with other noise where the noise is known.

    Parameters
    ----------
    problem, options, build
        As for the other methods.
    transform, alpha
        For the term of EI, and its weight.
    noise
        Of the measurement, None where it is not known.
    projections
        Make the projections of instruments.
    """

    options: SIAMOptions

    def __init__(
        self,
        problem: Problem,
        options: SIAMOptions,
        *,
        build: Callable[[int], nn.Module],
        transform: Transform,
        alpha: float,
        noise: Noise | None,
        projections: Projections,
    ) -> None:
        passes = 1 + self._siamese(options) + bool(alpha)
        self.projections = projections
        super().__init__(
            problem,
            options,
            build=build,
            transform=transform,
            alpha=alpha,
            passes=passes,
            noise=noise,
        )

    def begin(self, attempt: int) -> None:
        """Make a fresh network and, if it is to have one, its teacher."""
        super().begin(attempt)
        self._balance = Balance(self.options.most)
        self._index = 0
        self._teacher = (
            AveragedModel(self.model, _TEACHER) if self.options.gradient == "teacher" else None
        )

    def step(self, index: int) -> Work:
        """Move the weights, and the teacher after them."""
        self._index = index
        total = yield from super().step(index)
        if self._teacher is not None:
            self._teacher.update(self.model, index)
        return total

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the loss of some measurements; the score asks for no twin."""
        options = self.options
        if not scoring and options.frames:
            part = replace(part, physics=self.frames.draw(part.physics, generator))
        if not scoring and options.orientations and is_mask(part.physics):
            part = drawn(part, generator)
        hidden = None
        if options.split:
            hidden = draw_split(part.physics, part.y, options.split, generator)
        z, shown, agreement = self._answer(model, part, hidden, generator, scoring=scoring)
        if scoring:
            return agreement
        total = agreement
        if self._siamese(options) and self._index >= options.begin * options.steps:
            twins = self._twins(model, z, shown, part.physics, generator)
            total = total + self._balance.weight(model, agreement, twins) * twins
        if not self.alpha:
            return total
        if options.stop_gradient == "both":
            return total + self._made_up(model, part, z, hidden, generator)
        return total + self._equivariance(model, z, part.physics, generator)

    @torch.no_grad()
    def mixture(self, model: Reconstructor) -> Generator[None, None, Shares]:
        """Return the shares of the second twin in the result, by what is held out."""
        found, check = Mixture(self.problem.units), Mixture(self.problem.units)
        seen = False
        for mixture, items in ((found, self.problem.choose), (check, self.problem.report)):
            for item in items:
                for look in range(self.looks):
                    draw = ("mixture", "found" if mixture is found else "check", item, look)
                    seen = self._ask(
                        mixture, model, item, torch_generator(self.options.seed, *draw)
                    )
                    yield
        return found.shares(seen=seen, check=check)

    @torch.no_grad()
    def turning(self, model: Reconstructor) -> Generator[None, None, bool]:
        """Return whether the mean over orientations tells hidden values better than one does."""
        one = mean = 0.0
        for item in (*self.problem.choose, *self.problem.report):
            part = self.problem.part([item])
            generator = torch_generator(self.options.seed, "turning", item)
            hidden = draw_split(part.physics, part.y, self.options.split or _SPLIT, generator)
            seen = views(hide(part.physics, hidden))
            if len(seen) == 1:
                return False
            total = first = torch.zeros(())
            for number, view in enumerate(seen):
                y = view.forth(part.y * (1 - hidden))
                image = view.back(model(y, view.physics))
                first = image if number == 0 else first
                total = total + image
                yield
            one += float(self._misfit(first, part, hidden))
            mean += float(self._misfit(total / len(seen), part, hidden))
        return mean < one

    def _ask(
        self, mixture: Mixture, model: Reconstructor, item: int, generator: torch.Generator
    ) -> bool:
        """Ask the twins for an image; returns whether also for what they were shown."""
        part = self.problem.part([item])
        hidden = draw_split(part.physics, part.y, self.options.split or _SPLIT, generator)
        copies = self._copies(part, generator)
        y = part.y if copies is None else copies.given
        shown = Part(y * (1 - hidden), hide(part.physics, hidden))
        parts = differences(model, shown, self.projections)
        mixture.add(parts, part, hidden)
        if copies is None:
            return False
        mixture.add(parts, replace(part, y=copies.asked), shown.physics.observed(part.y))
        return True

    def _twins(
        self,
        model: Reconstructor,
        z: Tensor,
        shown: Part,
        physics: Physics,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the terms of the twins, with their weights."""
        options = self.options
        target = self._target(z, shown)
        projection = self.projections.of(physics)
        turn = phase_of(model.units, shown.physics, shown.y)
        found = siamese(
            z.detach() if options.gradient == "stop" else z,
            lambda v: twin(model, v, projection, turn),
            projection.null,
            self.on_device(generator),
            sigma=options.draw,
            target=target,
        )
        return options.null * found.null + options.mutual * found.mutual

    def _target(self, z: Tensor, shown: Part) -> Tensor | None:
        """Return what stands for z where it is compared with."""
        if self.options.gradient == "both":
            return None
        if self._teacher is None:
            return z.detach()
        with torch.no_grad():
            return cast(Tensor, self._teacher.module(shown.y, shown.physics))

    def state(self) -> dict[str, Any]:
        """Return the state, with those of the balance and the teacher."""
        state = super().state()
        state["balance"] = self._balance.state()
        if self._teacher is not None:
            state["teacher"] = self._teacher.weights()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        super().load_state(state)
        self._balance.load_state(state["balance"])
        if self._teacher is not None:
            self._teacher.load(state["teacher"])

    @staticmethod
    def _siamese(options: SIAMOptions) -> bool:
        return bool(options.null or options.mutual)
