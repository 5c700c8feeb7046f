"""Stein's unbiased risk estimate: the error against the clean measurement, without having it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.losses.consistency import squared_difference, weighted_mean
from napari_selfsup_recon.losses.divergence import (
    Derivative,
    Estimator,
    curvature,
    default_step,
    directional,
    predicted,
    rademacher,
)
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian


def sure(
    y: Tensor,
    estimator: Estimator,
    noise: Noise,
    generator: torch.Generator,
    *,
    weight: Tensor | None = None,
    prediction: Tensor | None = None,
    derivative: Derivative = "finite",
    step: float | None = None,
    second_order: bool = False,
) -> Tensor:
    r"""Return an estimate of the mean squared error of h = estimator(y) against the clean y.

    .. math:: \frac1m \sum_i (h_i - y_i)^2 - v_i + 2 v_i \frac{\partial h_i}{\partial y_i}
              - 2 \gamma \sigma^2 \frac{\partial^2 h_i}{\partial y_i^2}, \qquad
              v_i = \gamma (y_i - o) + \sigma^2

    with gain :math:`\gamma`, read noise :math:`\sigma` and offset o of the noise. Its mean over the
    noise is the error, for photon noise up to the next order of a Taylor series. One probe b of
    random signs estimates the sum of first derivatives by :math:`(v b) \cdot J b`.

    Parameters
    ----------
    y
        The measurement ``(batch, channel, *measurement_shape)``.
    estimator
        h, predicts the clean measurement from a noisy one: ``lambda y: physics.A(f(y))``.
    noise
        :class:`Gaussian`, or photon noise with or without read noise; in units of y.
    generator
        Draws the probes, on the device of y.
    weight
        1 where a value was measured and 0 elsewhere; broadcast against y. Only these are perturbed,
        and count. Other weights weigh the error; they must not depend on the noise of y.
    prediction
        ``estimator(y)`` where it is at hand. With ``derivative="exact"`` it must come from this
        very y, and y must require a gradient.
    derivative
        ``"finite"`` difference, one more pass; or ``"exact"``, by differentiating twice.
    step
        Of the finite difference, in units of y; a hundredth of the spread of y by default.
    second_order
        Estimate the term with the second derivative as well, two more passes. It vanishes unless
        there are both photon and read noise, and is small against the others where there are many
        photons or the estimator is nearly linear.

    Raises
    ------
    InputError
        If the noise is of another kind.

    References
    ----------
    Stein, Annals of Statistics 9 (1981); Le Montagner, Angelini, Olivo-Marin, IEEE TIP 23 (2014),
    of which the sign of the last term and its probe differ from those in REI's published code.
    """
    gain, sigma, offset = _parameters(noise)
    y, prediction = predicted(y, estimator, prediction, derivative)
    seen = y.detach()
    full = torch.ones_like(seen) if weight is None else weight.to(seen).expand_as(seen)
    measured = full > 0
    variance = (gain * (seen - offset) + sigma**2).where(measured, seen.new_zeros(()))
    total = full.sum().clamp_min(torch.finfo(seen.dtype).tiny)
    tau = default_step(seen, full) if step is None else step

    risk = weighted_mean(squared_difference(prediction, seen, weight) - variance, weight)
    probe = rademacher(seen, generator) * measured
    (first,) = directional(
        y,
        estimator,
        probe,
        [full * variance * probe],
        prediction=prediction,
        derivative=derivative,
        step=tau,
    )
    risk = risk + 2 * first / total
    if second_order and gain and sigma:
        bend = curvature(seen, estimator, full, prediction, generator, step=tau)
        risk = risk - 2 * gain * sigma**2 * bend / total
    return risk


def sure_gaussian(
    y: Tensor, estimator: Estimator, sigma: float, generator: torch.Generator, **options: Any
) -> Tensor:
    r"""Return :func:`sure` for white noise of standard deviation ``sigma``.

    .. math:: \frac1m \|h - y\|^2 - \sigma^2 + \frac{2\sigma^2}{m} \sum_i \partial h_i/\partial y_i
    """
    return sure(y, estimator, Gaussian(sigma), generator, **options)


def sure_poisson(
    y: Tensor, estimator: Estimator, gain: float, generator: torch.Generator, **options: Any
) -> Tensor:
    r"""Return :func:`sure` for photon noise, ``gain`` grey values a photon.

    .. math:: \frac1m \|h - y\|^2 - \frac{\gamma}{m} \sum_i y_i
              + \frac{2\gamma}{m} \sum_i y_i\, \partial h_i/\partial y_i
    """
    return sure(y, estimator, PoissonGaussian(gain), generator, **options)


def sure_poisson_gaussian(
    y: Tensor,
    estimator: Estimator,
    gain: float,
    sigma: float,
    generator: torch.Generator,
    **options: Any,
) -> Tensor:
    """Return :func:`sure` for photon noise with read noise, all terms by default."""
    options.setdefault("second_order", True)
    return sure(y, estimator, PoissonGaussian(gain, sigma), generator, **options)


def _parameters(noise: Noise) -> tuple[float, float, float]:
    if isinstance(noise, Gaussian):
        return 0.0, noise.sigma, 0.0
    if isinstance(noise, PoissonGaussian):
        return noise.gain, noise.sigma, noise.offset
    raise InputError(
        f"The risk cannot be estimated under {type(noise).__name__} noise.",
        hint="Describe the noise as Gaussian, Poisson or PoissonGaussian.",
    )
