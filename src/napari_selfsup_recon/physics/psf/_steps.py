"""Repairs of the values of a PSF: background, noise, negative values, sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._core import (
    SMOOTHED_NOISE,
    labels,
    noise_level,
    smooth,
)
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel

WORTH = 0.01  # share of the light below which a background is left alone


def subtract_background(psf: ArrayLike, level: float | None = None) -> tuple[Kernel, Finding]:
    """Return the PSF without its constant background.

    The background is read off the outermost voxels, if these are as flat and as dark as voxels
    further in (the tails of a PSF fall off, a camera offset does not) and if it matters: if it adds
    up to 1 % of the light or more.

    Parameters
    ----------
    psf
        Point spread function.
    level
        Background to subtract, in grey values, where it is known.

    Returns
    -------
    tuple
        The PSF (noise makes some of it negative) and what was found.
    """
    kernel = as_kernel(psf)
    if level is None:
        level = _border_level(kernel)
        if abs(level) * kernel.size < WORTH * abs(float(kernel.sum())):
            return kernel, Finding("background", "The PSF has no background.")
    elif level == 0:
        return kernel, Finding("background", "No background was subtracted.")
    return kernel - level, Finding(
        "background", f"A background of {level:.4g} grey values was subtracted.", "repaired"
    )


def _border_level(kernel: Kernel) -> float:
    border = _shell(kernel)
    if border.size < 8:
        return 0.0
    low, middle = np.quantile(border, (0.05, 0.5))
    further_in = kernel[tuple(slice(n * 3 // 20, n - n * 3 // 20) for n in kernel.shape)]
    if middle <= 0 or low < middle / 2 or np.median(_shell(further_in)) > 2 * middle:
        return 0.0
    # The mean, not the median: grey values are often as coarse as the background itself.
    for _ in range(3):
        limit = border.mean() + 4 * border.std()
        border = border[border <= limit]
    return float(border.mean())


def _shell(kernel: Kernel) -> Kernel:
    """Return the outermost voxels, as a list."""
    outer = np.ones(kernel.shape, dtype=bool)
    outer[tuple(slice(1, -1) if n > 2 else slice(None) for n in kernel.shape)] = False
    shell: Kernel = kernel[outer]
    return shell


def suppress_noise(psf: ArrayLike, threshold: float = 3.0) -> tuple[Kernel, Finding]:
    """Return the PSF with nothing but its core and what hangs together with it above the noise.

    The noise is judged by the negative values, so that a computed PSF stays as it is. Clipping
    alone would turn the noise around zero into a haze over the whole array.

    Parameters
    ----------
    psf
        Point spread function without background.
    threshold
        In standard deviations of the noise, after smoothing with a Gaussian of one voxel.
    """
    kernel = as_kernel(psf)
    noise = noise_level(kernel)
    if noise <= 1e-6 * kernel.max():
        return kernel, Finding("noise", "The PSF has no noise that matters.")
    smoothed = smooth(kernel)
    limit = min(threshold * noise * SMOOTHED_NOISE**kernel.ndim, float(smoothed.max()) / 2)
    groups, _ = labels(smoothed > limit)
    peak = np.unravel_index(int(np.argmax(smoothed)), kernel.shape)
    kept = np.where(groups == groups[peak], kernel, 0.0)
    return kept, Finding(
        "noise",
        f"Values that cannot be told from noise (±{noise:.3g} grey values) were set to zero.",
        "repaired",
    )


def clip_negative(psf: ArrayLike) -> tuple[Kernel, Finding]:
    """Return the PSF with its negative values set to zero.

    Raises
    ------
    InputError
        If no value is positive.
    """
    kernel = as_kernel(psf)
    positive = float(kernel[kernel > 0].sum())
    negative = -float(kernel[kernel < 0].sum())
    if positive <= 0:
        raise InputError(
            "The PSF has no positive value.",
            hint="Choose another PSF, or subtract a smaller background.",
        )
    if negative == 0:
        return kernel, Finding("values", "No value is negative.")
    share = negative / positive
    return kernel.clip(min=0.0), Finding(
        "values",
        f"Negative values ({_percent(share)} of the light) were set to zero.",
        "warning" if share > 0.1 else "repaired",
    )


def normalise(psf: ArrayLike) -> tuple[Kernel, Finding]:
    """Return the PSF divided by its sum, so that blurring keeps the amount of light.

    Raises
    ------
    InputError
        If it sums to nothing positive.
    """
    kernel = as_kernel(psf)
    largest = float(np.abs(kernel).max())
    kernel = kernel / largest  # sums of tiny or huge numbers stay finite
    total = float(kernel.sum())
    if not total > 0:
        raise InputError(
            f"The PSF sums to {total * largest:.4g}.",
            hint="Choose another PSF, or subtract its background first.",
        )
    before = total * largest
    if abs(before - 1) < 1e-6:
        return kernel / total, Finding("sum", "The PSF sums to 1.")
    return kernel / total, Finding(
        "sum", f"The PSF was divided by its sum ({before:.4g}).", "repaired"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
