"""Options of filtered back-projection."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.reconstruction_options import ReconstructionOptions


class FilteredBackProjectionOptions(ReconstructionOptions):
    """How filtered back-projection runs."""

    filter: Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"] = option(
        "ramp",
        title="Filter",
        description="ramp is the sharpest and noisiest; shepp-logan, cosine, hamming and hann are "
        "smoother, each more than the one before.",
    )
    positive: bool = option(
        False,
        title="Positive",
        description="Cut negative values off.",
    )
