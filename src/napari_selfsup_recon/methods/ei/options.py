"""Options of equivariant imaging."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods._recon.options import NetworkOptions


class EIOptions(NetworkOptions):
    """How EI learns. The defaults serve most instruments."""

    transform: Literal["auto", "rotate", "shift", "reflect", "scale", "shift+rotate"] = option(
        "auto",
        title="Transform",
        description="How the object could also have been placed. The instrument must see another "
        "part of it then: rotate for CT and MRI, shift for missing pixels, scale for blur. auto "
        "chooses by the instrument.",
    )
    alpha: float | None = option(
        None,
        ge=0,
        le=1e6,
        title="Equivariance",
        advanced=True,
        description="Weight of the equivariance against the agreement with the measurement; both "
        "are in units of the image, whatever the units of the data. Without a value it is chosen "
        "by the instrument; 0 leaves it out.",
    )
    beta: float = option(
        1.0,
        ge=0,
        le=1e6,
        title="Return to the data",
        advanced=True,
        description="Weight of the real measurement in what is made up: the image that is "
        "reconstructed of a moved object must explain what was measured. 0: as published. Needs "
        "stop gradient: both.",
    )
    split: float = option(
        0.125,
        ge=0,
        le=0.8,
        title="Split",
        advanced=True,
        description="Share of the projections (or samples) that is hidden from the network at each "
        "step and asked for: what it infers is tried on something real. 0 hides nothing, as "
        "published.",
    )
    frames: bool = option(
        False,
        title="Turn the scan",
        advanced=True,
        description="Learn from each sinogram in several orientations, object and scan turned "
        "alike, so that the network treats all directions alike.",
    )
    sharpen: Literal["auto", "on", "off"] = option(
        "auto",
        title="Weigh as the image",
        advanced=True,
        description="Compare projections after a filter that counts details as they count in the "
        "image; without it the coarse decides. auto: on for EI, off for REI, where it would lift "
        "the noise.",
    )
    stop_gradient: Literal["both", "target", "none"] = option(
        "both",
        title="Stop gradient",
        advanced=True,
        description="both: the moved image is made from the whole measurement and taken as it is. "
        "target: the gradient passes it, but not what is compared with it. none: the gradient "
        "passes everything, as published.",
    )


class NoisyOptions(EIOptions):
    """Options of methods that know of noise."""

    recorrupt: float = option(
        0.5,
        ge=0,
        le=2,
        title="Noise added",
        advanced=True,
        description="Where the noise is known: how much of it the network sees in excess, so that "
        "its answer can be compared with a copy of independent noise. 0: not at all.",
    )
