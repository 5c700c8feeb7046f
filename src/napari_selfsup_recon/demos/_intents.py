"""What is chosen in the dock of each demo, so that Run works at once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from napari.layers import Image, Layer

from napari_selfsup_recon.widgets.choices import (
    CleanPick,
    DataChoice,
    Intent,
    MethodChoice,
    PsfChoice,
    PsfKind,
)


def intent_of(image: Image, layers: Mapping[str, Layer], options: Mapping[str, Any]) -> Intent:
    """Return what is chosen for a generated image.

    Parameters
    ----------
    image
        The measurement.
    layers
        All layers of the sample, by name.
    options
        Options of the learned method that differ from the defaults.
    """
    if image.name == "sparse_ct":
        return _reconstruction(image, options)
    if f"{image.name} clean" in layers:
        return _unpaired(image, layers[f"{image.name} clean"], options)
    return _from_itself(image, layers.get(f"{image.name} PSF"), options)


def _from_itself(image: Image, psf: Layer | None, options: Mapping[str, Any]) -> Intent:
    """SSI, and Lucy-Richardson where there is a PSF."""
    from napari_selfsup_recon.demos.samples import OFFSET_KEY
    from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
    from napari_selfsup_recon.methods.ssi.options import SSIOptions

    offset = float(image.metadata[OFFSET_KEY])
    deconvolve = psf is not None
    return Intent(
        data=DataChoice(
            layer=weakref.ref(image),
            axes=tuple(image.axis_labels),
            task="deconvolve" if deconvolve else "denoise",
        ),
        psf=PsfChoice(kind=PsfKind.LAYER, layer=weakref.ref(psf))
        if psf is not None
        else PsfChoice(),
        method=MethodChoice(
            options=SSIOptions(background=offset, **options),
            baseline="richardson-lucy" if deconvolve else None,
            baseline_options=RichardsonLucyOptions(iterations=20, background=offset)
            if deconvolve
            else None,
        ),
    )


def _unpaired(image: Image, clean: Layer, options: Mapping[str, Any]) -> Intent:
    """ISCL with clean examples, after total variation, which knows none."""
    from napari_selfsup_recon.methods.iscl.options import ISCLOptions
    from napari_selfsup_recon.methods.total_variation.options import TotalVariationOptions

    return Intent(
        data=DataChoice(layer=weakref.ref(image), axes=tuple(image.axis_labels), task="denoise"),
        method=MethodChoice(
            key="iscl",
            options=ISCLOptions(**options),
            baseline="total-variation",
            baseline_options=TotalVariationOptions(),
            clean=CleanPick(layer=weakref.ref(clean)),
        ),
    )


def _reconstruction(image: Image, options: Mapping[str, Any]) -> Intent:
    """The classical slice of a scan first, then EI."""
    from napari_selfsup_recon.methods.ei.options import EIOptions
    from napari_selfsup_recon.methods.filtered_back_projection.options import (
        FilteredBackProjectionOptions,
    )

    return Intent(
        data=DataChoice(layer=weakref.ref(image), task="reconstruct"),
        method=MethodChoice(
            key="ei",
            options=EIOptions(**options),
            baseline="filtered-back-projection",
            baseline_options=FilteredBackProjectionOptions(),
        ),
    )
