"""Options that every learned method shares; no torch here."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import Options, option


class TrainingOptions(Options):
    """How a network is trained."""

    steps: int = option(
        400,
        ge=1,
        le=1_000_000,
        title="Steps",
        description="How long to train. 250 to 800 is typical; training stops by itself when the "
        "held-out score stops improving.",
    )
    seed: int = option(
        0, ge=0, title="Seed", description="The same seed gives the same result on the CPU."
    )
    device: str = option(
        "auto", title="Device", advanced=True, description="auto, cpu, cuda, cuda:1 or mps."
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto",
        title="Precision",
        advanced=True,
        description="auto: bfloat16 on GPUs that have it, float32 elsewhere.",
    )
    learning_rate: float = option(
        2e-3,
        gt=0,
        le=1,
        title="Learning rate",
        advanced=True,
        description="Peak step size of the optimiser; lower it if training is unstable.",
    )
    patience: int = option(
        200,
        ge=1,
        title="Patience",
        unit="steps",
        advanced=True,
        description="Stop after this many steps without a better held-out score.",
    )
    crop: int = option(
        128,
        ge=16,
        title="Crop",
        unit="pixels",
        advanced=True,
        description="Side of the training crops of images.",
    )
    batch: int = option(
        4, ge=1, title="Batch", advanced=True, description="Crops in one training step."
    )
    micro_batch: int | None = option(
        None,
        ge=1,
        title="Micro-batch",
        advanced=True,
        description="Crops computed at once; None fits it to 0.2 s on this device. The value used "
        "is recorded, since sums in another order differ in the last digit.",
    )
