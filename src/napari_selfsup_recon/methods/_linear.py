"""Any measurement as weighed linear equations, photon counts behind an object included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise, Poisson

# Detector cells on either side that tell the mean number of counts.
_REACH = 2
# Counts below this part of those without an object are none; where so many standard deviations lie
# between them and their neighbours the cell is dead.
_DARKEST = 1e-4
_DEAD = 6.0
# More than half of the cells cannot be so much brighter than without an object.
_BRIGHTEST = 1.2
# No line integral has more than so many times the typical standard deviation.
_LARGEST = 1e3


@dataclass(frozen=True, eq=False)
class Equations:
    """The equations ``physics.A(x) = values``, tensors ``(1, channel, *measurement_shape)``.

    Attributes
    ----------
    physics
        A linear operator.
    values
        What was measured, in its units.
    sigma
        Standard deviation of each value; None where all are alike.
    recorded
        1 where there is a value and 0 where there is none; None where all are recorded.
    """

    physics: Physics
    values: Tensor
    sigma: Tensor | None = None
    recorded: Tensor | None = None

    def weights(self) -> Tensor:
        """Return how much each value counts in a sum of squares: at most 1, 0 if unrecorded."""
        weights = torch.ones_like(self.values)
        if self.sigma is not None:
            weights = (self.sigma.min() / self.sigma).square()
        return weights if self.recorded is None else weights * self.recorded


def is_transmission(physics: Physics) -> bool:
    """Return whether the measurement is photon counts over a projector."""
    return not physics.linear and hasattr(physics, "projector")


def equations(physics: Physics, y: Tensor, noise: Noise | None = None) -> Equations:
    r"""Return what a measurement says of the image.

    Counts :math:`c` become line integrals :math:`\log(I_0 / c)` over the attenuation, with the
    variance :math:`v(\bar c) / \bar c^2`, where :math:`\bar c` is the mean count of a cell and its
    neighbours: were it the count itself, cells that happened to count fewer would count less. Dead
    cells are not recorded, and hold what their neighbours say.

    Parameters
    ----------
    physics
        Linear, or ``Transmission``.
    y
        ``(1, channel, *measurement_shape)``.
    noise
        Of the counts; None: a gain of 1 and no other noise. Of no account where the physics is
        linear.

    Raises
    ------
    InputError
        If the physics is of another kind, or most counts are above those without an object.
    """
    if physics.linear:
        recorded = physics.observed(y)
        return Equations(physics, y, None, None if recorded is None else recorded.expand_as(y))
    if not is_transmission(physics):
        raise InputError(
            f"{type(physics).__name__} is not linear, and nothing is known that makes it so.",
            hint="Give a linear operator, or Transmission.",
        )
    counting: Any = physics
    attenuation = float(counting.attenuation)
    noise = noise or Poisson()
    dead = _dead(y, noise, float(counting.I0) * _DARKEST)
    level = _along_detector(y, ~dead).clamp_min(0.5)
    brightest = float(level.median()) / float(counting.I0)
    if brightest > _BRIGHTEST:
        raise InputError(
            f"Most counts are above those without an object: I0 is {counting.I0:g}, and half of "
            f"the counts are above {brightest * counting.I0:.4g}.",
            hint="Give Transmission the I0 of this measurement (that of its flat fields).",
        )
    variance = noise.variance(level).clamp_min(1e-12)
    sigma = variance.sqrt() / level / attenuation
    sigma = sigma.clamp_max(_LARGEST * float(sigma.median()))
    lines = counting.line_integrals(torch.where(dead, level, y)) / attenuation
    recorded = (~dead).to(y) if bool(dead.any()) else None
    return Equations(counting.projector, lines, sigma, recorded)


def _dead(y: Tensor, noise: Noise, dark: float) -> Tensor:
    """Return which cells counted nothing though their neighbours say that light reached them."""
    nothing = y <= dark
    around = _along_detector(y, ~nothing)
    least = around - _DEAD * noise.variance(around.clamp_min(0)).sqrt()
    return nothing & (y < least)


def _along_detector(y: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of each cell and its neighbours in the same view, of those that count.

    Where none of them does it is the cell itself.
    """
    reach = min(_REACH, y.shape[-1] - 1)

    def mean(values: Tensor) -> Tensor:
        flat = values.reshape(1, -1, y.shape[-1])
        wide = pad(flat, (reach, reach), mode="reflect") if reach else flat
        return avg_pool1d(wide, 2 * reach + 1, stride=1).reshape(y.shape)

    share = mean(counted.to(y))
    level = mean(torch.where(counted, y, 0.0)) / share.clamp_min(1e-6)
    return torch.where(share > 1e-6, level, y)
