"""A PSF that was made, as a layer that the other dock finds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Image

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import METADATA_KEY, versions
from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.widgets.bridge import unique_name, unwrap
from napari_selfsup_recon.widgets.psf_view import width_in_words


@dataclass(frozen=True, eq=False)
class Made:
    """A PSF, its voxel size, what is to be said of it and how it was made.

    Attributes
    ----------
    psf
        (z, y, x) or (y, x), sum 1.
    scale, units
        Voxel size an axis.
    name
        Of the layer; holds "PSF", by which it is found.
    findings
        What was found, the width included.
    recipe
        How it was made; JSON-safe.
    """

    psf: np.ndarray[Any, Any]
    scale: tuple[float, ...]
    units: tuple[str, ...]
    name: str
    findings: tuple[Finding, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)


def made_of(
    kernel: np.ndarray[Any, Any],
    image: Measurement,
    name: str,
    findings: tuple[Finding, ...],
    recipe: Mapping[str, Any],
    fwhm: tuple[float, ...] | None = None,
) -> Made:
    """Return a PSF with the voxels of ``image``, and its width in words.

    Parameters
    ----------
    kernel
        The PSF.
    image
        Whose voxels it has.
    name
        Of the layer.
    findings
        What was found; the width is added.
    recipe
        How it was made.
    fwhm
        Width an axis in the units of ``image``, where it is known better than from the voxels.
    """
    widths = fwhm or psf.fwhm(kernel, image.spatial_scale)
    units = image.units[len(image.leading_shape) :]
    told: tuple[Finding, ...] = ()
    if all(map(math.isfinite, widths)):
        words = width_in_words(widths, units[-1])
        told = (Finding("width", f"Full width at half maximum: {words}."),)
    facts = {
        "kind": "psf",
        **recipe,
        "fwhm": [float(width) for width in widths],
        "findings": [finding.message for finding in findings],
        "versions": versions(),
    }
    return Made(kernel, image.spatial_scale, units, name, (*told, *findings), facts)


def add_psf(viewer: Any, made: Made) -> Image:
    """Add a PSF as a layer, hidden, since it would lie over the corner of the image.

    What was selected stays so.
    """
    viewer = unwrap(viewer)
    active = viewer.layers.selection.active
    layer = Image(
        np.asarray(made.psf, dtype=np.float32),
        name=unique_name(made.name, [other.name for other in viewer.layers]),
        scale=made.scale,
        units=made.units,
        axis_labels=tuple("zyx"[3 - made.psf.ndim :]),
        metadata={METADATA_KEY: dict(made.recipe)},
        visible=False,
    )
    viewer.layers.append(layer)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return layer
