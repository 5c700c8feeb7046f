"""Where the core of a PSF is and how wide, from all of its voxels and not from three of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_selfsup_recon.physics.psf._core import find_core
from napari_selfsup_recon.physics.psf._finding import Kernel
from napari_selfsup_recon.physics.psf._fwhm import fwhm
from napari_selfsup_recon.physics.psf._gaussian import FWHM_PER_SIGMA

_CORE = 0.3  # of the peak: what is fitted
_AIRY = 0.045  # quartic term of jinc^2 (0.042) and of sinc^2 (0.050)


@dataclass(frozen=True)
class Peak:
    """The core of a PSF.

    Attributes
    ----------
    centre
        In voxels.
    fwhm
        Along each axis through the centre, in voxels; of a tilted core that is less than its whole
        extent.
    height
        In grey values.
    """

    centre: tuple[float, ...]
    fwhm: tuple[float, ...]
    height: float


def fit_peak(kernel: Kernel) -> Peak | None:
    r"""Return the centre and the widths of the core.

    The form :math:`a\, e^{-s (1 + \kappa s) / 2}` with :math:`s = (x-c)^T Q (x-c)` is fitted; the
    quartic term makes it as steep as the cores of diffraction are.

    Parameters
    ----------
    kernel
        Without background; more than one voxel along each axis.

    Returns
    -------
    Peak or None
        None where the core is no peak: cut off by the border, or lost in noise.
    """
    form, noise = _start(kernel), 0.1
    for _ in range(3):
        better = _fitted(kernel, form, noise)
        if better is None:
            return None
        form, noise = better
    half = form.half_square()
    widths = tuple(2 * math.sqrt(half / q) for q in np.diag(form.matrix))
    return Peak(tuple(float(c) for c in form.centre), widths, form.height)


@dataclass(frozen=True)
class _Form:
    height: float
    centre: Kernel
    matrix: Kernel
    quartic: float = _AIRY

    def square(self, away: Kernel) -> Kernel:
        square: Kernel = np.einsum("i...,ij,j...->...", away, self.matrix, away)
        return square

    def half_square(self) -> float:
        """Return s where the form has fallen to half."""
        root = 1 + 8 * math.log(2) * self.quartic
        if abs(self.quartic) < 1e-6 or root <= 0:
            return 2 * math.log(2)
        return (math.sqrt(root) - 1) / (2 * self.quartic)


def _fall(square: Kernel, quartic: float) -> Kernel:
    # A negative quartic term would rise again far out, where nothing is fitted.
    return np.exp(-0.5 * np.minimum(square * (1 + quartic * square), 200.0))


def _start(kernel: Kernel) -> _Form:
    core = find_core(kernel)
    centre = np.array(core.centroid)
    widths = [
        max(1.0, ((w if np.isfinite(w) else n / 2) + high - low + 1) / 2)
        for w, n, (low, high) in zip(fwhm(kernel), kernel.shape, core.extent, strict=True)
    ]
    middle = tuple(np.clip(np.round(centre).astype(int), 0, np.array(kernel.shape) - 1))
    height = max(float(kernel[middle]), float(kernel.max()) / 2)
    return _Form(height, centre, np.diag([(FWHM_PER_SIGMA / w) ** 2 for w in widths]))


def _fitted(kernel: Kernel, form: _Form, noise: float) -> tuple[_Form, float] | None:
    """Return the form that fits the voxels best that ``form`` says are the core, and the rest."""
    from scipy.optimize import least_squares

    ndim = kernel.ndim
    upper = np.triu_indices(ndim)
    away = np.indices(kernel.shape, dtype=np.float64) - form.centre.reshape(-1, *[1] * ndim)
    inside = form.square(away) < -2 * math.log(_CORE)
    if np.count_nonzero(inside) < 4 + ndim + upper[0].size:
        return None
    scale = np.sqrt(np.diag(form.matrix))
    position = away[:, inside] * scale[:, None]
    values = kernel[inside] / form.height

    def residual(p: Kernel) -> Kernel:
        from_centre = position - p[2 : 2 + ndim, None]
        square = np.einsum("in,ij,jn->n", from_centre, _symmetric(p[2 + ndim :], ndim), from_centre)
        rest = p[0] * _fall(square, p[1]) - values
        # Where noise leaves it open, the core is as steep as that of an Airy disc.
        return np.append(rest, 3 * noise * (p[1] - _AIRY) / _AIRY)

    start = np.concatenate(
        [[1.0, form.quartic], np.zeros(ndim), (form.matrix / np.outer(scale, scale))[upper]]
    )
    found = least_squares(residual, start, method="lm", max_nfev=300).x
    matrix = _symmetric(found[2 + ndim :], ndim)
    centre = form.centre + found[2 : 2 + ndim] / scale
    if (
        not np.isfinite(found).all()
        or found[0] <= 0
        or np.linalg.eigvalsh(matrix).min() <= 0.02
        or (centre < 0).any()
        or (centre > np.array(kernel.shape) - 1).any()
    ):
        return None
    quartic = float(np.clip(found[1], -0.05, 1.0))
    rest = float(np.sqrt(np.mean(residual(found) ** 2)))
    return _Form(
        form.height * float(found[0]), centre, matrix * np.outer(scale, scale), quartic
    ), rest


def _symmetric(entries: Kernel, ndim: int) -> Kernel:
    matrix: Kernel = np.zeros((ndim, ndim))
    matrix[np.triu_indices(ndim)] = entries
    return matrix + matrix.T - np.diag(np.diag(matrix))
