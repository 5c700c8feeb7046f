"""Magnetic resonance imaging: samples of the Fourier transform of a complex image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics._masks import BoolArray, Mask
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe

# Where the coils together see less than this part of the most, nothing can be said.
_DARK = 1e-3


class MRI(Physics):
    r"""Cartesian MRI, one coil or several with known sensitivities.

    .. math:: y_c = M \, F (s_c \, x), \qquad c = 1 \ldots C

    F is the orthonormal Fourier transform, centred: zero frequency and origin of the image are at
    ``n // 2`` of each axis. One coil means s = 1. Complex values are two channels, real and
    imaginary part (:func:`as_channels`, :func:`as_complex`).

    Images are ``(batch, 2, *spatial)``, measurements ``(batch, 2, *spatial)``, with several coils
    ``(batch, 2, coil, *spatial)``, with zeros where nothing was measured.

    Parameters
    ----------
    mask
        Boolean, or zeros and ones, over centred k-space; True where it is measured. ``(*spatial)``,
        or ``(batch, 1, *spatial)``, one for each image. A column mask is repeated by the caller
        (``np.broadcast_to(columns, (rows, len(columns)))``).
    maps
        Sensitivities of the coils, complex, ``(coil, *spatial)``; None: a single coil.

    Raises
    ------
    InputError
        If the mask is empty, is not made of zeros and ones or measures nothing; if the maps do not
        fit it, are not finite, or zero everywhere.
    """

    channels = 2

    def __init__(self, mask: ArrayLike | Tensor, *, maps: ArrayLike | Tensor | None = None) -> None:
        self._mask = Mask(mask)
        spatial = self._mask.spatial
        #: Sensitivities, complex128, read-only, ``(coil, *spatial)``; None for a single coil.
        self.maps = None if maps is None else _checked_maps(maps, spatial)
        coils = () if self.maps is None else (len(self.maps),)
        super().__init__(spatial, (*coils, *spatial))
        self.items = self._mask.items
        self._kept: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    @property
    def mask(self) -> BoolArray:
        """The mask, boolean, read-only, ``(*spatial)`` or ``(batch, 1, *spatial)``."""
        return self._mask.array

    def A_dagger(self, y: Tensor) -> Tensor:
        r"""Return the zero-filled image; of several coils their best combination.

        .. math:: x = \frac{A^T y}{\sum_c |s_c|^2}

        and 0 where no coil sees anything. With one coil that is the pseudo-inverse.
        """
        x = self.A_adjoint(y)
        if self.maps is None:
            return x
        power = self._sensitivities(y).abs().square().sum(0)
        seen = power > _DARK * power.max()
        return x * torch.where(seen, 1 / power.where(seen, power.new_ones(())), 0.0)

    def at(self, items: Sequence[int]) -> MRI:
        """Return the operator of some images of the batch."""
        return self if self.items is None else MRI(self._mask.at(items), maps=self.maps)

    def observed(self, like: Tensor) -> Tensor:
        """Return the mask as zeros and ones."""
        mask = self._mask.like(like)
        return mask if self.maps is None else mask[:, :, None]

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        arrays: dict[str, np.ndarray[Any, Any]] = {"mask": self.mask}
        if self.maps is not None:
            arrays["maps"] = np.stack([self.maps.real, self.maps.imag])
        return Recipe("mri", {}, arrays)

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> MRI:
        """Rebuild the operator."""
        parts = recipe.arrays.get("maps")
        maps = None if parts is None else parts[0] + 1j * parts[1]
        return cls(recipe.arrays["mask"], maps=maps)

    def _seen(self, x: Tensor, regularisation: float) -> Tensor | None:
        return self.A_adjoint(self.A(x)) if self.maps is None else None

    def _forward(self, x: Tensor) -> Tensor:
        image = as_complex(x)
        if self.maps is not None:
            image = image[:, None] * self._sensitivities(x)
        axes = self._axes(image)
        centred = torch.fft.ifftshift(image, dim=axes)
        spectrum = torch.fft.fftshift(torch.fft.fftn(centred, dim=axes, norm="ortho"), dim=axes)
        y: Tensor = as_channels(spectrum).to(x.dtype)
        return y * self.observed(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        spectrum = as_complex(y * self.observed(y))
        axes = self._axes(spectrum)
        centred = torch.fft.ifftshift(spectrum, dim=axes)
        image = torch.fft.fftshift(torch.fft.ifftn(centred, dim=axes, norm="ortho"), dim=axes)
        if self.maps is not None:
            image = (image * self._sensitivities(y).conj()).sum(1)
        x: Tensor = as_channels(image).to(y.dtype)
        return x

    def _axes(self, value: Tensor) -> tuple[int, ...]:
        return tuple(range(value.ndim - len(self.image_shape), value.ndim))

    def _sensitivities(self, like: Tensor) -> Tensor:
        dtype = torch.complex128 if like.dtype == torch.float64 else torch.complex64
        key = (dtype, like.device)
        if key not in self._kept:
            # In single precision first: not every device knows double.
            self._kept[key] = torch.from_numpy(np.array(self.maps)).to(dtype).to(like.device)
        return self._kept[key]


@overload
def as_channels(values: Tensor) -> Tensor: ...
@overload
def as_channels(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...
def as_channels(values: Any) -> Any:
    """Return complex ``(batch, ...)`` as real ``(batch, 2, ...)``: real and imaginary part."""
    if isinstance(values, Tensor):
        return torch.stack([values.real, values.imag], dim=1)
    return np.stack([values.real, values.imag], axis=1)


@overload
def as_complex(values: Tensor) -> Tensor: ...
@overload
def as_complex(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...
def as_complex(values: Any) -> Any:
    """Return real ``(batch, 2, ...)`` as complex ``(batch, ...)``; undoes :func:`as_channels`."""
    if isinstance(values, Tensor):
        real = values if values.dtype in (torch.float32, torch.float64) else values.float()
        return torch.complex(real[:, 0].contiguous(), real[:, 1].contiguous())
    return values[:, 0] + 1j * values[:, 1]


def _checked_maps(
    maps: ArrayLike | Tensor, spatial: tuple[int, ...]
) -> np.ndarray[Any, np.dtype[np.complex128]]:
    values = np.array(maps.detach().cpu() if isinstance(maps, Tensor) else maps, np.complex128)
    if values.shape[1:] != spatial or not len(values):
        raise InputError(
            f"Sensitivities of shape {values.shape} do not fit a mask of shape {spatial}.",
            hint=f"Give complex values of shape (coils, {', '.join(map(str, spatial))}).",
        )
    if not np.isfinite(values).all() or not values.any():
        raise InputError(
            "The sensitivities hold NaN or infinite values, or are zero everywhere.",
            hint="Estimate them again, and set them to 0 outside the object.",
        )
    values.setflags(write=False)
    return values
