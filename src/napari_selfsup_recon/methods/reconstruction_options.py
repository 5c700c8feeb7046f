"""Options that methods for incomplete measurements have in common."""

from __future__ import annotations

from napari_selfsup_recon.core.options import Options, option


class ReconstructionOptions(Options):
    """What is common to the plain methods for too few measurements."""

    device: str = option(
        "auto",
        title="Device",
        advanced=True,
        description="auto, cpu, cuda, cuda:1 or mps.",
    )
