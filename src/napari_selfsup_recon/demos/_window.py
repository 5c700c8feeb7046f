"""Windows of the demos."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import napari

    from napari_selfsup_recon.widgets.choices import Intent
    from napari_selfsup_recon.widgets.dock import ReconWidget

PLUGIN = "napari-selfsup-recon"
DOCK = "Sharpen, denoise, reconstruct"


def has_display() -> bool:
    """Return whether a window can be opened here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_compared(
    truth: np.ndarray[Any, Any], images: Mapping[str, np.ndarray[Any, Any]], viewer: Any = None
) -> napari.Viewer:
    """Open the truth and ``images`` in napari, in the labelled, linked grid."""
    import napari

    from napari_selfsup_recon.viewer import compare

    viewer = napari.Viewer(title="Demo: sharpen a real micrograph") if viewer is None else viewer
    layers = [
        viewer.add_image(image, name=name, contrast_limits=(0, 1), colormap="gray")
        for name, image in {"truth": truth, **images}.items()
    ]
    compare(viewer, layers)
    return viewer


def open_sample_with_dock(
    name: str, options: Mapping[str, Any], viewer: Any = None
) -> tuple[napari.Viewer, ReconWidget]:
    """Open a generated sample and the dock, with everything chosen so that Run works at once.

    Parameters
    ----------
    name
        One of :data:`napari_selfsup_recon.simulate.SAMPLE_NAMES`.
    options
        Options of SSI, of a scan those of EI, that differ from the defaults.
    viewer
        Where; a new one if None.
    """
    import napari

    from napari_selfsup_recon.demos.samples import OFFSET_KEY
    from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
    from napari_selfsup_recon.methods.ssi.options import SSIOptions
    from napari_selfsup_recon.widgets.choices import (
        DataChoice,
        Intent,
        MethodChoice,
        PsfChoice,
        PsfKind,
    )

    viewer = napari.Viewer(title=f"Demo: {name}") if viewer is None else viewer
    viewer.open_sample(PLUGIN, name)
    image = viewer.layers[name]
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    if name == "sparse_ct":
        dock.setValue(_reconstruction(image, options))
        dock.refresh()
        viewer.layers.selection.active = image
        return viewer, dock
    psf = next((layer for layer in viewer.layers if layer.name == f"{name} PSF"), None)
    offset = float(image.metadata[OFFSET_KEY])
    deconvolve = psf is not None
    intent = Intent(
        data=DataChoice(
            layer=weakref.ref(image),
            axes=tuple(image.axis_labels),
            task="deconvolve" if deconvolve else "denoise",
        ),
        psf=PsfChoice(kind=PsfKind.LAYER, layer=weakref.ref(psf)) if deconvolve else PsfChoice(),
        method=MethodChoice(
            options=SSIOptions(background=offset, **options),
            baseline="richardson-lucy" if deconvolve else None,
            baseline_options=RichardsonLucyOptions(iterations=20, background=offset)
            if deconvolve
            else None,
        ),
    )
    dock.setValue(intent)
    dock.refresh()
    viewer.layers.selection.active = image
    return viewer, dock


def _reconstruction(image: Any, options: Mapping[str, Any]) -> Intent:
    """Return what is chosen for a scan: its classical slice first, then EI."""
    from napari_selfsup_recon.methods.ei.options import EIOptions
    from napari_selfsup_recon.methods.filtered_back_projection.options import (
        FilteredBackProjectionOptions,
    )
    from napari_selfsup_recon.widgets.choices import DataChoice, Intent, MethodChoice

    return Intent(
        data=DataChoice(layer=weakref.ref(image), task="reconstruct"),
        method=MethodChoice(
            key="ei",
            options=EIOptions(**options),
            baseline="filtered-back-projection",
            baseline_options=FilteredBackProjectionOptions(),
        ),
    )
