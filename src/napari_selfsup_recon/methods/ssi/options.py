"""Options of self-supervised inversion."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.training.options import TrainingOptions


class SSIOptions(TrainingOptions):
    """How SSI learns. The defaults serve most images."""

    volume_crop: int = option(
        48,
        ge=8,
        title="Crop of volumes",
        unit="pixels",
        advanced=True,
        description="Side of the training crops of volumes in y and x.",
    )
    volume_depth: int = option(
        24,
        ge=4,
        title="Depth of crops",
        unit="planes",
        advanced=True,
        description="Planes in the training crops of volumes.",
    )
    mask_fraction: float = option(
        0.1,
        gt=0,
        le=0.5,
        title="Hidden pixels",
        advanced=True,
        description="Share of the pixels that is hidden from the network at each step.",
    )
    held_out: float = option(
        0.03,
        gt=0,
        le=0.2,
        title="Held-out pixels",
        advanced=True,
        description="Share of the pixels that is never trained on; two thirds of it choose the "
        "best step, the rest gives the score that is shown at the end.",
    )
    loss: Literal["auto", "robust", "squared"] = option(
        "auto",
        title="Loss",
        advanced=True,
        description="Robust ignores hot pixels and understands values that the detector cut off; "
        "squared suits a handful of photons per pixel. auto looks at the grey levels.",
    )
    start: Literal["auto", "none", "total-variation"] = option(
        "auto",
        title="Start from",
        advanced=True,
        description="What the network begins with: nothing, or the image of least total variation, "
        "which it refines. auto: nothing for images, total variation for blurred volumes, whose "
        "blur hides more than a short training can learn.",
    )
    smoothness: float = option(
        0.01,
        ge=0,
        le=10,
        title="Smoothness",
        advanced=True,
        description="Weight of the total variation. It decides only what the blur has hidden from "
        "the measurement; 0 leaves that to the network.",
    )
    positive: bool = option(
        True,
        title="Positive",
        advanced=True,
        description="Light is never negative: the result stays above the background.",
    )
    background: float | None = option(
        None,
        title="Background",
        unit="grey values",
        advanced=True,
        description="Grey value without light (camera offset); None estimates it.",
    )
    maximum: float | None = option(
        None,
        title="Maximum",
        unit="grey values",
        advanced=True,
        description="Largest value the image can have, where one is known (1 for reflectance).",
    )
    width: int = option(
        16,
        ge=4,
        le=256,
        title="Width",
        unit="channels",
        advanced=True,
        description="Channels of the finest level of the network (half as many for volumes); wider "
        "is slower and finer.",
    )
    ensemble: bool = option(
        True,
        title="Average orientations",
        advanced=True,
        description="Average the results of flipped and turned copies: a little better, up to 8 "
        "times slower at the end (volumes: 4 times).",
    )
