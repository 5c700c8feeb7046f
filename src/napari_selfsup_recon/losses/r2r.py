"""Two measurements out of one, whose noises do not know of each other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian


class Pair(NamedTuple):
    """Two noisy copies of one clean measurement.

    Attributes
    ----------
    given
        What the network sees.
    asked
        What its answer is compared with.
    """

    given: Tensor
    asked: Tensor


def recorrupted(
    y: Tensor,
    noise: Noise,
    generator: torch.Generator,
    *,
    alpha: float = 0.5,
    weight: Tensor | None = None,
) -> Pair:
    r"""Return two copies of a noisy measurement with independent noise and the same mean.

    White noise is added and subtracted,

    .. math:: y_1 = y + \alpha z, \qquad y_2 = y - z / \alpha, \qquad z \sim N(0, \sigma^2)

    and photons are dealt out, each to the first copy with probability q,

    .. math:: y_1 = \frac{1}{q} \, \text{Binomial}(y, q), \qquad
              y_2 = \frac{y - q y_1}{1 - q}, \qquad q = \frac{1}{1 + \alpha^2}

    so that in both cases the variance of :math:`y_1` is :math:`1 + \alpha^2` times, and that of
    :math:`y_2` :math:`1 + 1/\alpha^2` times the one of y. Where there is read noise beside that of
    photons, z is drawn with the variance that the measured value stands for: the copies are then
    uncorrelated, and independent to first order.

    Parameters
    ----------
    y
        The measurement, ``(batch, channel, *measurement_shape)``.
    noise
        :class:`Gaussian` or :class:`PoissonGaussian`, in units of y. A wrong level makes the copies
        correlated.
    generator
        Random generator on the device of y.
    alpha
        How much of the noise the first copy gets more, > 0.
    weight
        Which values were measured, as 1 or 0; the others stay as they are.

    Raises
    ------
    InputError
        If the noise is of another kind, or ``alpha`` is not above 0.

    References
    ----------
    Pang, Zheng, Quan and Ji, Recorrupted-to-Recorrupted, CVPR 2021; Monroy, Bacca and Tachella,
    Generalized Recorrupted-to-Recorrupted, CVPR 2025.
    """
    if not alpha > 0:
        raise InputError(f"alpha is {alpha:g}.", hint="Give a number above 0, for example 0.5.")
    if isinstance(noise, PoissonGaussian) and not noise.sigma:
        given, asked = _dealt(y, noise, generator, 1 / (1 + alpha**2))
    elif isinstance(noise, (Gaussian, PoissonGaussian)):
        draw = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        z = noise.variance(y).sqrt() * draw
        given, asked = y + alpha * z, y - z / alpha
    else:
        raise InputError(
            f"{type(noise).__name__} noise cannot be divided between two copies.",
            hint="Describe the noise as Gaussian, Poisson or PoissonGaussian.",
        )
    if weight is not None:
        measured = weight.to(y).expand_as(y) > 0
        given, asked = given.where(measured, y), asked.where(measured, y)
    return Pair(given, asked)


def _dealt(
    y: Tensor, noise: PoissonGaussian, generator: torch.Generator, share: float
) -> tuple[Tensor, Tensor]:
    """Return copies of a photon count; what is no whole number of photons is dealt by its mean."""
    photons = ((y - noise.offset) / noise.gain).clamp_min(0)
    whole = photons.round()
    odds = torch.full_like(whole, share)
    drawn = torch.binomial(whole, odds, generator=generator) + share * (photons - whole)
    given = noise.gain * drawn / share + noise.offset
    asked = noise.gain * (photons - drawn) / (1 - share) + noise.offset
    return given, asked
