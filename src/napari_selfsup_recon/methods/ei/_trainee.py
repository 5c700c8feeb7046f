"""One EI training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.consistency import consistency, weighted_mean
from napari_selfsup_recon.losses.equivariance import equivariance
from napari_selfsup_recon.losses.r2r import Pair
from napari_selfsup_recon.methods._recon._frames import Frames
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import draw_split, has_views, hide, sharpened
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms.base import Transform


def _same(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class Move:
    """An object or an instrument that was moved.

    Attributes
    ----------
    physics
        The instrument.
    forth, back
        Of images ``(batch, channel, *image_shape)``.
    valid
        1 where a moved image holds what came from inside; None: everywhere.
    """

    physics: Physics
    forth: Callable[[Tensor], Tensor] = _same
    back: Callable[[Tensor], Tensor] = _same
    valid: Tensor | None = None


class EITrainee(ReconstructionTrainee):
    r"""Measurement consistency and equivariance.

    .. math:: \|A f(y) - y\|^2 + \alpha \|f(A T x) - T x\|^2 + \beta \|A T^{-1} f(A T x) - y\|^2,
              \qquad x = f(y)

    with all means in units of the image. The last term is ours: what is reconstructed from a
    made-up measurement must explain the real one. Of a scan it is the instrument that is turned and
    not the object, so that nothing is interpolated.
    """

    options: EIOptions
    quiet = True

    def __init__(
        self, *args: Any, transform: Transform, alpha: float, passes: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(*args, passes=passes, **kwargs)
        self.transform, self.alpha = transform, alpha
        self.frames = Frames(self.problem.physics)

    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the loss of some measurements; the score asks for no made-up ones."""
        if not scoring and self.options.frames:
            part = replace(part, physics=self.frames.draw(part.physics, generator))
        hidden = None
        if self.options.split:
            hidden = draw_split(part.physics, part.y, self.options.split, generator)
        x, _, agreement = self._answer(model, part, hidden, generator, scoring=scoring)
        if scoring and hidden is not None:
            return agreement
        if self.options.stop_gradient == "both":
            return agreement + self._made_up(model, part, x, hidden, generator)
        return agreement + self._equivariance(model, x, part.physics, generator)

    def _answer(
        self,
        model: Reconstructor,
        part: Part,
        hidden: Tensor | None,
        generator: torch.Generator,
        *,
        scoring: bool,
    ) -> tuple[Tensor, Part, Tensor]:
        """Return an image, what it was made from, and its disagreement with what is asked."""
        # The score asks for what is hidden alone, and lets the network see the rest as it is.
        copies = None if scoring and hidden is not None else self._copies(part, generator)
        given, asked = copies or (part.y, part.y)
        recorded = part.physics.observed(part.y)
        if hidden is None:
            shown = replace(part, y=given)
            x = model(given, part.physics)
            if copies is None:
                return x, shown, self._agreement(model, part, x, generator)
            return x, shown, self._misfit(x, replace(part, y=asked), recorded)
        shown = replace(part, y=given * (1 - hidden), physics=hide(part.physics, hidden))
        x = model(shown.y, shown.physics)
        agreement = self._misfit(x, part, hidden)
        if not scoring and (self.quiet or copies is not None):
            seen = shown.physics.observed(part.y)
            agreement = agreement + self._misfit(x, replace(part, y=asked), seen)
        return x, shown, agreement

    def _copies(self, part: Part, generator: torch.Generator) -> Pair | None:
        """Return what the network sees of all values and what it is asked for; None: the same."""
        return None

    def _made_up(
        self,
        model: Reconstructor,
        part: Part,
        x: Tensor,
        hidden: Tensor | None,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the second and third term; ``x`` was made without what is ``hidden``."""
        options = self.options
        if not self.alpha and not options.beta:
            return x.new_zeros(())
        asked = part.physics.observed(part.y)
        if self.quiet and hidden is not None:
            with torch.no_grad():  # a better image: nothing is hidden from it
                x = model(part.y, part.physics)
        elif hidden is not None:
            asked = hidden  # the image knows the noise of what was shown
        x = x.detach()
        move = self._move(part.physics, x, generator)
        moved = move.forth(x)
        again = model(self._measure(move.physics, moved, generator), move.physics)
        change = again - moved
        loss = self.alpha * weighted_mean(change.square(), move.valid)
        if options.beta:
            # As a change of x: what moved out of the image, and what interpolation lost, is kept.
            inside = change if move.valid is None else change * move.valid
            loss = loss + options.beta * self._misfit(x + move.back(inside), part, asked)
        return loss

    def _move(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Move:
        """Draw another place of the object, or of the scan where that is the same."""
        if self.options.transform in ("auto", "rotate") and self.frames.there:
            return Move(self.frames.draw(physics, generator))
        action = self.transform.draw(x.shape[2:], generator)
        return Move(physics, action, action.inverse(), action.valid(x.shape[2:], like=x))

    def _agreement(
        self, model: Reconstructor, part: Part, x: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return how well an image agrees with the whole measurement that it was made from."""
        return self._misfit(x, part, part.physics.observed(part.y))

    def _misfit(self, x: Tensor, part: Part, weight: Tensor | None) -> Tensor:
        """Return the mean squared error of what ``x`` predicts, in units of the image."""
        units = self.problem.units
        y, expected = part.y, part.physics.A(x * units.image)
        wanted = self.options.sharpen
        sharp = wanted == "on" or (wanted == "auto" and self.quiet)
        if sharp and has_views(self.problem.whole):
            y, expected = sharpened(y), sharpened(expected)
        return consistency(expected, y, weight=weight) / units.measured**2

    def _equivariance(
        self, model: Reconstructor, x: Tensor, physics: Physics, generator: torch.Generator
    ) -> Tensor:
        """Return the second term, with its weight, through which gradients pass."""
        if not self.alpha:
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
        return self.alpha * found.loss

    def _measure(self, physics: Physics, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the measurement of an image that was made up."""
        return physics.A(x * self.problem.units.image)
