"""No blur, no geometry: the measurement is the image and noise."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics._sizes import crop_shape
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe


class Identity(Physics):
    """``A(x) = x`` on images of ``shape``; methods then denoise."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(shape, shape)

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return ``y``."""
        self._check(y, self.measurement_shape, "a measurement")
        return y

    def restrict(self, region: Region) -> Identity:
        """Return the identity on a crop."""
        return Identity(crop_shape(region, self.measurement_shape))

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        return Recipe("identity", {"shape": list(self.image_shape)})

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Identity:
        """Rebuild the operator."""
        return cls(recipe.params["shape"])

    def _seen(self, x: Tensor, regularisation: float) -> Tensor:
        return x

    def _forward(self, x: Tensor) -> Tensor:
        return x.clone()

    def _adjoint(self, y: Tensor) -> Tensor:
        return y.clone()
