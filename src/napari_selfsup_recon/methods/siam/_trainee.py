"""One SIAM training."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.parabola import Parabola
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.siamese import siamese
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import draw_split, hide
from napari_selfsup_recon.methods._recon._phase import phase_of
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods.ei._noisy import NoisyTrainee
from napari_selfsup_recon.methods.siam._balance import Balance
from napari_selfsup_recon.methods.siam._mixture import LEAST, Mixture, Shares, differences
from napari_selfsup_recon.methods.siam._network import Projections, twin
from napari_selfsup_recon.methods.siam._views import drawn, is_mask, views
from napari_selfsup_recon.methods.siam.options import SIAMOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.averaging import AveragedModel
from napari_selfsup_recon.training.trainee import Work
from napari_selfsup_recon.transforms.base import Transform

_TEACHER = 0.99
# Images by which the share of orientations is found, and by which it is checked.
_TURNED = 6
# Of the values that decide the shares of the twins, where none are hidden in training.
_SPLIT = 0.125


@dataclass(frozen=True)
class Trial:
    """A held-out image that is made of some of its values and tried on others.

    Attributes
    ----------
    shown
        What the network sees.
    asked
        What it did not see, with 1 where that counts: values that were hidden and, where the noise
        is known, a copy of the shown ones that has other noise.
    """

    shown: Part
    asked: list[tuple[Part, Tensor]]


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
        for mixture, report in ((found, False), (check, True)):
            for trial in self._trials("mixture", report=report):
                parts = differences(model, trial.shown, self.projections)
                for asked, weight in trial.asked:
                    mixture.add(parts, asked, weight)
                seen = len(trial.asked) > 1
                yield
        return found.shares(seen=seen, check=check)

    @torch.no_grad()
    def turning(self, model: Reconstructor) -> Generator[None, None, float]:
        """Return the share of the mean over orientations that predicts best what is held out.

        The error is a parabola of the share. It is found on some held-out images and has to gain
        on the others, too: else it is 0.
        """
        found, check = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        for errors, report in ((found, False), (check, True)):
            for trial in islice(self._trials("turning", report=report), _TURNED):
                images = []
                for view in views(trial.shown.physics):
                    images.append(view.back(model(view.forth(trial.shown.y), view.physics)))
                    yield
                if len(images) == 1:
                    return 0.0
                mean = torch.stack(images).mean(0)
                for place, share in enumerate((0.0, 0.5, 1.0)):
                    errors[place] += self._missed_by(torch.lerp(images[0], mean, share), trial)
        share = min(1.0, Parabola(*found).lowest)
        gains = share >= LEAST and Parabola(*check).at(share) < check[0]
        return share if gains else 0.0

    def _missed_by(self, image: Tensor, trial: Trial) -> float:
        """Return the error of all values that are asked for."""
        return sum(
            float(self._misfit(image, asked, weight)) * float(weight.sum())
            for asked, weight in trial.asked
        )

    def _trials(self, name: str, *, report: bool) -> Iterator[Trial]:
        """Yield what of held-out images is shown, and what is asked for."""
        items = self.problem.report if report else self.problem.choose
        for look, item in product(range(self.looks), items):
            draw = (name, "check" if report else "found", item, look)
            generator = torch_generator(self.options.seed, *draw)
            part = self.problem.part([item])
            hidden = draw_split(part.physics, part.y, self.options.split or _SPLIT, generator)
            copies = self._copies(part, generator)
            y = part.y if copies is None else copies.given
            shown = Part(y * (1 - hidden), hide(part.physics, hidden))
            asked = [(part, hidden)]
            if copies is not None:
                seen = shown.physics.observed(part.y)
                assert seen is not None
                asked.append((replace(part, y=copies.asked), seen))
            yield Trial(shown, asked)

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
