"""Commands of the menus and the command palette."""

from __future__ import annotations

import napari
from napari.layers import Image
from napari.utils.notifications import show_info

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.comparison import current_comparison, related
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.mode_bar import MODES
from napari_selfsup_recon.widgets.rerun import BUSY
from napari_selfsup_recon.widgets.session import Session


def compare_layers() -> None:
    """Show the selected images, or an image with its results, side by side; again: as before."""
    _compare("grid")


def draw_curtain() -> None:
    """Show the selected images, or an image with its results, over each other; again: as before."""
    _compare("curtain")


def _compare(mode: str) -> None:
    viewer = napari.current_viewer()
    if viewer is None:
        return
    open_one = current_comparison(viewer)
    if open_one is not None:
        open_one.close()
        if open_one.mode == mode:
            return
    chosen = [x for x in viewer.layers if x in viewer.layers.selection and isinstance(x, Image)]
    layers = chosen if len(chosen) > 1 else related(viewer, viewer.layers.selection.active)
    try:
        MODES[mode](viewer, layers)
    except InputError as error:
        show_info(str(error))


def copy_as_python() -> None:
    """Put what is chosen in the dock on the clipboard as a script."""
    viewer = napari.current_viewer()
    docks = () if viewer is None else getattr(viewer.window, "dock_widgets", {}).values()
    for widget in docks:
        dock = unwrap(widget)
        if isinstance(dock, ReconWidget):
            dock.script.copy()
            return
    show_info("Open the dock 'Reconstruct images' first: its choices are copied.")


def stop_and_keep() -> None:
    """Stop what is running in this viewer and keep its result."""
    viewer = napari.current_viewer()
    job = Session.of(viewer).job if viewer is not None else None
    if job is not None and not job.done:
        job.stop()
    else:
        show_info("No reconstruction is running.")


def undo_last_result() -> None:
    """Take away the layers of the last run in this viewer."""
    _take_back("undo", "There is no result to undo.")


def redo_last_result() -> None:
    """Bring back the layers that were undone last in this viewer."""
    _take_back("redo", "Nothing was undone.")


def _take_back(verb: str, nothing: str) -> None:
    viewer = napari.current_viewer()
    session = Session.of(viewer) if viewer is not None else None
    if session is not None and session.busy:
        show_info(BUSY)
    elif session is None or not getattr(session.undo, verb)():
        show_info(nothing)
