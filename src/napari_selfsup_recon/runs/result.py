"""What a run delivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import Provenance
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.config import RunConfig

#: What belongs beside a learned reconstruction, by name.
COMPANIONS = ("residual", "seen", "inferred", "spread")
#: What belongs beside the image that k-space gives, however it was made.
PHASE = "phase"


def companion_names(config: RunConfig) -> tuple[str, ...]:
    """Return the names of all that may be written beside the result of a run."""
    if config.task != "reconstruct" or not config.trust:
        return ()
    phase = (PHASE,) if config.physics.instrument == "mri" else ()
    entry = None if config.method is None else METHODS.find(config.method)
    if entry is None or not entry.learned:
        return phase
    return (*COMPANIONS, *entry.companions, *phase)


def all_companions() -> tuple[str, ...]:
    """Return the names of all that may lie beside any result."""
    more = (name for entry in METHODS.values() for name in entry.companions)
    return tuple(dict.fromkeys((*COMPANIONS, *more, PHASE)))


@dataclass(frozen=True, slots=True)
class Result(Event):
    """The image of one method, all frames stacked.

    Attributes
    ----------
    measurement
        float32 data with the axes, scale, units and position of the part of the source that was
        worked on; its name says source, method and steps.
    label
        Short name, for example ``"SSI 600"``.
    key
        Key of the method.
    provenance
        Where it comes from.
    companions
        Further images by name, with the same axes.
    models
        The trained methods, one a frame, where the run was asked to keep them.
    states
        What their training can go on from, one a model; None where it cannot.
    path
        Where it was written, if the run was asked to; the data are read from there as needed.
    """

    measurement: Measurement
    label: str
    key: str
    provenance: Provenance
    companions: Mapping[str, Measurement] = field(default_factory=dict)
    models: tuple[Any, ...] = ()
    states: tuple[Mapping[str, Any] | None, ...] = ()
    path: Path | None = None
