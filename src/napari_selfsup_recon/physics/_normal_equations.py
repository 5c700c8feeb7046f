"""Normal equations by conjugate gradients or a fixed polynomial, and maps that are their own
transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def conjugate_gradients(
    gram: Map, right: Tensor, *, shift: float, tolerance: float, iterations: int
) -> Tensor:
    r"""Return the solution of :math:`(G + \lambda) x = b`, each item of the batch for itself.

    Starts from zero, so that without a shift the solution of least norm is found.

    Parameters
    ----------
    gram
        G, symmetric and not negative.
    right
        b, ``(batch, channel, ...)``; in the range of G where there is no shift.
    shift
        :math:`\lambda`, 0 or more.
    tolerance
        Relative residual at which the solver ends.
    iterations
        The most it does.
    """
    solution = torch.zeros_like(right)
    residual = right
    direction = residual
    power = _inner(residual, residual)
    enough = tolerance**2 * power
    tiny = float(torch.finfo(right.dtype).tiny)
    for _ in range(iterations):
        if bool((power <= enough).all()):
            break
        ahead = gram(direction) + shift * direction
        curved = _inner(direction, ahead)
        step = torch.where(curved > 0, power / curved.clamp_min(tiny), 0)
        solution = solution + step * direction
        residual = residual - step * ahead
        before, power = power, _inner(residual, residual)
        ratio = torch.where(before > 0, power / before.clamp_min(tiny), 0)
        direction = residual + ratio * direction
    return solution


def chebyshev(gram: Map, right: Tensor, *, shift: float, largest: float, degree: int) -> Tensor:
    r"""Return :math:`p(G) b` near :math:`(G + \lambda)^{-1} b`, with one polynomial p for every b.

    Conjugate gradients that end early depend on b in a way that is not linear; this does not.
    Chebyshev's iteration is done twice, the second time on what the first left: what is left then
    is :math:`q(G)^2 b`, so that :math:`0 \le s\,p(s) \le s / (s + \lambda)` for every eigenvalue.

    Parameters
    ----------
    gram, right
        G and b.
    shift
        :math:`\lambda`, > 0.
    largest
        No eigenvalue of G is larger.
    degree
        Applications of G, about.

    References
    ----------
    Golub and Varga, Numerische Mathematik 3 (1961).
    """

    def matrix(x: Tensor) -> Tensor:
        return gram(x) + shift * x

    half = max(1, degree // 2)
    middle, reach = shift + largest / 2, largest / 2
    first = _semi_iteration(matrix, right, middle, reach, half)
    return first + _semi_iteration(matrix, right - matrix(first), middle, reach, half)


def _semi_iteration(matrix: Map, right: Tensor, middle: float, reach: float, steps: int) -> Tensor:
    """Return Chebyshev's iterate for eigenvalues in ``middle`` plus or minus ``reach``."""
    residual = direction = right
    length = 1 / middle
    solution = length * direction
    for k in range(1, steps):
        residual = residual - length * matrix(direction)
        ratio = (reach * length) ** 2 / (2 if k == 1 else 4)
        length = 1 / (middle - ratio / length)
        direction = residual + ratio * direction
        solution = solution + length * direction
    return solution


class _SelfAdjoint(torch.autograd.Function):
    """A linear map that is its own transpose, hence its own derivative, to any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, apply: Map) -> Tensor:
        ctx.apply_map = apply
        return apply(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return self_adjoint(gradient, ctx.apply_map), None


def self_adjoint(x: Tensor, apply: Map) -> Tensor:
    """Return ``apply(x)``, a linear map equal to its transpose; the gradient passes it likewise."""
    return cast(Tensor, _SelfAdjoint.apply(x, apply))  # type: ignore[no-untyped-call]


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=tuple(range(1, a.ndim)), keepdim=True)
