"""How close an image comes to the truth: PSNR, SSIM, MI, SMI, NRMSE, and a table of them."""

from napari_selfsup_recon.metrics.mutual_information import (
    mutual_information,
    spectral_mutual_information,
)
from napari_selfsup_recon.metrics.nrmse import nrmse
from napari_selfsup_recon.metrics.psnr import psnr
from napari_selfsup_recon.metrics.ssim import ssim
from napari_selfsup_recon.metrics.table import Scores, Table, table

__all__ = [
    "Scores",
    "Table",
    "mutual_information",
    "nrmse",
    "psnr",
    "spectral_mutual_information",
    "ssim",
    "table",
]
