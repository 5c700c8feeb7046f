"""Numbers for compared images: those that need no truth, and those that need a reference."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np

from napari_selfsup_recon.core.measurement import FloatImage

# Of larger images the middle is measured: the numbers hardly change, the seconds do.
_LONGEST = {2: 1024, 3: 96}


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
    """

    name: str
    total: float
    negative: float
    misfit: float | None = None
    structure: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    nrmse: float | None = None


def scores(
    images: Mapping[str, FloatImage],
    residuals: Mapping[str, FloatImage],
    reference: FloatImage | None = None,
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
    """
    from napari_selfsup_recon.metrics.nrmse import nrmse
    from napari_selfsup_recon.metrics.psnr import psnr
    from napari_selfsup_recon.metrics.ssim import ssim
    from napari_selfsup_recon.metrics.whiteness import residual_whiteness

    found: list[Score] = []
    first: float | None = None
    for name, image in images.items():
        yield name
        total = float(np.nansum(image, dtype=np.float64))
        first = total if first is None else first
        more: dict[str, float] = {}
        left = residuals.get(name)
        if left is not None and left.size >= 256:
            part = middle(left)
            more["misfit"] = float(np.sqrt(np.mean(np.square(part, dtype=np.float64))))
            more["structure"] = residual_whiteness(part).correlation
        if reference is not None:
            true, fitted = middle(reference), fit(middle(image), middle(reference))
            span = float(np.ptp(true)) or 1.0
            more["psnr"] = psnr(true, fitted, data_range=span)
            more["ssim"] = ssim(true, fitted, data_range=span)
            more["nrmse"] = nrmse(true, fitted)
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


def middle(image: FloatImage) -> FloatImage:
    """Return the middle of a large image; of leading axes the middle one."""
    flat = [n for n in image.shape if n > 1]
    image = image.reshape(flat)
    while image.ndim > 3:
        image = image[image.shape[0] // 2]
    most = _LONGEST[max(2, image.ndim)]
    part: FloatImage = image[
        tuple(slice((n - min(n, most)) // 2, (n + min(n, most)) // 2) for n in image.shape)
    ]
    return part
