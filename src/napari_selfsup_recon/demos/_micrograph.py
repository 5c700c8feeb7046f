"""A real micrograph that scikit-image ships."""

from __future__ import annotations

import numpy as np

from napari_selfsup_recon.core.registry import load_object
from napari_selfsup_recon.simulate.defocus import published_psf_2d
from napari_selfsup_recon.simulate.degrade import Degraded, degrade

SIDE = 512


def micrograph(side: int = SIDE) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return colonic glands in a stained section: how much red light they absorb, 8 bits.

    Parameters
    ----------
    side
        Rows and columns of the crop, 512 at most.
    """
    rgb = load_object("skimage.data:immunohistochemistry")()
    red: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = rgb[..., 0]
    return 255 - red[:side, :side]


def degraded_micrograph(
    side: int = SIDE, *, seed: int = 0
) -> tuple[Degraded, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return the micrograph, blurred and spoiled as in the published SSI demo, and the PSF."""
    psf = published_psf_2d()
    return degrade(micrograph(side), psf, seed=seed), psf
