"""Runs as folders: what of a viewer goes into one, and the layers that come out of it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Generator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer

from napari_selfsup_recon.core.errors import FileError, InputError, ReconError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.io.curves import Mark, curves_text, read_curves
from napari_selfsup_recon.io.saved_runs import (
    SavedLayer,
    SavedRun,
    check_run_path,
    file_name,
    json_safe,
    read_layer,
    read_run,
    same_in_file,
    write_run,
)
from napari_selfsup_recon.runs.kept import Kept
from napari_selfsup_recon.widgets import companions, reblur
from napari_selfsup_recon.widgets.bridge import (
    origin_of,
    remember_origin,
    unique_name,
    unwrap,
)
from napari_selfsup_recon.widgets.model_files import load_run, sound
from napari_selfsup_recon.widgets.rerun import config_for
from napari_selfsup_recon.widgets.run_log import Run, thumbnail
from napari_selfsup_recon.widgets.saved_layers import (
    describe_layer,
    image_of,
    limits,
    measurement_of,
    outside,
    path_of,
)
from napari_selfsup_recon.widgets.session import Session

RESULT, INPUT, CURVES = "result", "input", "curves.csv"
# An image that was read from nowhere is copied, unless it is larger than that.
MOST_COPIED = 2 * 2**30


@dataclass(frozen=True, eq=False)
class Gathered:
    """What of a run is written: taken from layers in the thread of the window.

    Attributes
    ----------
    run
        Without the layers.
    layers
        Each with its values and the file that it was read from, if any.
    models
        Trained networks.
    config
        As TOML, empty where it is not known.
    curves
        Loss and held-out score of each step.
    notes
        Sentences on what is left out.
    """

    run: SavedRun
    layers: tuple[tuple[SavedLayer, Any, Path | None], ...]
    models: tuple[Kept, ...]
    config: str
    curves: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Opened:
    """What was read of a folder, before it is shown.

    Attributes
    ----------
    run
        What the folder tells.
    images
        Values by the number of their layer in ``run.layers``.
    models
        Trained networks.
    curves
        Loss and held-out score of each step.
    notes
        Sentences on what is missing.
    """

    run: SavedRun
    images: dict[int, Any]
    models: tuple[Kept, ...]
    curves: tuple[Mark, ...]
    notes: list[str] = field(default_factory=list)


def gather(run: Run) -> Gathered:
    """Return what is written of a run; call it in the thread of the window.

    Raises
    ------
    InputError
        If the layer of the run was removed.
    """
    result = run.layer() if run.layer is not None else None
    if not isinstance(result, Image):
        raise InputError(
            f"{run.name!r} has no layer any more.",
            hint="Save its model instead, or bring the layer back.",
        )
    found = [(RESULT, result), *companions.named(result)]
    origin = origin_of(result)
    notes: tuple[str, ...] = ()
    if isinstance(origin, Image) and not origin.multiscale:
        found.append((INPUT, origin))
    elif origin is not None:
        notes = (f"{origin.name!r} has several resolutions; it is left out.",)
    config = _config(run)
    return Gathered(
        SavedRun.model_construct(
            name=str(result.name),
            story=json_safe(run.story),
            config={} if config is None else config.model_dump(mode="json"),
            layers=(),
            models=(),
        ),
        tuple((describe_layer(role, layer), layer.data, path_of(layer)) for role, layer in found),
        run.models,
        "" if config is None else config.to_toml(),
        run.curves,
        notes,
    )


def save_folder(
    gathered: Gathered, path: Path, *, overwrite: bool = False
) -> Generator[str, None, tuple[Path, list[str]]]:
    """Write what was gathered; returns the folder, and what was left out.

    Raises
    ------
    FileError
        See :func:`~napari_selfsup_recon.io.saved_runs.write_run`.
    """
    target = check_run_path(path, overwrite=overwrite)
    layers, images, notes = [], {}, list(gathered.notes)
    for layer, data, origin in gathered.layers:
        measurement = measurement_of(layer, data)
        size = prod(measurement.shape) * measurement.dtype.itemsize
        where: dict[str, Any] = {"file": file_name(layer.role, measurement)}
        if layer.role == INPUT:
            yield f"Looking at {layer.name}"
            if origin is not None and same_in_file(origin, data):
                where = outside(origin, target) | {"fingerprint": fingerprint(data)}
            elif size > MOST_COPIED:
                notes.append(f"{layer.name!r} is too large to be copied; it is left out.")
                continue
        if where.get("file"):
            images[where["file"]] = measurement
        layers.append(layer.model_copy(update=where))
    many = len(gathered.models) > 1
    names = tuple(f"model_{n}.nsr" if many else "model.nsr" for n in range(len(gathered.models)))
    run = gathered.run.model_copy(update={"layers": tuple(layers), "models": names})
    methods = [kept.method() for kept in gathered.models]
    texts = {"run.toml": gathered.config} if gathered.config else {}
    if gathered.curves:
        texts[CURVES] = curves_text(gathered.curves)
    made = yield from write_run(path, run, images, methods, texts=texts, overwrite=overwrite)
    return made, notes


def open_folder(path: Path) -> Generator[str, None, Opened]:
    """Read a folder; made for the thread of a background.

    Raises
    ------
    FileError
        If it is no saved run, or damaged.
    """
    folder, run = read_run(path)
    images, notes = {}, []
    for number, layer in enumerate(run.layers):
        yield f"Reading {layer.name}"
        data, why = read_layer(folder, layer)
        if data is not None:
            images[number] = data
        else:
            notes.append(why)
    models: list[Kept] = []
    for name in run.models:
        try:
            models += (yield from load_run(folder / name)).models
        except FileError as error:
            raise FileError(f"The folder is incomplete. {error.message}", hint=error.hint) from None
    curves: list[Mark] = []
    try:
        table = folder / CURVES
        curves = read_curves(table) if table.is_file() else []
    except FileError as error:
        notes.append(error.message)
    return Opened(run, images, tuple(models), tuple(curves), notes)


def show(viewer: Any, opened: Opened) -> Run:
    """Add the layers of a folder to the viewer and the run to its list.

    Raises
    ------
    FileError
        If the folder holds no result, or its layers cannot be shown.
    """
    viewer, saved = unwrap(viewer), opened.run
    roles = {layer.role: number for number, layer in enumerate(saved.layers)}
    if RESULT not in roles or roles[RESULT] not in opened.images:
        raise FileError(f"{saved.name!r} has no result.", hint="Save the run again.")
    made: dict[str, Image] = {}
    # What it was made from comes first, so that the result lies over it.
    for number, layer in sorted(enumerate(saved.layers), key=lambda pair: pair[1].role != INPUT):
        if number in opened.images and layer.role not in made:
            made[layer.role] = image_of(layer, opened.images[number])
    for layer in made.values():
        layer.name = unique_name(layer.name, [other.name for other in viewer.layers])
        viewer.layers.append(layer)
    origin, result = made.get(INPUT), made[RESULT]
    for role, layer in made.items():
        if role != INPUT:
            remember_origin(layer, origin)
        if role not in (INPUT, RESULT):
            companions.remember(result, role, layer)
    run = Run(
        name=str(result.name),
        story=sound(saved.story | ({"run": saved.config} if saved.config else {})),
        models=opened.models,
        thumbnail=thumbnail(
            measurement_of(describe_layer(RESULT, result), result.data), limits(result)
        ),
        layer=weakref.ref(result),
        curves=opened.curves,
    )
    boundary = _boundary(run)
    if boundary:
        psfs = [model.psf for model in run.models if model.psf is not None]
        reblur.remember_blur(result, psfs, boundary)
    return Session.of(viewer).log.add(run)


def save_run(
    viewer: Any, layer: Layer, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Save the run that made ``layer``: its images, models, options and history, as a folder.

    Parameters
    ----------
    viewer
        The napari viewer.
    layer
        A result of this viewer.
    path
        The folder to make.
    overwrite
        Whether a saved run of that name may be replaced.

    Raises
    ------
    InputError
        If the layer is no result of this viewer.
    FileError
        If the folder cannot be written.
    """
    layer = unwrap(layer)
    runs = [run for run in Session.of(viewer).log.runs if run.layer and run.layer() is layer]
    if not runs:
        raise InputError(
            f"{layer.name!r} was not made in this viewer.", hint="Choose the layer of a result."
        )
    made, _ = exhaust(save_folder(gather(runs[0]), Path(path).expanduser(), overwrite=overwrite))
    assert isinstance(made, Path)
    return made


def open_run(viewer: Any, path: str | os.PathLike[str]) -> list[Image]:
    """Add the layers of a saved run to the viewer, and the run to its list.

    Parameters
    ----------
    viewer
        The napari viewer.
    path
        A folder that :func:`save_run` or the dock made.

    Returns
    -------
    list of Image
        The result first, then its companions; what it was made from last, if it is still there.

    Raises
    ------
    FileError
        If the folder is no saved run, or damaged.
    """
    run = show(viewer, exhaust(open_folder(Path(path).expanduser())))
    result = run.layer() if run.layer is not None else None
    assert isinstance(result, Image)
    origin = origin_of(result)
    made = [result, *companions.all_of(result)]
    return [*made, origin] if isinstance(origin, Image) else made


def _config(run: Run) -> Any:
    try:
        return config_for(run) if run.models or run.again or "run" in run.story else None
    except ReconError:
        return None


def _boundary(run: Run) -> Any:
    """Return what lies beyond the edge of a blurred image; empty where that is not known."""
    config = _config(run)
    if config is None or config.task == "reconstruct" or not run.models:
        return ""
    return config.physics.boundary
