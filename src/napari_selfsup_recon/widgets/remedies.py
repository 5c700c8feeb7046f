"""What can be done about a problem: the buttons of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_selfsup_recon.core.errors import OutOfMemoryError, UnstableTrainingError
from napari_selfsup_recon.widgets.bridge import unique_name, unwrap
from napari_selfsup_recon.widgets.choices import Part
from napari_selfsup_recon.widgets.message import Action

if TYPE_CHECKING:
    from napari_selfsup_recon.widgets.batch_job import BatchJob
    from napari_selfsup_recon.widgets.dock import ReconWidget
    from napari_selfsup_recon.widgets.job import Job

# The weights of red, green and blue in the luminance of BT.709.
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def sample_actions(viewer: Any) -> list[Action]:
    """Return buttons that open generated images."""

    def opener(name: str) -> Any:
        return lambda: unwrap(viewer).open_sample("napari-selfsup-recon", name)

    return [
        ("Blurred beads 3D", "Opens a generated volume with its PSF.", opener("beads_3d")),
        ("Cells 2D", "Opens a generated image with its PSF.", opener("cells_2d")),
        ("Sparse CT", "Opens generated sinograms with few views.", opener("sparse_ct")),
    ]


def disk_actions(dock: ReconWidget) -> list[Action]:
    """Return the button that helps where results are larger than the memory."""
    tip = "Asks for a folder, into which results are written frame by frame as OME-Zarr."
    return [("Write to disk ...", tip, dock.run_card.place.ask)]


def remedies(dock: ReconWidget, job: Job | BatchJob | None) -> list[Action]:
    """Return what helps with the problem of ``job``, or of the chosen image."""
    layer = dock.data.image.layer
    if job is None:
        if isinstance(layer, Image) and layer.rgb:
            tip = "Adds a grey-scale layer made from this one and chooses it."
            return [("Use luminance", tip, lambda: use_luminance(dock))]
        return []
    actions: list[Action] = []
    if isinstance(job.error, OutOfMemoryError):
        if dock.run_card.device.value() != "cpu":
            actions.append(("Use the CPU", "Slower, with more memory.", lambda: use_cpu(dock)))
        actions.append(
            ("Smaller part", "Works on a box around the centre of the view.", lambda: use_box(dock))
        )
    if isinstance(job.error, UnstableTrainingError) and "learning_rate" in dock.method.form.editors:
        tip = "Starts again with half the learning rate."
        actions.append(("Retry, slower", tip, lambda: retry_slower(dock)))
    if job.details:
        tip = "Copies what a report of a bug needs."
        actions.append(("Copy details", tip, lambda: copy(job.details)))
    return actions


def use_luminance(dock: ReconWidget) -> None:
    """Add the luminance of the chosen RGB layer and choose it."""
    layer = dock.data.image.layer
    if not isinstance(layer, Image) or not layer.rgb:
        return
    viewer = dock.session.viewer
    grey = Image(
        np.asarray(layer.data)[..., :3] @ np.array(_LUMINANCE, dtype=np.float32),
        name=unique_name(f"{layer.name} luminance", [x.name for x in viewer.layers]),
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        affine=layer.affine,
        units=layer.units,
    )
    viewer.layers.append(grey)
    dock.data.image.choose(grey)
    dock.data.image.chosen.emit()


def use_cpu(dock: ReconWidget) -> None:
    """Run again on the CPU."""
    dock.run_card.device.setValue("cpu")
    dock.start()


def use_box(dock: ReconWidget) -> None:
    """Choose the box around the centre of the view; the person starts it."""
    part = dock.data.part
    part.setCurrentIndex([part.itemData(i) for i in range(part.count())].index(Part.BOX))
    dock.data.valueChanged.emit()


def retry_slower(dock: ReconWidget) -> None:
    """Run again with half the learning rate."""
    options = dock.method.form.value()
    rate = options.model_dump()["learning_rate"] / 2
    dock.method.form.setValue(options.model_copy(update={"learning_rate": rate}))
    dock.start()


def copy(text: str) -> None:
    """Put ``text`` on the clipboard."""
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
