"""Point spread functions as arrays: made, measured and made ready. NumPy and SciPy only."""

from napari_selfsup_recon.physics.psf._centre import centre
from napari_selfsup_recon.physics.psf._crop import crop_energy
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, Level
from napari_selfsup_recon.physics.psf._fwhm import fwhm
from napari_selfsup_recon.physics.psf._gaussian import gaussian
from napari_selfsup_recon.physics.psf._optics import check_sampling
from napari_selfsup_recon.physics.psf._prepare import SKIPPABLE, Prepared, prepare
from napari_selfsup_recon.physics.psf._recorded import (
    check_length,
    check_saturation,
    mend_dark_planes,
)
from napari_selfsup_recon.physics.psf._resample import resample
from napari_selfsup_recon.physics.psf._shear import shear, to_sheared_grid
from napari_selfsup_recon.physics.psf._steps import (
    clip_negative,
    normalise,
    subtract_background,
    suppress_noise,
)
from napari_selfsup_recon.physics.psf.beads import Bead, BeadPsf, find_beads, from_beads
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.physics.psf.theory import theoretical

__all__ = [
    "SKIPPABLE",
    "Bead",
    "BeadPsf",
    "Finding",
    "Kernel",
    "Level",
    "Microscope",
    "Prepared",
    "centre",
    "check_length",
    "check_sampling",
    "check_saturation",
    "clip_negative",
    "crop_energy",
    "find_beads",
    "from_beads",
    "fwhm",
    "gaussian",
    "mend_dark_planes",
    "normalise",
    "prepare",
    "resample",
    "shear",
    "subtract_background",
    "suppress_noise",
    "theoretical",
    "to_sheared_grid",
]
