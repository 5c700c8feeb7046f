"""What an instrument measures of an image, and what it misses, for any instrument."""

from __future__ import annotations

from math import prod
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.physics import _projection_forms as forms
from napari_selfsup_recon.physics._normal_equations import self_adjoint
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.norm import operator_norm
from napari_selfsup_recon.physics.seen import REGULARISATION, linear_part

How = Literal["auto", "matrix", "iterated", "polynomial"]

# Values of one measurement up to which a matrix is made and kept.
_MOST_VALUES = 4096
# Entries of a basis up to which it is.
_MOST_ENTRIES = 2**25
# The norm is found by iteration, from below.
_MARGIN = 1.1
_TOLERANCE = 1e-6
_ITERATIONS = 300
_EXACT_TOLERANCE = 1e-10
_EXACT_ITERATIONS = 2000
_DEGREE = 30


class Projection:
    r"""The projection onto what an instrument measures, made ready for many images.

    .. math:: P_R = A^T (A A^T + \lambda)^{-1} A, \qquad P_N = 1 - P_R, \qquad
              \lambda = \epsilon \|A\|^2

    With :math:`\epsilon = 0` these are the orthogonal projectors on the row space and the null
    space of A. Else details that are measured weakly count as missed in part: the eigenvalues are
    :math:`s^2 / (s^2 + \lambda)`, the pair is self-adjoint and sums to the identity, but is not
    idempotent. Partial isometries (masks, single-coil MRI, orthonormal rows) need no
    regularisation and get none.

    Parameters
    ----------
    physics
        The instrument. Of ``Transmission`` the line integrals count.
    regularisation
        :math:`\epsilon`, 0 or more.
    how
        ``"auto"``: by a formula where there is one (masks, single-coil MRI, sensing matrices of
        whole blocks, circular blur); else by a matrix where all images share an operator of few
        measured values; else iterated. ``"matrix"``: the Cholesky factor of
        :math:`A A^T + \lambda` or, without regularisation, an orthonormal basis. ``"iterated"``:
        conjugate gradients to the tolerance. ``"polynomial"``: a fixed polynomial of
        :math:`A^T A`, exactly linear and self-adjoint, near :math:`P_R` and cheap.
    tolerance, iterations
        Of conjugate gradients; the relative residual at which they end, and the most they do.
    degree
        Of the polynomial.

    Raises
    ------
    InputError
        If a number is out of range, or the operator cannot be computed in the way that is asked
        for.
    """

    def __init__(
        self,
        physics: Physics,
        *,
        regularisation: float = REGULARISATION,
        how: How = "auto",
        tolerance: float | None = None,
        iterations: int | None = None,
        degree: int = _DEGREE,
    ) -> None:
        if how not in get_args(How):
            raise InputError(
                f"There is no way {how!r} to project.",
                hint=f"Choose from {', '.join(get_args(How))}.",
            )
        wrong = regularisation < 0 or (tolerance is not None and tolerance <= 0)
        if wrong or (iterations is not None and iterations < 1) or degree < 1:
            raise InputError(
                "Regularisation may not be negative; tolerance, iterations and degree have to be "
                "positive.",
                hint="Leave them at their defaults.",
            )
        if how == "polynomial" and not regularisation:
            raise InputError(
                "No polynomial comes near the exact projection.",
                hint=f"Give a regularisation such as {REGULARISATION}.",
            )
        self.physics = linear_part(physics)
        self.regularisation = float(regularisation)
        exact = not regularisation
        self._tolerance = tolerance or (_EXACT_TOLERANCE if exact else _TOLERANCE)
        self._iterations = iterations or (_EXACT_ITERATIONS if exact else _ITERATIONS)
        self._form = self._chosen(how, degree)

    @property
    def exact(self) -> bool:
        """Whether this is the orthogonal projector."""
        return not self.regularisation or isinstance(self._form, forms.Isometry)

    @property
    def quick(self) -> bool:
        """Whether it is a formula or a matrix, and not an iteration."""
        return not isinstance(self._form, forms.Iterated)

    def range(self, x: Tensor) -> Tensor:
        """Return what is measured of images ``(batch, channel, *image_shape)``.

        The gradient is the projection itself, to any order; no step is kept in memory.
        """
        self.physics._check(x, self.physics.image_shape, "an image")
        return self_adjoint(x, self._form.range)

    def null(self, x: Tensor) -> Tensor:
        """Return what is missed of images, ``x - range(x)``."""
        return x - self.range(x)

    def inverse(self, y: Tensor) -> Tensor:
        r"""Return :math:`A^T (A A^T + \lambda)^{-1} y`, the smallest image that explains ``y``.

        Not differentiable: for what was measured.
        """
        self.physics._check(y, self.physics.measurement_shape, "a measurement")
        with torch.no_grad():
            return self._form.inverse(y)

    @torch.no_grad()
    def missed_share(self) -> float:
        """Return which share of the energy of white noise is missed, by one draw."""
        physics = self.physics
        shape = (physics.items or 1, physics.channels or 1, *physics.image_shape)
        x = torch.randn(shape, generator=torch_generator("missed share"))
        return float((self.null(x) * x).sum() / x.square().sum())

    def _chosen(self, how: How, degree: int) -> forms.Form:
        physics, regularisation = self.physics, self.regularisation
        shared = physics.items is None
        if how == "auto":
            closed = _formula(physics, regularisation)
            if closed is not None:
                return closed
            how = "matrix" if _small(physics, regularisation) else "iterated"
        if how == "matrix":
            if not shared:
                raise InputError(
                    "Each image has an operator of its own: there is no matrix for all.",
                    hint='Choose how="auto" or how="iterated".',
                )
            return forms.dense(physics, regularisation)
        if not regularisation:
            return forms.Iterated(physics, 0.0, self._tolerance, self._iterations)
        largest = operator_norm(physics, torch.zeros(())) ** 2
        shift = regularisation * largest
        if how == "polynomial":
            return forms.Polynomial(physics, shift, _MARGIN * largest, degree)
        return forms.Iterated(physics, shift, self._tolerance, self._iterations)


def _formula(physics: Physics, regularisation: float) -> forms.Form | None:
    if isinstance(physics, Blur):
        circular = physics.boundary == "circular"
        return forms.Filter(physics, regularisation) if circular else None
    return forms.isometry(physics)


def _small(physics: Physics, regularisation: float) -> bool:
    """Return whether a matrix is worth its memory."""
    if forms.whole_blocks(physics):
        return True
    values = forms.measured_values(physics)
    entries = values * prod(physics.image_shape)
    return (
        physics.items is None
        and values <= _MOST_VALUES
        and (regularisation > 0 or entries <= _MOST_ENTRIES)
    )


def is_quick(physics: Physics) -> bool:
    """Return whether the regularised projection takes a formula or a matrix, and no iteration."""
    return _small(linear_part(physics), REGULARISATION) or has_formula(physics)


def has_formula(physics: Physics) -> bool:
    """Return whether a projection takes no matrix, iteration or polynomial."""
    return _formula(linear_part(physics), 0.0) is not None


def range_project(physics: Physics, x: Tensor, **settings: Any) -> Tensor:
    """Return what ``physics`` measures of ``x``, its orthogonal projection on the row space.

    Once; :class:`Projection` keeps what it needs for many images, and takes the same settings.

    Parameters
    ----------
    physics
        The instrument.
    x
        ``(batch, channel, *image_shape)``. Gradients flow through, to any order.
    settings
        Of :class:`Projection`; the regularisation is 0 here.

    Raises
    ------
    InputError
        If the shape of ``x`` does not fit, or a setting is out of range.
    """
    physics = linear_part(physics)
    physics._check(x, physics.image_shape, "an image")
    return Projection(physics, **{"regularisation": 0.0, **settings}).range(x)


def null_project(physics: Physics, x: Tensor, **settings: Any) -> Tensor:
    """Return ``x - range_project(physics, x)``; takes the same settings."""
    return x - range_project(physics, x, **settings)
