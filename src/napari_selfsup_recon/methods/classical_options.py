"""Options that every classical method has."""

from __future__ import annotations

from napari_selfsup_recon.core.options import Options, option


class ClassicalOptions(Options):
    """What is common to the methods without training."""

    repair: bool = option(
        True,
        title="Repair wrong pixels",
        description="Replace single hot, dead or hit pixels by what their neighbours say before "
        "the work begins. The PSF tells them from points of light.",
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
