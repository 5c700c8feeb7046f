"""How good an image is.

Against a truth: PSNR, SSIM, MI, SMI, NRMSE, and a table of them. Without one: Fourier ring and
shell correlation of two measurements, or of one, and the whiteness of a residual.
"""

from napari_selfsup_recon.metrics._resolution import FourierCorrelation
from napari_selfsup_recon.metrics.fourier_correlation import frc, fsc, single_image_frc
from napari_selfsup_recon.metrics.mutual_information import (
    mutual_information,
    spectral_mutual_information,
)
from napari_selfsup_recon.metrics.nrmse import nrmse
from napari_selfsup_recon.metrics.psnr import psnr
from napari_selfsup_recon.metrics.ssim import ssim
from napari_selfsup_recon.metrics.table import Scores, Table, table
from napari_selfsup_recon.metrics.whiteness import Whiteness, residual_whiteness

__all__ = [
    "FourierCorrelation",
    "Scores",
    "Table",
    "Whiteness",
    "frc",
    "fsc",
    "mutual_information",
    "nrmse",
    "psnr",
    "residual_whiteness",
    "single_image_frc",
    "spectral_mutual_information",
    "ssim",
    "table",
]
