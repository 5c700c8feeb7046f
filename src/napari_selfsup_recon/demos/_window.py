"""Windows of the demos."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import napari

    from napari_selfsup_recon.widgets.dock import ReconWidget

PLUGIN = "napari-selfsup-recon"
DOCK = "Reconstruct images"


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
        Of a function in :mod:`napari_selfsup_recon.demos.samples`.
    options
        Options of the learned method (SSI, of a scan EI, with clean examples ISCL) that differ from
        the defaults.
    viewer
        Where; a new one if None.
    """
    import napari

    from napari_selfsup_recon.demos._intents import intent_of

    viewer = napari.Viewer(title=f"Demo: {name}") if viewer is None else viewer
    viewer.open_sample(PLUGIN, name)
    image = viewer.layers[name]
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    dock.setValue(intent_of(image, {layer.name: layer for layer in viewer.layers}, options))
    dock.refresh()
    viewer.layers.selection.active = image
    return viewer, dock
