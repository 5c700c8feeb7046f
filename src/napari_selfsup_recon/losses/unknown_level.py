"""Stein's estimate where the noise level is not known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.losses.consistency import squared_difference, weighted_mean
from napari_selfsup_recon.losses.divergence import (
    Derivative,
    Estimator,
    default_step,
    directional,
    predicted,
    rademacher,
)
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian


class Unsure(NamedTuple):
    """The loss, and what :meth:`UnknownNoise.update` needs.

    Attributes
    ----------
    loss
        To be lowered by the estimator.
    slopes
        Estimates of :math:`\\frac1m \\sum_i \\partial h_i/\\partial y_i` and, with photon noise, of
        :math:`\\frac1m \\sum_i (y_i - o)\\, \\partial h_i/\\partial y_i`; detached.
    """

    loss: Tensor
    slopes: tuple[float, ...]


class UnknownNoise:
    r"""Multipliers that hold the mean slopes of an estimator at zero.

    Of all estimators, those whose mean slope vanishes cannot copy the noise, however strong it is.
    Lowering :math:`\frac1m \|h - y\|^2` among them is the saddle point

    .. math:: \min_h \max_{\eta, \gamma} \; \frac1m \|h - y\|^2
              + \frac{2}{m} \sum_i (\eta + \gamma (y_i - o)) \frac{\partial h_i}{\partial y_i}

    which is Stein's estimate with variance :math:`\eta` and gain :math:`\gamma`, and these rise as
    long as the slopes are positive. They end at or above those of the noise: where there is signal
    in every direction, part of it counts as noise.

    Parameters
    ----------
    spread
        Standard deviation of the measurement, in units of y: the multipliers move in its units.
    photons
        Whether there is photon noise, whose gain is sought as well.
    offset
        Grey value without light, for photon noise.
    start
        First guess of the standard deviation of the noise; a tenth of the spread by default.
    rate, momentum
        Of the ascent.

    References
    ----------
    Tachella, Davies, Jacques: UNSURE, self-supervised learning with unknown noise level and
    Stein's unbiased risk estimate, ICLR 2025.
    """

    def __init__(
        self,
        spread: float,
        *,
        photons: bool = False,
        offset: float = 0.0,
        start: float | None = None,
        rate: float = 0.01,
        momentum: float = 0.9,
    ) -> None:
        if not spread > 0 or (start is not None and not start > 0):
            raise InputError(
                "The spread and the first guess of the noise must be above 0.",
                hint="Give the standard deviation of the measurement.",
            )
        self.photons = photons
        self.offset = offset
        self.variance = (0.1 * spread if start is None else start) ** 2
        self.gain = 0.0
        self._units = (spread**2, spread)
        self._rate = rate
        self._momentum = momentum
        self._speed = [0.0, 0.0]

    def noise(self) -> Noise:
        """Return the noise as it is known so far."""
        if self.gain > 0:
            return PoissonGaussian(self.gain, self.variance**0.5, self.offset)
        return Gaussian(self.variance**0.5)

    def update(self, slopes: tuple[float, ...]) -> None:
        """Raise or lower the multipliers; neither falls below zero."""
        # The second slope has the units of y and the gain does: its unit times slope / spread.
        relative = (slopes[0], *(slope / self._units[1] for slope in slopes[1:]))
        for k, slope in enumerate(relative):
            self._speed[k] = self._momentum * self._speed[k] + (1 - self._momentum) * slope
        self.variance = max(self.variance + self._rate * self._units[0] * self._speed[0], 0.0)
        if self.photons:
            self.gain = max(self.gain + self._rate * self._units[1] * self._speed[1], 0.0)

    def state(self) -> dict[str, float]:
        """Return what a checkpoint has to keep."""
        return {
            "variance": self.variance,
            "gain": self.gain,
            "speed": self._speed[0],
            "gain_speed": self._speed[1],
        }

    def load_state(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint."""
        self.variance, self.gain = state["variance"], state["gain"]
        self._speed = [state["speed"], state["gain_speed"]]


def unsure(
    y: Tensor,
    estimator: Estimator,
    unknown: UnknownNoise,
    generator: torch.Generator,
    *,
    weight: Tensor | None = None,
    prediction: Tensor | None = None,
    derivative: Derivative = "finite",
    step: float | None = None,
) -> Unsure:
    """Return the loss under noise of unknown level.

    The parameters are those of :func:`~napari_selfsup_recon.losses.sure.sure`, with the noise known
    so far in place of the noise. Call ``unknown.update(found.slopes)`` after each step of the
    estimator.
    """
    y, prediction = predicted(y, estimator, prediction, derivative)
    seen = y.detach()
    full = torch.ones_like(seen) if weight is None else weight.to(seen).expand_as(seen)
    measured = full > 0
    total = full.sum().clamp_min(torch.finfo(seen.dtype).tiny)
    probe = rademacher(seen, generator) * measured
    light = (seen - unknown.offset).where(measured, seen.new_zeros(()))
    cotangents = [full * probe, full * light * probe] if unknown.photons else [full * probe]
    slopes = directional(
        y,
        estimator,
        probe,
        cotangents,
        prediction=prediction,
        derivative=derivative,
        step=default_step(seen, full) if step is None else step,
    )
    loss = weighted_mean(squared_difference(prediction, seen, weight), weight)
    for multiplier, slope in zip((unknown.variance, unknown.gain), slopes, strict=False):
        loss = loss + 2 * multiplier * slope / total
    return Unsure(loss, tuple(float(slope.detach() / total) for slope in slopes))
