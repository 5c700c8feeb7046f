"""Options of robust equivariant imaging."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.ei.options import EIOptions


class REIOptions(EIOptions):
    """How REI learns. The defaults serve most instruments."""

    gradient: Literal["straight", "none", "normal"] = option(
        "straight",
        title="Gradient of photons",
        advanced=True,
        description="How gradients pass the photons that are drawn for made-up measurements. "
        "straight: as if none were drawn. none: not at all, as published. normal: through photons "
        "that are drawn from a normal distribution.",
    )
