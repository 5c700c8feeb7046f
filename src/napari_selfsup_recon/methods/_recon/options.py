"""Options that EI, REI and Supervised share; no torch here."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.training.options import TrainingOptions


class NetworkOptions(TrainingOptions):
    """How a reconstruction network looks and learns."""

    steps: int = option(
        1500,
        ge=1,
        le=1_000_000,
        title="Steps",
        description="How long to train. 500 to 3000 is typical; training stops by itself when the "
        "held-out score stops improving.",
    )
    patience: int = option(
        400,
        ge=1,
        title="Patience",
        unit="steps",
        advanced=True,
        description="Stop after this many steps without a better held-out score.",
    )
    learning_rate: float = option(
        4e-3,
        gt=0,
        le=1,
        title="Learning rate",
        advanced=True,
        description="Peak step size of the optimiser; lower it if training is unstable.",
    )
    batch: int = option(
        4,
        ge=1,
        title="Batch",
        unit="slices",
        advanced=True,
        description="Slices in one training step; with neighbouring slices, as many threes.",
    )
    neighbours: Literal["none", "both"] = option(
        "none",
        title="Neighbouring slices",
        advanced=True,
        description="Whether the network also sees the slice before and the slice behind the one "
        "that it makes (2.5D), for stacks of at least three slices that lie close to each other. "
        "both: what a slice misses may show in its neighbours; two to three times slower.",
    )
    network: Literal["unrolled", "unet"] = option(
        "unrolled",
        title="Network",
        advanced=True,
        description="unrolled: a few small networks with the measurement enforced after each. "
        "unet: one network that repairs the image it starts from.",
    )
    start: Literal["total-variation", "inverse"] = option(
        "total-variation",
        title="Start",
        advanced=True,
        description="What the network improves. total-variation: the image of least variation that "
        "explains the measurement, its weight found by left-out values. inverse: the filtered back "
        "projection (or its like), as published.",
    )
    width: int = option(
        8,
        ge=2,
        le=256,
        title="Width",
        unit="channels",
        advanced=True,
        description="Channels of the finest level of the network; wider is slower and finer.",
    )
    iterations: int = option(
        3,
        ge=1,
        le=20,
        title="Iterations",
        advanced=True,
        description="Networks, one after another, of the unrolled kind.",
    )
    solver_steps: int = option(
        6,
        ge=1,
        le=100,
        title="Solver steps",
        advanced=True,
        description="Steps that enforce the measurement after each network.",
    )
    positive: Literal["auto", "on", "off"] = option(
        "auto",
        title="Positive",
        advanced=True,
        description="The result is never negative. auto: on; for the amplitude of complex "
        "images where that predicts left-out samples better.",
    )
    phase: Literal["auto", "smooth", "free"] = option(
        "auto",
        title="Phase",
        advanced=True,
        description="Of complex images (MRI). smooth: as the middle of k-space has it, so only the "
        "amplitude is sought. free: any. auto: what predicts left-out samples best.",
    )
    held_out: float = option(
        0.1,
        gt=0,
        le=0.5,
        title="Held out",
        advanced=True,
        description="Share of the slices (with few slices: of the projections or samples) that is "
        "never trained on; half of it chooses the best step, the other half gives the score that "
        "is shown at the end.",
    )

    @property
    def slab(self) -> int:
        """Slices that are seen together."""
        return 3 if self.neighbours == "both" else 1
