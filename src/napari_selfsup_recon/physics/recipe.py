"""What rebuilds an operator: a kind, JSON parameters and arrays. No pickle, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.registry import load_object

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.base import Physics

KINDS = {
    "identity": "napari_selfsup_recon.physics.identity:Identity",
    "blur": "napari_selfsup_recon.physics.blur:Blur",
    "parallel-beam": "napari_selfsup_recon.physics.parallel_beam:ParallelBeam",
    "fan-beam": "napari_selfsup_recon.physics.fan_beam:FanBeam",
    "transmission": "napari_selfsup_recon.physics.transmission:Transmission",
    "inpainting": "napari_selfsup_recon.physics.inpainting:Inpainting",
    "mri": "napari_selfsup_recon.physics.mri:MRI",
    "compressed-sensing": "napari_selfsup_recon.physics.compressed_sensing:CompressedSensing",
}


@dataclass(frozen=True, eq=False)
class Recipe:
    """``kind`` names the operator, ``params`` are JSON-safe, ``arrays`` are its data."""

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


def from_recipe(recipe: Recipe) -> Physics:
    """Rebuild the operator.

    Raises
    ------
    InputError
        If the kind is unknown (a file from a newer version).
    """
    if recipe.kind not in KINDS:
        raise InputError(
            f"The physics {recipe.kind!r} is not known to this version.",
            hint="Update napari-selfsup-recon.",
        )
    built: Physics = load_object(KINDS[recipe.kind]).from_recipe(recipe)
    return built
