"""Counts of photons behind an object: Beer and Lambert over a projector."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe, from_recipe

# Counts stay finite for whatever a network proposes: no beam grows 1e13-fold.
_MOST_GAIN = 30.0


class Transmission(Physics):
    r"""Photon counts behind an object, without their noise.

    .. math:: A(x) = I_0 \exp(-\mu \, P x)

    Not linear, so there is no adjoint; :meth:`line_integrals` makes the problem linear again.

    Parameters
    ----------
    projector
        P: a :class:`ParallelBeam` or a :class:`FanBeam`.
    I0
        Counts of a cell without an object.
    attenuation
        Attenuation in a pixel of value 1.
    darkest
        Least transmission, as a share of ``I0``, that is told from none: lower counts, zero and
        negative ones too (read noise), are taken for this.

    Raises
    ------
    InputError
        If ``projector`` is none, a number is not positive, or ``darkest`` is not below 1.
    """

    linear: ClassVar[bool] = False

    def __init__(
        self,
        projector: Projector,
        *,
        I0: float = 1e4,
        attenuation: float = 1.0,
        darkest: float = 1e-4,
    ) -> None:
        if not isinstance(projector, Projector):
            raise InputError(
                f"Transmission works over a CT projector, not over {type(projector).__name__}.",
                hint="Give a ParallelBeam or a FanBeam.",
            )
        for name, value in (("I0", I0), ("attenuation", attenuation), ("darkest", darkest)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value:g}.", hint="Give a number above zero.")
        if darkest >= 1:
            raise InputError(
                f"darkest is {darkest:g}, all of the beam.", hint="Give a share below 1."
            )
        super().__init__(projector.image_shape, projector.measurement_shape)
        self.projector = projector
        self.I0, self.attenuation, self.darkest = float(I0), float(attenuation), float(darkest)

    def A(self, x: Tensor) -> Tensor:
        """Return the expected counts for the images ``x``; differentiable to any order."""
        exponent = -self.attenuation * self.projector.A(x)
        return self.I0 * torch.exp(exponent.clamp_max(_MOST_GAIN))

    __call__ = A

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Refuse: counts do not depend linearly on the image.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            "Photon counts are not linear in the image, so there is no adjoint.",
            hint="Use the projector on line_integrals(counts).",
        )

    def line_integrals(self, y: Tensor) -> Tensor:
        r"""Return :math:`-\log(y / I_0)`, the line integrals of the attenuation, from counts.

        Counts below ``darkest`` of ``I0`` count as that; nothing becomes infinite.
        """
        self._check(y, self.measurement_shape, "a measurement")
        return -torch.log((y / self.I0).clamp_min(self.darkest))

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the filtered back-projection of the counts ``y``, in the unit of the image."""
        return self.projector.A_dagger(self.line_integrals(y) / self.attenuation)

    def restrict(self, region: Region) -> Transmission:
        """Return the operator itself for the whole region, and raise for less."""
        self.projector.restrict(region)
        return self

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        inner = self.projector.recipe()
        params: dict[str, Any] = {
            "projector": {"kind": inner.kind, "params": dict(inner.params)},
            "I0": self.I0,
            "attenuation": self.attenuation,
            "darkest": self.darkest,
        }
        return Recipe("transmission", params, inner.arrays)

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Transmission:
        """Rebuild the operator."""
        params = dict(recipe.params)
        inner = params.pop("projector")
        projector = from_recipe(Recipe(inner["kind"], inner["params"], recipe.arrays))
        return cls(projector, **params)  # type: ignore[arg-type]

    def _forward(self, x: Tensor) -> Tensor:
        return self.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y)

    def _check(self, value: Tensor, shape: tuple[int, ...], what: str) -> None:
        self.projector._check(value, shape, what)
