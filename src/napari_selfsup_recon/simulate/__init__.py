"""Measurements whose truth is known: the published degradation, its PSF, and generated scenes."""

from napari_selfsup_recon.simulate.defocus import (
    defocus_psf,
    published_psf_2d,
    published_psf_3d,
)
from napari_selfsup_recon.simulate.degrade import Degraded, degrade, rescale
from napari_selfsup_recon.simulate.published import (
    lucy_richardson_mirror,
    lucy_richardson_mirror_at,
    published_blobs_3d,
)
from napari_selfsup_recon.simulate.samples import SAMPLE_NAMES, Sample, sample
from napari_selfsup_recon.simulate.scenes import beads_3d, cells_2d, nuclei_3d
from napari_selfsup_recon.simulate.structured import (
    charge_noise,
    correlated_noise,
    film_noise,
    streak_noise,
)

__all__ = [
    "SAMPLE_NAMES",
    "Degraded",
    "Sample",
    "beads_3d",
    "cells_2d",
    "charge_noise",
    "correlated_noise",
    "defocus_psf",
    "degrade",
    "film_noise",
    "lucy_richardson_mirror",
    "lucy_richardson_mirror_at",
    "nuclei_3d",
    "published_blobs_3d",
    "published_psf_2d",
    "published_psf_3d",
    "rescale",
    "sample",
    "streak_noise",
]
