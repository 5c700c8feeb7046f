"""Options of self-supervised inversion."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.training.options import TrainingOptions


class SSIOptions(TrainingOptions):
    """How SSI learns. The defaults serve most images."""

    mask_fraction: float = option(
        0.04,
        gt=0,
        le=0.5,
        title="Hidden pixels",
        advanced=True,
        description="Share of the pixels that is hidden from the network at each step.",
    )
    loss: Literal["huber", "squared"] = option(
        "huber",
        title="Loss",
        advanced=True,
        description="Huber ignores outliers (hot pixels); squared suits clean Gaussian noise.",
    )
