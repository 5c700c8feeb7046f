"""Ways to compute the projection onto what an instrument measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import cast

import torch
from torch import Tensor

from napari_selfsup_recon.physics._normal_equations import chebyshev, conjugate_gradients
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.compressed_sensing import CompressedSensing
from napari_selfsup_recon.physics.norm import operator_norm

_SAME = 1e-9
# Directions with less than this part of the largest gain are not measured, to working precision.
_SMALLEST = 1e-6
_PIECE = 256  # columns of a matrix that are made at once


class Form(ABC):
    r"""A projection :math:`P` of images, and the inverse :math:`A^+` with :math:`P = A^+ A`."""

    @abstractmethod
    def range(self, x: Tensor) -> Tensor:
        """Return the measured part of images ``(batch, channel, *image_shape)``."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """Return the image of least norm that explains ``(batch, channel, *measurement_shape)``."""


class Isometry(Form):
    r"""Where :math:`A A^T A = c A`, as of masks and orthonormal rows: :math:`P = A^T A / c`."""

    def __init__(self, physics: Physics, power: float) -> None:
        self.physics, self.power = physics, power

    def range(self, x: Tensor) -> Tensor:
        return self.inverse(self.physics.A(x))

    def inverse(self, y: Tensor) -> Tensor:
        return self.physics.A_adjoint(y) / self.power


def isometry(physics: Physics) -> Isometry | None:
    """Return the form of a partial isometry, or None if this is none: one random image tells."""
    generator = torch.Generator().manual_seed(0)
    shape = (physics.items or 1, physics.channels or 1, *physics.image_shape)
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    try:
        y = physics.A(x)
        again = physics.A(physics.A_adjoint(y))
    except (RuntimeError, TypeError):  # foreign operators may know single precision alone
        return None
    size = float(y.square().sum())
    if not size > 0 or again.dtype != torch.float64:
        return None
    power = float((again * y).sum()) / size
    if float((again - power * y).norm()) > _SAME * float(again.norm()):
        return None
    return Isometry(physics, power)


class Filter(Form):
    """A circular blur: frequency by frequency."""

    def __init__(self, physics: Blur, regularisation: float) -> None:
        self.physics, self.regularisation = physics, regularisation

    def range(self, x: Tensor) -> Tensor:
        power, weight = self._weights(x)
        return self._filtered(x, power * weight)

    def inverse(self, y: Tensor) -> Tensor:
        return self._filtered(self.physics.A_adjoint(y), self._weights(y)[1])

    def _weights(self, like: Tensor) -> tuple[Tensor, Tensor]:
        power = self.physics.otf(like).abs().square()
        top = power.max()
        if self.regularisation:
            return power, 1 / (power + self.regularisation * top)
        # Rounding leaves some gain where there is none.
        least = (64 * torch.finfo(power.dtype).eps) ** 2
        return power, torch.where(power > least * top, 1 / power, 0.0)

    def _filtered(self, x: Tensor, gain: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        spectrum = torch.fft.rfftn(x, dim=axes) * gain
        filtered: Tensor = torch.fft.irfftn(spectrum, s=x.shape[2:], dim=axes)
        return filtered.to(x.dtype)


class _Kept:
    """Matrices in double precision on the CPU, and copies where they are needed."""

    def __init__(self, **matrices: Tensor) -> None:
        self._matrices = matrices
        self._copies: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def get(self, name: str, like: Tensor) -> Tensor:
        key = (name, like.dtype, like.device)
        if key not in self._copies:
            # In the wanted precision first: not every device knows double.
            self._copies[key] = self._matrices[name].to(like.dtype).to(like.device)
        return self._copies[key]


class Factored(Form):
    r""":math:`P = A^T M A` with the matrix :math:`M = (A A^T + \lambda)^{-1}`, made once.

    M acts on the whole measurement of an image, or, of block-wise sensing, on the rows.
    """

    def __init__(self, physics: Physics, inverse: Tensor, *, rows: bool) -> None:
        self.physics, self._rows = physics, rows
        self._kept = _Kept(inverse=inverse)

    def range(self, x: Tensor) -> Tensor:
        return self.inverse(self.physics.A(x))

    def inverse(self, y: Tensor) -> Tensor:
        inverse = self._kept.get("inverse", y)
        if self._rows:
            solved = torch.einsum("ij,bcj...->bci...", inverse, y)
        else:
            lines = y.flatten(1) if self.physics.channels else y.flatten(2)
            solved = (lines @ inverse).reshape(y.shape)
        return self.physics.A_adjoint(solved)


class Basis(Form):
    r""":math:`P = V^T V` with orthonormal rows V that span what is measured."""

    def __init__(self, physics: Physics, basis: Tensor, inverse: Tensor) -> None:
        self.physics = physics
        self._kept = _Kept(basis=basis, inverse=inverse)

    def range(self, x: Tensor) -> Tensor:
        basis = self._kept.get("basis", x)
        return (self._lines(x) @ basis.T @ basis).reshape(x.shape)

    def inverse(self, y: Tensor) -> Tensor:
        physics = self.physics
        image = self._lines(y) @ self._kept.get("inverse", y)
        return image.reshape(*y.shape[:2], *physics.image_shape)

    def _lines(self, values: Tensor) -> Tensor:
        return values.flatten(1) if self.physics.channels else values.flatten(2)


class Iterated(Form):
    r""":math:`(A^T A + \lambda)^{-1} A^T` by conjugate gradients, to a tolerance."""

    def __init__(self, physics: Physics, shift: float, tolerance: float, iterations: int) -> None:
        self.physics, self._shift = physics, shift
        self._tolerance, self._iterations = tolerance, iterations

    def range(self, x: Tensor) -> Tensor:
        return self._solved(self._gram(x))

    def inverse(self, y: Tensor) -> Tensor:
        return self._solved(self.physics.A_adjoint(y))

    def _solved(self, right: Tensor) -> Tensor:
        return conjugate_gradients(
            self._gram,
            right,
            shift=self._shift,
            tolerance=self._tolerance,
            iterations=self._iterations,
        )

    def _gram(self, x: Tensor) -> Tensor:
        return self.physics.A_adjoint(self.physics.A(x))


class Polynomial(Iterated):
    r""":math:`p(A^T A) A^T` with a fixed polynomial near :math:`1 / (s + \lambda)`."""

    def __init__(self, physics: Physics, shift: float, largest: float, degree: int) -> None:
        super().__init__(physics, shift, 0.0, degree)
        self._largest = largest

    def _solved(self, right: Tensor) -> Tensor:
        return chebyshev(
            self._gram,
            right,
            shift=self._shift,
            largest=self._largest,
            degree=self._iterations,
        )


def whole_blocks(physics: Physics) -> bool:
    """Return whether this senses blocks none of which reaches beyond the image."""
    if not isinstance(physics, CompressedSensing):
        return False
    sides = physics.block or physics.image_shape
    return not any(n % side for n, side in zip(physics.image_shape, sides, strict=True))


def measured_values(physics: Physics) -> int:
    """Return how many values of one image are mapped together."""
    return prod(physics.measurement_shape) * (physics.channels or 1)


def operator_rows(physics: Physics) -> Tensor:
    """Return the matrix of an operator that all images share, one row a measured value."""
    count = measured_values(physics)
    shape = (physics.channels or 1, *physics.measurement_shape)
    rows = []
    for first in range(0, count, _PIECE):
        unit = torch.zeros(min(_PIECE, count - first), count, dtype=torch.float64)
        unit[:, first:].fill_diagonal_(1)
        with torch.no_grad():
            rows.append(physics.A_adjoint(unit.reshape(-1, *shape)).flatten(1))
    return torch.cat(rows)


def dense(physics: Physics, regularisation: float) -> Form:
    """Return the form by a matrix, of an operator that all images share."""
    if isinstance(physics, CompressedSensing) and whole_blocks(physics):
        matrix = torch.from_numpy(physics.matrix.copy())
        gram = matrix @ matrix.T
        largest = float(torch.linalg.eigvalsh(gram)[-1])
        if regularisation:
            shifted = gram + regularisation * largest * torch.eye(len(gram), dtype=gram.dtype)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(shifted))
        else:
            inverse = torch.linalg.pinv(gram, hermitian=True, rtol=_SMALLEST**2)
        return Factored(physics, inverse, rows=True)
    rows = operator_rows(physics)
    gram = rows @ rows.T
    if regularisation:
        like = rows.new_zeros(())
        shift = regularisation * operator_norm(physics, like) ** 2
        shifted = gram + shift * torch.eye(len(gram), dtype=gram.dtype)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(shifted))
        return Factored(physics, inverse, rows=False)
    values, vectors = torch.linalg.eigh(gram)
    kept = values > _SMALLEST**2 * values[-1]
    spanned = (vectors[:, kept] / values[kept].sqrt()).T @ rows
    # The Gram matrix squares the gains: its small eigenvectors need to be made orthogonal again.
    basis = cast(Tensor, torch.linalg.qr(spanned.T)[0]).T
    inverse = torch.linalg.pinv(rows @ basis.T).T @ basis
    return Basis(physics, basis.contiguous(), inverse)
