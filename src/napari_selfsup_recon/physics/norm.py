"""The largest singular value of an operator."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.physics.base import Physics

_POWER_STEPS = 12


def operator_norm(physics: Physics, like: Tensor) -> float:
    """Return the largest singular value of ``physics`` by power iteration, for step sizes.

    Parameters
    ----------
    physics
        The operator, linear.
    like
        Dtype and device to work in.
    """
    return exhaust(operator_norm_steps(physics, like))


def operator_norm_steps(physics: Physics, like: Tensor) -> Generator[tuple[int, int], None, float]:
    """Do :func:`operator_norm`, yielding how far it is."""
    noise = torch.rand(physics.image_shape, generator=torch_generator("operator norm"))
    x = noise.to(like).add_(1.0)[None, None]
    x = x.expand(physics.items or 1, physics.channels or 1, *physics.image_shape)
    value = 0.0
    for step in range(_POWER_STEPS):
        with torch.no_grad():
            x = x / x.norm()
            y = physics.A(x)
        yield 2 * step + 1, 2 * _POWER_STEPS
        with torch.no_grad():
            x = physics.A_adjoint(y)
            value = float(x.norm())
        yield 2 * step + 2, 2 * _POWER_STEPS
    return float(value**0.5)
