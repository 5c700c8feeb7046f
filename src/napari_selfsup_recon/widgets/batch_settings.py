"""What a batch runs: what the main dock says of its image, or a run in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.units import unit_symbol
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.reading import Reading
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.choices import Intent, Part
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.session import Session


@dataclass(frozen=True, eq=False)
class Settings:
    """A run for many files, with the arrays that belong to it."""

    config: RunConfig
    psf: Any = None
    given: Mapping[str, Any] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)

    def words(self) -> str:
        """Return what is run in one line."""
        config = self.config
        label = METHODS.find(config.method or config.baseline or "").label
        parts = [f"{config.task} with {label}"]
        if config.task == "deconvolve":
            where = {"array": "a layer", "file": "a file", "theory": "theory"}
            psf = config.physics.psf
            parts.append("a Gaussian PSF" if psf == "gaussian" else f"PSF from {where.get(psf)}")
        if config.task == "reconstruct":
            parts.append(config.physics.instrument)
        if self.reading.voxel_size:
            size = " x ".join(f"{value:g}" for value in self.reading.voxel_size)
            unit = unit_symbol(self.reading.unit)
            parts.append(f"voxels of {size} {unit} where a file does not say")
        return ", ".join(parts)


def settings_of_file(path: str) -> Settings:
    """Return the run of a TOML file.

    Raises
    ------
    InputError
        If none is named, or it holds what a run does not have.
    FileError
        If it cannot be read.
    """
    if not path:
        raise InputError(
            "No run is chosen.", hint="Choose a run.toml, or take what is chosen in the dock."
        )
    return Settings(RunConfig.load_toml(Path(path).expanduser()))


def settings_of_dock(viewer: Any) -> Settings:
    """Return what the main dock says; of its image whole files are worked on.

    Raises
    ------
    InputError
        If nothing is chosen there, or it cannot be used for the image there.
    """
    intent = _intent(viewer)
    whole = replace(intent, data=replace(intent.data, part=Part.WHOLE))
    request = make_request(whole, viewer)
    update: dict[str, Any] = {"preview_every": 0.0, "baseline": None, "baseline_options": {}}
    return Settings(
        config=request.config.model_copy(update=update),
        psf=request.psf,
        given=request.given,
        reading=_voxels(request.source.measurement),
    )


def _intent(viewer: Any) -> Intent:
    """Return what is chosen in the main dock, or was when it was last used."""
    viewer = unwrap(viewer)
    window = getattr(viewer, "window", None)
    for widget in getattr(window, "dock_widgets", {}).values():
        dock = unwrap(widget)
        if isinstance(dock, ReconWidget):
            return dock.value()
    intent = Session.of(viewer).intent
    if intent is None:
        raise InputError(
            "Nothing is chosen yet.",
            hint="Open the dock 'Reconstruct images' and choose what is to be done "
            "with one of the images, or choose a run.toml here.",
        )
    return intent


def _voxels(measurement: Measurement) -> Reading:
    """Return the voxel size of the image, for files that do not say theirs."""
    lead = len(measurement.leading_shape)
    units = set(measurement.units[lead:])
    if units == {"pixel"} or len(units) > 1:
        return Reading()
    return Reading(
        voxel_size=tuple(measurement.spatial_scale), unit=next(iter(units)), if_missing=True
    )
