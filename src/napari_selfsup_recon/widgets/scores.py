"""Numbers for compared images: those that need no truth, and those that need a reference."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.widgets.pairing import middle
from napari_selfsup_recon.widgets.score_resolution import (
    Grid,
    Resolution,
    resolution_against,
    resolution_of_raw,
)


@dataclass(frozen=True)
class Score:
    """What is measured of one image.

    Attributes
    ----------
    name
        Of the layer.
    total
        Sum of grey values over that of the first image.
    negative
        Share of negative values.
    misfit
        Root mean square of ``y - A(x)`` in grey values; None where it is not known.
    structure
        Correlation of neighbouring pixels of ``y - A(x)`` beyond chance: 0 if it is noise.
    psnr, ssim, nrmse
        Against the reference, after the straight line that fits the grey values best; None without.
    resolution
        Finest detail that agrees with the reference; without one, of a raw image, what its noise
        leaves of it. None where it cannot be told.
    """

    name: str
    total: float
    negative: float
    misfit: float | None = None
    structure: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    nrmse: float | None = None
    resolution: Resolution | None = None


def scores(
    images: Mapping[str, FloatImage],
    residuals: Mapping[str, FloatImage],
    reference: FloatImage | None = None,
    *,
    grid: Grid | None = None,
    raw: Collection[str] = (),
) -> Generator[str, None, list[Score]]:
    """Measure images of one shape; yields the name of the image that comes next.

    Parameters
    ----------
    images
        By name; the first is what sums are related to.
    residuals
        ``y - A(x)`` by the name of the image; may lack some.
    reference
        Of the shape of the images, or None.
    grid
        How their pixels lie, and so which axes are spatial; without it no resolution is measured.
    raw
        Names of the images that were not computed from others.
    """
    from napari_selfsup_recon.metrics.nrmse import nrmse
    from napari_selfsup_recon.metrics.psnr import psnr
    from napari_selfsup_recon.metrics.ssim import ssim
    from napari_selfsup_recon.metrics.whiteness import residual_whiteness

    ndim = None if grid is None else len(grid.scale)
    found: list[Score] = []
    first: float | None = None
    for name, image in images.items():
        yield name
        total = float(np.nansum(image, dtype=np.float64))
        first = total if first is None else first
        more: dict[str, Any] = {}
        left = residuals.get(name)
        if left is not None and left.size >= 256:
            part = middle(left, ndim)
            more["misfit"] = float(np.sqrt(np.mean(np.square(part, dtype=np.float64))))
            more["structure"] = residual_whiteness(part).correlation
        if reference is not None:
            true = middle(reference, ndim)
            fitted = fit(middle(image, ndim), true)
            span = float(np.ptp(true)) or 1.0
            more["psnr"] = psnr(true, fitted, data_range=span)
            more["ssim"] = ssim(true, fitted, data_range=span)
            more["nrmse"] = nrmse(true, fitted)
        if grid is not None and reference is not None:
            more["resolution"] = resolution_against(image, reference, grid)
        elif grid is not None and name in raw:
            more["resolution"] = resolution_of_raw(image, grid)
        ratio = total / first if first else float("nan")
        found.append(Score(name, ratio, float(np.mean(image < 0)), **more))
    return found


def fit(image: FloatImage, reference: FloatImage) -> FloatImage:
    """Return ``a image + b``, the straight line nearest to the reference in squares."""
    x, y = image.astype(np.float64), reference.astype(np.float64)
    spread = float(np.var(x))
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread else 0.0
    fitted: FloatImage = (slope * (x - x.mean()) + y.mean()).astype(np.float32)
    return fitted
