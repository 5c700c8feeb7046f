"""The bright core of a PSF, found in spite of noise and hot pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.physics.psf._finding import Kernel

# White noise of standard deviation 1 after smoothing with a Gaussian of sigma 1, per axis.
SMOOTHED_NOISE = (1.0 / (2.0 * np.sqrt(np.pi))) ** 0.5


@dataclass(frozen=True, eq=False)
class Core:
    """The connected voxels above half of the (slightly smoothed) maximum.

    Attributes
    ----------
    centroid
        Their centre of light, in voxels.
    extent
        First and last index an axis.
    spots
        How many separate groups of voxels are above half of the maximum.
    """

    centroid: tuple[float, ...]
    extent: tuple[tuple[int, int], ...]
    spots: int


def smooth(kernel: Kernel) -> Kernel:
    """Return ``kernel`` smoothed with a Gaussian of one voxel; dark outside."""
    from scipy import ndimage

    smoothed: Kernel = ndimage.gaussian_filter(kernel, 1.0, mode="constant", truncate=4.0)
    return smoothed


def labels(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the connected groups of ``mask`` (neighbours by corner included) and their number."""
    from scipy import ndimage

    groups, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    return groups, int(count)


def find_core(kernel: Kernel) -> Core:
    """Return the bright core of ``kernel``."""
    smoothed = smooth(kernel)
    top = float(smoothed.max())
    groups, spots = labels(smoothed > top / 2)
    peak = np.unravel_index(int(np.argmax(smoothed)), kernel.shape)
    inside = np.nonzero(groups == groups[peak])
    weights = smoothed[inside] - top / 2
    centroid = tuple(float((weights * index).sum() / weights.sum()) for index in inside)
    extent = tuple((int(index.min()), int(index.max())) for index in inside)
    return Core(centroid, extent, spots)


def noise_level(kernel: Kernel) -> float:
    """Return the standard deviation of the noise that the negative values betray; 0 without any.

    Light is never negative: what lies below zero after the background is subtracted is one half of
    the noise.
    """
    negative = kernel[kernel < 0]
    return float(np.sqrt(np.mean(negative**2))) if negative.size else 0.0
