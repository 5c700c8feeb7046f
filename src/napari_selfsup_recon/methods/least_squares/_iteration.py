"""Three ways to make a sum of weighed squares small."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.norm import operator_norm

# Sums of rows or columns below this part of the largest one count as nothing.
_NOTHING = 1e-6
_LOOKS = 3
_SAFETY = 0.98


class Iteration(ABC):
    r"""Minimise :math:`\sum_i w_i (A x - y)_i^2` from the image 0 on.

    Parameters
    ----------
    physics
        A linear operator.
    y, weights
        ``(1, channel, *measurement_shape)``, weights from 0 to 1.

    Attributes
    ----------
    x
        The image so far, ``(1, channel, *image_shape)``.
    expected
        ``physics.A(x)``.
    count
        Iterations done.
    """

    def __init__(self, physics: Physics, y: Tensor, weights: Tensor) -> None:
        self.physics, self.y, self.weights = physics, y, weights
        self.count = 0
        self.x = y.new_zeros((*y.shape[:2], *physics.image_shape))
        self.expected = torch.zeros_like(y)
        self._slope = self._first = self._back(weights * y)

    @property
    def flatness(self) -> float:
        """Length of the gradient relative to that at the start; 0 at the minimum."""
        first = float(self._first.norm())
        return float(self._slope.norm()) / first if first else 0.0

    @property
    def misfit(self) -> float:
        """Root mean square of the weighed residuals."""
        total = self.weights.sum().clamp_min(1e-12)
        residual = self.expected - self.y
        return float(((self.weights * residual.square()).sum() / total).sqrt())

    def step(self) -> None:
        """Do one iteration: one A and one transpose."""
        with torch.no_grad():
            self._step()
        self.count += 1

    @abstractmethod
    def _step(self) -> None: ...

    def _forth(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.physics.A(x)

    def _back(self, residual: Tensor) -> Tensor:
        with torch.no_grad():
            return self.physics.A_adjoint(residual)


class ConjugateGradients(Iteration):
    """Conjugate gradients of the normal equations (Hestenes and Stiefel 1952; CGLS)."""

    def __init__(self, physics: Physics, y: Tensor, weights: Tensor) -> None:
        super().__init__(physics, y, weights)
        self._direction = self._slope
        self._power = float(self._slope.square().sum(dtype=torch.float64))

    def _step(self) -> None:
        ahead = self._forth(self._direction)
        curved = float((self.weights * ahead.square()).sum(dtype=torch.float64))
        if not (self._power > 0 and curved > 0):
            self._slope = torch.zeros_like(self._slope)
            return
        length = self._power / curved
        self.x = self.x.add(self._direction, alpha=length)
        self.expected = self.expected.add(ahead, alpha=length)
        self._slope = self._back(self.weights * (self.y - self.expected))
        before, self._power = self._power, float(self._slope.square().sum(dtype=torch.float64))
        self._direction = self._slope.add(self._direction, alpha=self._power / before)


class Projected(Iteration):
    r"""Accelerated gradients, cut off at 0 in every step.

    .. math:: x \leftarrow \max(0, p + C A^T W (y - A p)), \qquad C = 1 / (A^T W A \, 1)

    with the extrapolated point p of Nesterov (1983), which starts afresh where it led uphill
    (O'Donoghue and Candès 2015). Where entries of A may be negative C is one number, the inverse
    square of its norm.
    """

    def __init__(
        self, physics: Physics, y: Tensor, weights: Tensor, *, positive: bool = True
    ) -> None:
        super().__init__(physics, y, weights)
        self._positive = positive
        if _never_negative(physics, y):
            ones = self._forth(torch.ones_like(self.x))
            self._step_sizes = _inverse(self._back(weights * ones)).mul_(_SAFETY)
        else:
            norm = operator_norm(physics, y)
            size = _SAFETY / norm**2 if norm > 0 else 0.0
            self._step_sizes = torch.full_like(self.x, size)
        self._p, self._p_expected = self.x, self.expected
        self._age = 1.0

    def _step(self) -> None:
        slope = self._back(self.weights * (self.y - self._p_expected))
        new = torch.addcmul(self._p, slope, self._step_sizes)
        if self._positive:
            new.clamp_min_(0)
        expected = self._forth(new)
        moved = new - self.x
        if float(((self._p - new) * moved / self._step_sizes.clamp_min(1e-30)).sum()) > 0:
            self._age = 1.0
        age = (1 + (1 + 4 * self._age**2) ** 0.5) / 2
        momentum, self._age = (self._age - 1) / age, age
        # What the limit holds back does not count as slope.
        self._slope = torch.where((new > 0) | (slope > 0), slope, 0) if self._positive else slope
        self._p = new.add(moved, alpha=momentum)
        self._p_expected = expected.add(expected - self.expected, alpha=momentum)
        self.x, self.expected = new, expected


class Sirt(Iteration):
    r"""The simultaneous iterative reconstruction technique.

    .. math:: x \leftarrow x + C A^T W R (y - A x), \qquad R = 1 / (A \, 1), \quad
              C = 1 / (A^T W \, 1)

    (Gilbert 1972). Where entries of A may be negative R is 1 and C the inverse square of its norm
    (Landweber 1951).
    """

    def __init__(
        self, physics: Physics, y: Tensor, weights: Tensor, *, positive: bool = True
    ) -> None:
        super().__init__(physics, y, weights)
        self._positive = positive
        if _never_negative(physics, y):
            self._rows = _inverse(self._forth(torch.ones_like(self.x))) * weights
            self._columns = _inverse(self._back(weights))
        else:
            norm = operator_norm(physics, y)
            self._rows = weights
            self._columns = torch.full_like(self.x, 1 / norm**2 if norm > 0 else 0.0)
        self._first = self._back(self._rows * y)

    def _step(self) -> None:
        self._slope = slope = self._back(self._rows * (self.y - self.expected))
        self.x = torch.addcmul(self.x, slope, self._columns)
        if self._positive:
            self.x.clamp_min_(0)
            self._slope = torch.where((self.x > 0) | (slope > 0), slope, 0)
        self.expected = self._forth(self.x)


def _never_negative(physics: Physics, y: Tensor) -> bool:
    """Return whether images without negative values seem to have such measurements, and back."""
    if physics.channels is not None:
        return False
    generator = torch_generator("signs")
    with torch.no_grad():
        for shape, apply in (
            (physics.image_shape, physics.A),
            (physics.measurement_shape, physics.A_adjoint),
        ):
            for _ in range(_LOOKS):
                # Few points, so that negative entries are not outweighed by their neighbours.
                points = torch.rand(shape, generator=generator)
                least = points.flatten().topk(max(1, points.numel() // 50)).values[-1]
                points = torch.where(points >= least, points, 0).to(y)
                result = apply(points.expand(*y.shape[:2], *shape).contiguous())
                if float(result.min()) < -_NOTHING * float(result.max().clamp_min(1e-30)):
                    return False
    return True


def _inverse(sums: Tensor) -> Tensor:
    return torch.where(sums > _NOTHING * sums.max(), 1 / sums, 0.0)
