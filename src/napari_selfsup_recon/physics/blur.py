"""Blur by a point spread function: true convolution by real FFT, 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics._mirror import mirror, mirror_adjoint
from napari_selfsup_recon.physics._sizes import crop_shape, fast_shape
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe

Boundary = Literal["extended", "circular", "reflect", "zero"]
_KEPT_CROPS = 16


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
        axes than ``shape``; if ``shape`` is empty or there is no such boundary.
    """

    def __init__(
        self,
        psf: ArrayLike | Tensor,
        shape: Sequence[int],
        *,
        boundary: Boundary = "extended",
        regularisation: float = 1e-2,
    ) -> None:
        measured = tuple(int(n) for n in shape)
        if not measured or min(measured) < 1:
            raise InputError(
                f"An image of shape {measured} is empty.", hint="Give at least one voxel an axis."
            )
        if boundary not in get_args(Boundary):
            raise InputError(
                f"There is no boundary {boundary!r}.",
                hint=f"Choose from {', '.join(get_args(Boundary))}.",
            )
        #: The point spread function, float64, read-only.
        self.psf = _checked(psf, len(measured))
        self.boundary: Boundary = boundary
        self.regularisation = float(regularisation)
        kernel = self.psf.shape
        extended = tuple(m + k - 1 for m, k in zip(measured, kernel, strict=True))
        super().__init__(extended if boundary == "extended" else measured, measured)
        # How far the PSF reaches before and behind each voxel of the measurement, an axis.
        self._reach = tuple((k - 1 - k // 2, k // 2) for k in kernel)
        self._restricted: dict[tuple[int, ...], Blur] = {}
        self._otfs: dict[tuple[Any, ...], Tensor] = {}
        if boundary == "circular":
            self._fft_shape = measured
        elif boundary == "zero":
            self._fft_shape = fast_shape(
                [m + max(pair) for m, pair in zip(measured, self._reach, strict=True)]
            )
        else:
            self._fft_shape = fast_shape(extended)
        # Where the first voxel of the PSF lands: the output then starts at index 0.
        self._shift = tuple(
            (k - 1 if boundary in ("extended", "reflect") else k // 2) for k in kernel
        )

    @property
    def fft_shape(self) -> tuple[int, ...]:
        """Shape at which the transforms run."""
        return self._fft_shape

    def otf(self, like: Tensor) -> Tensor:
        """Return the transfer function (half spectrum) for the dtype and device of ``like``.

        It is kept, one a dtype and device. Two threads that ask at once may both compute it; they
        get equal values.
        """
        key = (_complex(like.dtype), like.device)
        found = self._otfs.get(key)
        if found is None:
            placed = np.zeros(self._fft_shape)
            where = np.ix_(
                *(
                    (np.arange(k) - s) % n
                    for k, s, n in zip(self.psf.shape, self._shift, self._fft_shape, strict=True)
                )
            )
            np.add.at(placed, where, self.psf)  # a PSF larger than the period wraps around
            spectrum = torch.fft.rfftn(torch.from_numpy(placed))
            # In single precision first: not every device knows double.
            found = self._otfs[key] = spectrum.to(_complex(like.dtype)).to(like.device)
        return found

    def A_dagger(self, y: Tensor) -> Tensor:
        r"""Return the Tikhonov inverse :math:`\bar H / (|H|^2 + \epsilon)` applied to ``y``.

        Beyond its edges ``y`` is taken as circular where the blur is, else as mirrored.
        """
        self._check(y, self.measurement_shape, "a measurement")
        inner = y
        if self.boundary == "extended":
            for axis, (before, behind) in enumerate(self.margins, start=2):
                inner = mirror(inner, axis, before, behind)
        full: Blur = self
        periodic = inner
        if self.boundary != "circular":
            # Mirroring up to twice the size makes the periodic inverse free of edges.
            for axis in range(2, y.ndim):
                periodic = torch.cat([periodic, periodic.flip(axis)], dim=axis)
            full = Blur(self.psf, periodic.shape[2:], boundary="circular")
        gain = full.otf(y)
        power = gain.abs().square()
        inverse = gain.conj() / (power + self.regularisation * power.max())
        axes = tuple(range(2, y.ndim))
        spectrum = torch.fft.rfftn(periodic, dim=axes) * inverse
        x = torch.fft.irfftn(spectrum, s=periodic.shape[2:], dim=axes)
        return _crop(x, (0,) * len(axes), inner.shape[2:]).contiguous()

    def restrict(self, region: Region) -> Blur:
        """Return the blur on a crop; beyond the crop the image is unknown (``"extended"``)."""
        shape = crop_shape(region, self.measurement_shape)
        if shape == self.measurement_shape:
            return self
        found = self._restricted.get(shape)  # crops of one size share a transfer function
        if found is None:
            found = Blur(self.psf, shape, regularisation=self.regularisation)
            if len(self._restricted) >= _KEPT_CROPS:
                self._restricted.clear()
            self._restricted[shape] = found
        return found

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Pixels of the image before and behind the measurement, an axis."""
        return self._reach if self.boundary == "extended" else super().margins

    def field_of_view(self, x: Tensor) -> Tensor:
        """Return the part of the image under the measurement."""
        if self.boundary != "extended":
            return x
        return _crop(x, [before for before, _ in self.margins], self.measurement_shape)

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

    def _seen(self, x: Tensor, regularisation: float) -> Tensor | None:
        if self.boundary != "circular":
            return None
        power = self.otf(x).abs().square()
        kept = power / (power + regularisation * power.max())
        axes = tuple(range(2, x.ndim))
        spectrum = torch.fft.rfftn(x, dim=axes) * kept
        seen: Tensor = torch.fft.irfftn(spectrum, s=x.shape[2:], dim=axes).to(x.dtype)
        return seen

    def _forward(self, x: Tensor) -> Tensor:
        if self.boundary == "reflect":
            for axis, (before, behind) in enumerate(self._reach, start=2):
                x = mirror(x, axis, before, behind)
        return self._filter(x, self.otf(x), self.measurement_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        if self.boundary != "reflect":
            return self._filter(y, self.otf(y).conj(), self.image_shape)
        extended = [m + k - 1 for m, k in zip(self.measurement_shape, self.psf.shape, strict=True)]
        x = self._filter(y, self.otf(y).conj(), extended)
        for axis, (before, behind) in enumerate(self._reach, start=2):
            x = mirror_adjoint(x, axis, before, behind)
        return x

    def _filter(self, x: Tensor, otf: Tensor, shape: Sequence[int]) -> Tensor:
        axes = tuple(range(2, x.ndim))
        single = x if x.dtype in (torch.float32, torch.float64) else x.float()
        spectrum = torch.fft.rfftn(single, s=self._fft_shape, dim=axes)
        out = torch.fft.irfftn(spectrum.mul_(otf), s=self._fft_shape, dim=axes)
        return _crop(out, (0,) * len(axes), shape).to(x.dtype).contiguous()


def _checked(psf: ArrayLike | Tensor, ndim: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    kernel = np.array(psf.detach().cpu() if isinstance(psf, Tensor) else psf, dtype=np.float64)
    if kernel.ndim != ndim:
        raise InputError(
            f"The PSF has {kernel.ndim} axes, the image {ndim}.",
            hint="Give a 2D PSF for images and a 3D PSF for volumes.",
        )
    if kernel.size == 0 or not np.isfinite(kernel).all():
        raise InputError(
            "The PSF is empty or holds NaN or infinite values.", hint="Repair the PSF."
        )
    if not kernel.any() or kernel.sum() <= 0:
        raise InputError(
            "The PSF is zero everywhere or sums to nothing positive.",
            hint="Choose another PSF, or subtract its background with psf.prepare.",
        )
    kernel.setflags(write=False)
    return kernel


def _crop(x: Tensor, starts: Sequence[int], shape: Sequence[int]) -> Tensor:
    for axis, (start, n) in enumerate(zip(starts, shape, strict=True), x.ndim - len(shape)):
        x = x.narrow(axis, start, n)
    return x


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype == torch.float64 else torch.complex64
