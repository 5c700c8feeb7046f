"""Options of robust equivariant imaging."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.ei.options import NoisyOptions


class REIOptions(NoisyOptions):
    """How REI learns. The defaults serve most instruments."""

    beta: float = option(
        0.0,
        ge=0,
        le=1e6,
        title="Return to the data",
        advanced=True,
        description="Weight of the real measurement in what is made up, as in EI. Made-up "
        "measurements are noisier than real ones, so that it helped masks and harmed scans.",
    )
    gradient: Literal["straight", "none", "normal"] = option(
        "straight",
        title="Gradient of photons",
        advanced=True,
        description="How gradients pass the photons that are drawn for made-up measurements. "
        "straight: as if none were drawn. none: not at all, as published. normal: through photons "
        "that are drawn from a normal distribution.",
    )
