"""Which part of an image the instrument sees, and which it cannot tell."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
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
    physics = _linear(physics)
    physics._check(x, physics.image_shape, "an image")
    closed = physics._seen(x, regularisation)
    if closed is not None:
        return closed
    norm = operator_norm(physics, x.detach())
    if not norm > 0:
        return torch.zeros_like(x)
    return _solve(x, _Problem(physics, regularisation * norm**2, tolerance, iterations))


def inferred_part(physics: Physics, x: Tensor, **settings: Any) -> Tensor:
    """Return ``x - seen_part(physics, x)``; takes the same settings."""
    return x - seen_part(physics, x, **settings)


class _Problem:
    """Solves the normal equations of the seen part."""

    def __init__(self, physics: Physics, shift: float, tolerance: float, iterations: int) -> None:
        self.physics, self.shift = physics, shift
        self.tolerance, self.iterations = tolerance, iterations

    def solve(self, x: Tensor) -> Tensor:
        """Conjugate gradients, each image of the batch for itself."""
        right = self._gram(x)
        # The best scalar multiple of the right side is a good start; here its scale is enough.
        solution = torch.zeros_like(right)
        residual = right
        direction = residual
        power = _inner(residual, residual)
        enough = self.tolerance**2 * power
        for _ in range(self.iterations):
            if bool((power <= enough).all()):
                break
            ahead = self._gram(direction) + self.shift * direction
            curved = _inner(direction, ahead)
            step = torch.where(curved > 0, power / curved.clamp_min(_tiny(x)), 0)
            solution = solution + step * direction
            residual = residual - step * ahead
            before, power = power, _inner(residual, residual)
            ratio = torch.where(before > 0, power / before.clamp_min(_tiny(x)), 0)
            direction = residual + ratio * direction
        return solution

    def _gram(self, x: Tensor) -> Tensor:
        return self.physics.A_adjoint(self.physics.A(x))


class _SelfAdjoint(torch.autograd.Function):
    """The solution map is linear and its own transpose, hence its own derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, problem: _Problem) -> Tensor:
        ctx.problem = problem
        return problem.solve(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return _solve(gradient, ctx.problem), None


def _solve(x: Tensor, problem: _Problem) -> Tensor:
    return cast(Tensor, _SelfAdjoint.apply(x, problem))  # type: ignore[no-untyped-call]


def _linear(physics: Physics) -> Physics:
    """Return the linear operator whose image space is meant."""
    projector: Physics | None = getattr(physics, "projector", None)
    return physics if projector is None else projector


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=tuple(range(1, a.ndim)), keepdim=True)


def _tiny(like: Tensor) -> float:
    return float(torch.finfo(like.dtype).tiny)
