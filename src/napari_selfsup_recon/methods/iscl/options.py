"""Options of denoising with clean examples."""

from __future__ import annotations

from typing import Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.training.options import TrainingOptions


class ISCLOptions(TrainingOptions):
    """How ISCL learns. The defaults serve most images."""

    steps: int = option(
        2000,
        ge=1,
        le=1_000_000,
        title="Steps",
        description="How long to train. 1000 to 5000 is typical; training stops by itself when the "
        "held-out score stops improving. The published networks took 8000.",
    )
    patience: int = option(
        800,
        ge=1,
        title="Patience",
        unit="steps",
        advanced=True,
        description="Stop after this many steps without a better held-out score.",
    )
    crop: int = option(
        64,
        ge=32,
        le=512,
        title="Crop",
        unit="pixels",
        advanced=True,
        description="Side of the training crops. The published networks always take 64.",
    )
    batch: int = option(
        8,
        ge=2,
        title="Batch",
        advanced=True,
        description="Crops in one training step (blocks of 3D networks: a quarter as many). The "
        "published networks always take 64.",
    )
    dimensions: Literal["2D", "3D"] = option(
        "2D",
        title="Dimensions",
        advanced=True,
        description="2D: slice by slice, in stacks with the neighbouring slices in view. 3D: "
        "convolutions over blocks of slices, for stacks of clean slices that lie about as close as "
        "their pixels; several times slower.",
    )
    depth: int = option(
        8,
        ge=4,
        le=128,
        title="Depth of blocks",
        unit="slices",
        advanced=True,
        description="Slices of the blocks that 3D networks learn from.",
    )
    neighbours: Literal["auto", "none", "both"] = option(
        "auto",
        title="Neighbouring slices",
        advanced=True,
        description="Whether the network also sees the slice before and the slice behind the one "
        "that it cleans (2.5D). auto: in stacks.",
    )
    even: Literal["auto", "off"] = option(
        "auto",
        title="Even out slices",
        advanced=True,
        description="In stacks whose slices show nearly the same, take from each what of its "
        "coarse brightness its neighbours do not have, as charging does. auto: where that serves, "
        "tried with the clean examples and the noise that was found.",
    )
    match: Literal["auto", "on", "off"] = option(
        "auto",
        title="Match greys",
        description="Bring noisy images to the brightness and contrast of the clean examples "
        "before they are compared; results keep the grey values of the noisy image. auto: only "
        "where the two clearly differ, with a warning.",
    )
    players: Literal["repaired", "published"] = option(
        "repaired",
        title="Networks",
        advanced=True,
        description="repaired: residual networks that begin with a model of the noise. published: "
        "the five networks and steps of the paper, for comparison; slow without a GPU.",
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
    warm_up: float = option(
        1.0,
        ge=0,
        le=1,
        title="Warm-up",
        advanced=True,
        description="Share of the steps with noise made by the model alone; after it, noise taken "
        "from the noisy images is put on clean ones, too. 1 does without that; 0.5 may help where "
        "the noise is of rare, strong events.",
    )
    persuasion: float = option(
        0.0,
        ge=0,
        le=10,
        title="Critics",
        advanced=True,
        description="Weight of two critics, networks that tell made images from real ones; 0 does "
        "without them. They act after the warm-up.",
    )
    critic_planes: Literal["xy", "all"] = option(
        "xy",
        title="Critics see",
        advanced=True,
        description="Which slices of blocks the critics judge: xy, or all three directions, for "
        "stacks whose slices lie as close as their pixels.",
    )
    agreement: float = option(
        0.05,
        ge=0,
        le=10,
        title="Agreement",
        advanced=True,
        description="Weight at which, after the warm-up, a noisy image must be the sum of its "
        "clean image and its noise, which two networks find; it falls to zero.",
    )
    identity: float = option(
        0.05,
        ge=0,
        le=0.5,
        title="Left as they are",
        advanced=True,
        description="Share of the training pairs in which a clean image is to be left as it is.",
    )
    foreground: float = option(
        0.9,
        ge=0,
        le=1,
        title="Foreground",
        advanced=True,
        description="Share of the crops, of both domains alike, that must show something.",
    )
    turn: bool = option(
        True,
        title="Turn the examples",
        advanced=True,
        description="Learn from clean examples flipped and turned as well. Off: as they lie, which "
        "may serve where they are many slices of the same stack.",
    )
    ensemble: bool = option(
        True,
        title="Average orientations",
        advanced=True,
        description="Average the results of flipped and turned copies: a little better, 4 to 8 "
        "times slower at the end.",
    )

    @property
    def crops(self) -> int:
        """Crops in one training step; fewer in 3D, where each has many slices."""
        return self.batch if self.dimensions == "2D" else max(1, self.batch // 4)
