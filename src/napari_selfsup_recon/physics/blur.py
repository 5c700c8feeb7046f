"""Blur by a point spread function: true convolution by real FFT, 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.fft import next_fast_len
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe

Boundary = Literal["extended", "circular", "reflect", "zero"]


class Blur(Physics):
    r"""Convolution with a point spread function.

    .. math:: (A x)_i = \sum_k h_k \, x_{i + c - k}, \qquad c = \lfloor n / 2 \rfloor

    Parameters
    ----------
    psf
        Point spread function, 2D or 3D, any size and parity, centre at ``n // 2`` of each axis. It
        is used as it is; :func:`napari_selfsup_recon.psf.prepare` centres and normalises.
    shape
        Shape of the measured array.
    boundary
        What lies beyond the edge of the measurement. ``"extended"``: unknown, it is part of the
        image, so ``image_shape = shape + psf - 1``. ``"circular"``: the other side. ``"reflect"``:
        the mirror image (the edge pixel is repeated). ``"zero"``: nothing.
    regularisation
        Of :meth:`A_dagger`, relative to the largest squared gain of the blur.

    Raises
    ------
    InputError
        If the PSF is empty, not finite, all zero, sums to zero or less, or has another number of
        axes than ``shape``.
    """

    def __init__(
        self,
        psf: ArrayLike | Tensor,
        shape: Sequence[int],
        *,
        boundary: Boundary = "extended",
        regularisation: float = 1e-2,
    ) -> None:
        self.psf = _checked(psf, len(tuple(shape)))
        self.boundary: Boundary = boundary
        self.regularisation = float(regularisation)
        if boundary not in get_args(Boundary):
            raise InputError(
                f"There is no boundary {boundary!r}.", hint=f"Choose from {get_args(Boundary)}."
            )
        kernel = self.psf.shape
        measured = tuple(int(n) for n in shape)
        extended = tuple(m + k - 1 for m, k in zip(measured, kernel, strict=True))
        super().__init__(extended if boundary == "extended" else measured, measured)
        self._reach = tuple((k - 1 - k // 2, k // 2) for k in kernel)
        self._restricted: dict[tuple[int, ...], Blur] = {}
        self._otfs: dict[tuple[Any, ...], Tensor] = {}
        if boundary == "circular":
            self._fft_shape = measured
        elif boundary == "zero":
            self._fft_shape = _fast(
                [m + max(pair) for m, pair in zip(measured, self._reach, strict=True)]
            )
        else:
            self._fft_shape = _fast(extended)
        # Where the first voxel of the PSF lands: the output then starts at index 0.
        self._shift = tuple(
            (k - 1 if boundary in ("extended", "reflect") else k // 2) for k in kernel
        )

    @property
    def fft_shape(self) -> tuple[int, ...]:
        """Shape at which the transforms run."""
        return self._fft_shape

    def otf(self, like: Tensor) -> Tensor:
        """Return the transfer function (half spectrum) for the dtype and device of ``like``."""
        key = (like.dtype, like.device)
        if key not in self._otfs:
            placed = np.zeros(self._fft_shape)
            where = np.ix_(
                *(
                    (np.arange(k) - s) % n
                    for k, s, n in zip(self.psf.shape, self._shift, self._fft_shape, strict=True)
                )
            )
            np.add.at(placed, where, self.psf)  # a PSF larger than the period wraps around
            spectrum = torch.fft.rfftn(torch.from_numpy(placed))
            self._otfs[key] = spectrum.to(device=like.device, dtype=_complex(like.dtype))
        return self._otfs[key]

    def A_dagger(self, y: Tensor) -> Tensor:
        r"""Return the Tikhonov inverse :math:`\bar H / (|H|^2 + \epsilon)` of the mirrored ``y``."""
        self._check(y, self.measurement_shape, "a measurement")
        inner = y
        for axis, (before, behind) in enumerate(self.margins, start=2):
            inner = _mirror(inner, axis, before, behind)
        # Mirroring once more up to twice the size makes the periodic inverse free of edges.
        doubled = inner
        for axis in range(2, y.ndim):
            doubled = torch.cat([doubled, doubled.flip(axis)], dim=axis)
        full = Blur(self.psf, doubled.shape[2:], boundary="circular")
        gain = full.otf(y)
        power = gain.abs().square()
        inverse = gain.conj() / (power + self.regularisation * power.max())
        axes = tuple(range(2, y.ndim))
        spectrum = torch.fft.rfftn(doubled, dim=axes) * inverse
        x = torch.fft.irfftn(spectrum, s=doubled.shape[2:], dim=axes)
        return x[(..., *(slice(0, n) for n in inner.shape[2:]))]

    def restrict(self, region: Region) -> Blur:
        """Return the blur on a crop; beyond the crop the image is unknown (``"extended"``)."""
        shape = tuple(
            len(range(*s.indices(n))) for s, n in zip(region, self.measurement_shape, strict=True)
        )
        if shape == self.measurement_shape:
            return self
        if shape not in self._restricted:  # crops of one size share a transfer function
            self._restricted[shape] = Blur(self.psf, shape, regularisation=self.regularisation)
        return self._restricted[shape]

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Pixels of the image before and behind the measurement, an axis."""
        return self._reach if self.boundary == "extended" else super().margins

    def field_of_view(self, x: Tensor) -> Tensor:
        """Return the part of the image under the measurement."""
        if self.boundary != "extended":
            return x
        return x[
            (
                ...,
                *(
                    slice(before, before + n)
                    for (before, _), n in zip(self.margins, self.measurement_shape, strict=True)
                ),
            )
        ]

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        return Recipe(
            "blur",
            {
                "shape": list(self.measurement_shape),
                "boundary": self.boundary,
                "regularisation": self.regularisation,
            },
            {"psf": self.psf},
        )

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Blur:
        """Rebuild the operator."""
        return cls(recipe.arrays["psf"], **recipe.params)

    def _forward(self, x: Tensor) -> Tensor:
        if self.boundary == "reflect":
            for axis, (before, behind) in enumerate(self._reach, start=2):
                x = _mirror(x, axis, before, behind)
        return self._filter(x, self.otf(x), self.measurement_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        if self.boundary != "reflect":
            return self._filter(y, self.otf(y).conj(), self.image_shape)
        extended = [m + k - 1 for m, k in zip(self.measurement_shape, self.psf.shape, strict=True)]
        x = self._filter(y, self.otf(y).conj(), extended)
        for axis, (before, behind) in enumerate(self._reach, start=2):
            x = _mirror_adjoint(x, axis, before, behind)
        return x

    def _filter(self, x: Tensor, otf: Tensor, shape: Sequence[int]) -> Tensor:
        axes = tuple(range(2, x.ndim))
        spectrum = torch.fft.rfftn(x, s=self._fft_shape, dim=axes) * otf
        out = torch.fft.irfftn(spectrum, s=self._fft_shape, dim=axes)
        return out[(..., *(slice(0, n) for n in shape))].contiguous()


def _checked(psf: ArrayLike | Tensor, ndim: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    kernel = np.array(psf.detach().cpu() if isinstance(psf, Tensor) else psf, dtype=np.float64)
    if kernel.ndim != ndim:
        raise InputError(
            f"The PSF has {kernel.ndim} axes, the image {ndim}.",
            hint="Give a 2D PSF for images and a 3D PSF for volumes.",
        )
    if kernel.size == 0 or not np.isfinite(kernel).all():
        raise InputError("The PSF is empty or holds NaN or infinite values.", hint="Repair the PSF.")
    if not kernel.any() or kernel.sum() <= 0:
        raise InputError(
            "The PSF is zero everywhere or sums to nothing positive.",
            hint="Choose another PSF, or subtract its background with psf.prepare.",
        )
    kernel.setflags(write=False)
    return kernel


def _fast(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(next_fast_len(int(n), real=True) for n in shape)


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype == torch.float64 else torch.complex64


def _mirror_index(n: int, before: int, behind: int, device: torch.device) -> Tensor:
    index = np.pad(np.arange(n), (before, behind), mode="symmetric")
    return torch.from_numpy(index).to(device)


def _mirror(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    return x.index_select(axis, _mirror_index(x.shape[axis], before, behind, x.device))


def _mirror_adjoint(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    n = x.shape[axis] - before - behind
    shape = list(x.shape)
    shape[axis] = n
    index = _mirror_index(n, before, behind, x.device)
    return torch.zeros(shape, dtype=x.dtype, device=x.device).index_add(axis, index, x)


