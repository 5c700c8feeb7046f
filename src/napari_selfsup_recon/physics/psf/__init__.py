"""Point spread functions as arrays: made, measured and made ready. NumPy and SciPy only."""

from napari_selfsup_recon.physics.psf._centre import centre
from napari_selfsup_recon.physics.psf._crop import crop_energy
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, Level
from napari_selfsup_recon.physics.psf._fwhm import fwhm
from napari_selfsup_recon.physics.psf._gaussian import gaussian
from napari_selfsup_recon.physics.psf._optics import check_sampling
from napari_selfsup_recon.physics.psf._prepare import Prepared, prepare
from napari_selfsup_recon.physics.psf._resample import resample
from napari_selfsup_recon.physics.psf._steps import (
    clip_negative,
    normalise,
    subtract_background,
    suppress_noise,
)
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.physics.psf.theory import theoretical

__all__ = [
    "Finding",
    "Kernel",
    "Level",
    "Microscope",
    "Prepared",
    "centre",
    "check_sampling",
    "clip_negative",
    "crop_energy",
    "fwhm",
    "gaussian",
    "normalise",
    "prepare",
    "resample",
    "subtract_background",
    "suppress_noise",
    "theoretical",
]
