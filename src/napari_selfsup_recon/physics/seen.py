"""Which part of an image the instrument sees, and which it cannot tell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics._normal_equations import conjugate_gradients, self_adjoint
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.norm import operator_norm

# Share of the largest squared gain at which a detail counts as half seen.
REGULARISATION = 1e-3
_TOLERANCE = 1e-6
_ITERATIONS = 300


def seen_part(
    physics: Physics,
    x: Tensor,
    *,
    regularisation: float = REGULARISATION,
    tolerance: float = _TOLERANCE,
    iterations: int = _ITERATIONS,
) -> Tensor:
    r"""Return the part of an image that the instrument sees.

    .. math:: S x = (A^T A + \epsilon \|A\|^2)^{-1} A^T A \, x

    S is self-adjoint, with eigenvalues from 0 (nothing of it is measured) to 1. The rest,
    :func:`inferred_part`, comes from whoever made the image: a network, a prior, or chance. Where
    the operator is a partial isometry (masks, single-coil MRI, orthonormal sensing) nothing needs
    to be regularised, and S is the orthogonal projector on what was measured; a circular blur has S
    as a filter; else it is solved for by conjugate gradients.

    Parameters
    ----------
    physics
        The instrument. Of ``Transmission`` the line integrals count.
    x
        ``(batch, channel, *image_shape)``. Gradients flow through, to any order.
    regularisation
        :math:`\epsilon`: details whose squared gain is this part of the largest one count as half
        seen.
    tolerance
        Relative residual at which the solver ends.
    iterations
        The most it does.

    Raises
    ------
    InputError
        If the shape of ``x`` does not fit, or a number is not positive.
    """
    if not (regularisation > 0 and tolerance > 0 and iterations > 0):
        raise InputError(
            "Regularisation, tolerance and iterations have to be positive.",
            hint="Leave them at their defaults.",
        )
    physics = linear_part(physics)
    physics._check(x, physics.image_shape, "an image")
    closed = physics._seen(x, regularisation)
    if closed is not None:
        return closed
    norm = operator_norm(physics, x.detach())
    if not norm > 0:
        return torch.zeros_like(x)
    shift = regularisation * norm**2

    def gram(v: Tensor) -> Tensor:
        return physics.A_adjoint(physics.A(v))

    def solution(v: Tensor) -> Tensor:
        return conjugate_gradients(
            gram, gram(v), shift=shift, tolerance=tolerance, iterations=iterations
        )

    return self_adjoint(x, solution)


def inferred_part(physics: Physics, x: Tensor, **settings: Any) -> Tensor:
    """Return ``x - seen_part(physics, x)``; takes the same settings."""
    return x - seen_part(physics, x, **settings)


def linear_part(physics: Physics) -> Physics:
    """Return the linear operator whose image space is meant."""
    projector: Physics | None = getattr(physics, "projector", None)
    return physics if projector is None else projector
