"""Inpainting: some pixels of the image are measured, the others are not."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike
from torch import Tensor

from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics._masks import BoolArray, Mask
from napari_selfsup_recon.physics._sizes import crop_shape
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe


class Inpainting(Physics):
    r"""Images of which only the pixels of a mask are measured.

    .. math:: (A x)_i = m_i \, x_i

    The measurement has the shape of the image, with zeros where nothing was measured. A is its own
    transpose and its own pseudo-inverse.

    Parameters
    ----------
    mask
        Boolean, or zeros and ones; True where a pixel is measured. ``(*spatial)``, the same for all
        images, or ``(batch, 1, *spatial)``, one for each image. Channels share it.

    Raises
    ------
    InputError
        If the mask is empty, is not made of zeros and ones, or measures nothing.
    """

    def __init__(self, mask: ArrayLike | Tensor) -> None:
        self._mask = Mask(mask)
        super().__init__(self._mask.spatial, self._mask.spatial)
        self.items = self._mask.items

    @property
    def mask(self) -> BoolArray:
        """The mask, boolean, read-only, ``(*spatial)`` or ``(batch, 1, *spatial)``."""
        return self._mask.array

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the pseudo-inverse applied to ``y``: its measured pixels, zeros elsewhere."""
        return self.A_adjoint(y)

    def at(self, items: Sequence[int]) -> Inpainting:
        """Return the operator of some images of the batch."""
        return self if self.items is None else Inpainting(self._mask.at(items))

    def observed(self, like: Tensor) -> Tensor:
        """Return the mask as zeros and ones."""
        return self._mask.like(like)

    def restrict(self, region: Region) -> Inpainting:
        """Return the operator on a crop.

        Raises
        ------
        InputError
            If the region is no crop, or nothing is measured in it.
        """
        crop_shape(region, self.measurement_shape)
        leading = (slice(None),) * (0 if self.items is None else 2)
        return Inpainting(self.mask[leading + tuple(region)])

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        return Recipe("inpainting", {}, {"mask": self.mask})

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Inpainting:
        """Rebuild the operator."""
        return cls(recipe.arrays["mask"])

    def _seen(self, x: Tensor, regularisation: float) -> Tensor:
        return self.A(x)

    def _forward(self, x: Tensor) -> Tensor:
        return x * self._mask.like(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return y * self._mask.like(y)
