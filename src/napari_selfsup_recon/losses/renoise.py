"""Noise on measurements that the training makes up, and how gradients pass it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from napari_selfsup_recon.physics.noise import Gaussian, Noise

Gradient = Literal["straight", "none", "normal"]


def renoise(
    clean: Tensor, noise: Noise, generator: torch.Generator, *, gradient: Gradient = "straight"
) -> Tensor:
    r"""Return a noisy copy of ``clean`` through which gradients pass in a chosen way.

    Parameters
    ----------
    clean
        Noiseless measurement; where photons are counted, values below the offset count as no light.
    noise
        The noise of the instrument.
    generator
        Random generator on the device of ``clean``.
    gradient
        Counting photons has no derivative. ``"straight"``: the derivative of the sample is taken to
        be 1, the straight-through rule, exact for Gaussian noise. ``"none"``: nothing flows, as in
        the published code for photon noise. ``"normal"``: draw from a normal distribution of the
        same mean and variance, :math:`y = u + \sqrt{v(u)}\, n`, and differentiate that.
    """
    if gradient == "none":
        return noise.sample(clean.detach(), generator)
    if gradient == "normal" or isinstance(noise, Gaussian):
        draw = torch.randn(clean.shape, generator=generator, dtype=clean.dtype, device=clean.device)
        # The root has no derivative at zero.
        spread = noise.variance(clean).clamp_min(torch.finfo(clean.dtype).tiny).sqrt()
        return clean + spread * draw
    return clean + (noise.sample(clean.detach(), generator) - clean.detach())
