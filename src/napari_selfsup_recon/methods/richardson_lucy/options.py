"""Options of Lucy-Richardson."""

from __future__ import annotations

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.classical_options import ClassicalOptions


class RichardsonLucyOptions(ClassicalOptions):
    """How Lucy-Richardson runs."""

    iterations: int = option(
        10,
        ge=1,
        le=10000,
        title="Iterations",
        description="More is sharper and noisier. 5 to 20 are typical for noisy images.",
    )
    acceleration: bool = option(
        False,
        title="Accelerate",
        description="Momentum: reaches the same sharpness in 2 to 5 times fewer iterations.",
    )
