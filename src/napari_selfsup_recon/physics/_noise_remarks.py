"""What there is to say about the noise of a measurement, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from napari_selfsup_recon.core.measurement import FloatImage

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

_SIDE = 5
_RISE = 6.0


def nothing_seen(planes: FloatImage) -> tuple[str, ...]:
    """Return why there is no estimate at all."""
    if np.ptp(planes) > 0 and min(planes.shape[1:]) < 3:
        return ("The image is too small to tell its noise: 3 x 3 pixels are needed.",)
    if np.ptp(planes) > 0:
        return ("Every plane has one value throughout: nothing tells the noise.",)
    return (f"Every pixel has the value {planes.flat[0]:g}: nothing tells the noise.",)


def remarks(planes: FloatImage, noise: NoiseEstimate) -> tuple[str, ...]:
    """Return what the user should know about ``(n, rows, columns)`` with this noise."""
    told = []
    flat = int((np.ptp(planes, axis=(1, 2)) == 0).sum())
    if flat:
        told.append(f"{flat} of {len(planes)} planes looked at are constant and were left out.")
    if noise.clipped_high is not None:
        share = float((planes == noise.clipped_high).mean())
        told.append(
            f"{share:.1%} of the pixels are saturated at {noise.clipped_high:g}: what lies above "
            "was not recorded."
        )
    if noise.clipped_low is not None:
        share = float((planes == noise.clipped_low).mean())
        told.append(
            f"{share:.1%} of the pixels lie at {noise.clipped_low:g}: what lies below was not "
            "recorded, so the dark is a little brighter than it was."
        )
    highest = uniform_filter(planes, size=(1, _SIDE, _SIDE)).max(axis=(1, 2))
    dark = int((highest <= noise.offset + _RISE * noise.sigma / _SIDE).sum()) - flat
    if dark >= len(planes) - flat:
        told.append("Nothing in it is brighter than its noise.")
    elif dark > 0 and len(planes) > 1:
        told.append(f"{dark} of {len(planes)} planes looked at hold no light.")
    if not noise.gain:
        told.append("No photon noise is seen: bright places are as noisy as dark ones.")
    if noise.coarse:
        told.append("The noise spans only a few grey levels.")
    return tuple(told)
