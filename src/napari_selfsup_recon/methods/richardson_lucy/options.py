"""Options of Lucy-Richardson."""

from __future__ import annotations

from napari_selfsup_recon.core.options import Options, option


class RichardsonLucyOptions(Options):
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
    background: float = option(
        0.0,
        ge=0,
        allow_inf_nan=False,
        title="Background",
        unit="grey values",
        description="Grey value without light (camera offset and haze). It is modelled, not cut.",
    )
    device: str = option(
        "auto",
        title="Device",
        advanced=True,
        description="auto, cpu, cuda, cuda:1 or mps.",
    )
