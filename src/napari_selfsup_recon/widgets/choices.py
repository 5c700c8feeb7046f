"""What a person chose in the cards: small frozen values that can be kept, compared and restored."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from napari.layers import Layer

from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.config import NoiseChoice, PhysicsChoice, Task
from napari_selfsup_recon.runs.instruments import Instrument, Sampling, Tomograph

LayerRef = weakref.ReferenceType[Layer]


class Part(Enum):
    """Which part of the image is worked on; the value is what people read."""

    WHOLE = "Whole image"
    FRAME = "Time point or channel shown"
    SLICE = "Slice shown"
    BOX = "Box around the centre of the view"


class PsfKind(Enum):
    """Where the PSF comes from; the value is what people read."""

    GAUSSIAN = "Gaussian"
    THEORY = "From theory"
    LAYER = "From a layer"
    FILE = "From a file"


@dataclass(frozen=True)
class DataChoice:
    """The image, how its dimensions are read, the task and the part.

    ``level`` is the resolution of a multiscale image, 0 is the finest.
    """

    layer: LayerRef | None = None
    axes: tuple[str, ...] = ()
    task: Task = "deconvolve"
    part: Part = Part.WHOLE
    level: int = 0


@dataclass(frozen=True)
class PsfChoice:
    """The PSF.

    ``lateral`` and ``axial`` are full widths at half maximum in units of the image, 0 where they
    were not set; ``microscope`` is what a PSF from theory is computed for; ``keep`` are the steps
    of the preparation that were undone; ``physics`` holds what the more-options form edits.
    """

    kind: PsfKind = PsfKind.GAUSSIAN
    layer: LayerRef | None = None
    path: str = ""
    lateral: float = 0.0
    axial: float = 0.0
    microscope: Microscope | None = None
    keep: tuple[str, ...] = ()
    physics: PhysicsChoice = field(default_factory=PhysicsChoice)


@dataclass(frozen=True)
class InstrumentChoice:
    """What measured, for a reconstruction.

    ``flat``, ``dark`` and ``mask`` are layers; files are named in ``scan`` and ``sampling``;
    ``keep`` are the steps of the preparation that were undone.
    """

    kind: Instrument = "parallel-beam"
    scan: Tomograph = field(default_factory=Tomograph)
    sampling: Sampling = field(default_factory=Sampling)
    flat: LayerRef | None = None
    dark: LayerRef | None = None
    mask: LayerRef | None = None
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class CleanPick:
    """Clean examples: in a file or folder, in a layer, or made of the image itself.

    ``path`` counts before ``layer``, and that before the rest. ``kind`` says how examples are made:
    slices of the image (``"first:last"``), averages of ``average`` neighbours, or denoised.
    """

    layer: LayerRef | None = None
    slices: str = ""
    kind: Literal["slices", "average", "denoised"] = "slices"
    average: int = 5
    path: str = ""


@dataclass(frozen=True)
class MethodChoice:
    """The method with its options, the baseline if one is wanted, and whether companions are.

    ``clean`` are the examples of methods that learn from such, too.
    """

    key: str = "ssi"
    options: Options = field(default_factory=lambda: default_options("ssi"))
    baseline: str | None = "richardson-lucy"
    baseline_options: Options | None = None
    trust: bool = False
    clean: CleanPick | None = None


@dataclass(frozen=True)
class Intent:
    """All of it. ``folder`` is where results are written; empty where they lie in memory."""

    data: DataChoice = field(default_factory=DataChoice)
    psf: PsfChoice = field(default_factory=PsfChoice)
    method: MethodChoice = field(default_factory=MethodChoice)
    noise: NoiseChoice | None = None
    device: str = "auto"
    instrument: InstrumentChoice = field(default_factory=InstrumentChoice)
    folder: str = ""


def default_options(key: str) -> Options:
    """Return the default options of the method ``key``."""
    options: Options = METHODS.find(key).load_options()()
    return options
