"""From what a person chose and what is in view to what is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs._scan import rows_of
from napari_selfsup_recon.runs.clean import CleanChoice, check_kind, slice_axis
from napari_selfsup_recon.runs.clean_files import glance
from napari_selfsup_recon.runs.config import PhysicsChoice, Region, RunConfig
from napari_selfsup_recon.runs.instruments import SCANS, Tomograph
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.runs.psf_channels import CHANNEL, channel_count
from napari_selfsup_recon.widgets.bridge import Source, guess_axes, labelled_axes, source_of, unwrap
from napari_selfsup_recon.widgets.choices import (
    CleanPick,
    InstrumentChoice,
    Intent,
    Part,
    PsfChoice,
    PsfKind,
)
from napari_selfsup_recon.widgets.levels import array_of, factors, first_voxel
from napari_selfsup_recon.widgets.preferences import preview_interval
from napari_selfsup_recon.widgets.recon_source import recon_source, values_of

BOX = {2: (256, 256), 3: (64, 128, 128)}
TRY = {2: (160, 160), 3: (32, 64, 64)}
# A try shall show where things go, not the best that can be reached.
_TRY_AT_MOST = {"steps": 80, "batch": 2, "ensemble": False}
_TRY_EVERY = 0.7


@dataclass(frozen=True, eq=False)
class Request:
    """What is run, on what: ready to be resolved to a plan.

    ``folder`` is where results are written; empty where they lie in memory.
    """

    source: Source
    config: RunConfig
    psf: Measurement | None = None
    given: dict[str, Any] = field(default_factory=dict)
    folder: str = ""

    def resolve(self) -> RunPlan:
        """Check everything and return the plan; see :func:`napari_selfsup_recon.runs.resolve`."""
        return resolve(self.config, self.source.measurement, psf=self.psf, given=self.given)


def make_request(intent: Intent, viewer: Any, *, attempt: bool = False) -> Request:
    """Return what ``intent`` means for what is in view.

    Parameters
    ----------
    intent
        What was chosen.
    viewer
        The viewer, whose view centre and sliders say which box, slice and frame are meant.
    attempt
        Whether it is only a quick try, on a small part and with few steps.

    Raises
    ------
    InputError
        If there is no image, or it cannot be used.
    """
    layer = _layer(intent.data.layer, "There is no image to work on.", "Open an image.")
    if intent.data.task == "reconstruct":
        return _reconstruction(layer, intent, viewer, attempt)
    source = part_of(layer, viewer, intent, attempt=attempt)
    shape = source.measurement.spatial_shape
    region: Region | None = None
    if attempt or intent.data.part is Part.BOX:
        size = (TRY if attempt else BOX)[len(shape)]
        region = box_around(view_centre(layer, viewer, source), shape, size)
    choice, channel = intent.method, channel_held(layer, source, intent.data.axes)
    config = RunConfig(
        task=intent.data.task,
        method=choice.key,
        options=_values(choice.options, intent.device, attempt=attempt),
        baseline=choice.baseline,
        baseline_options=(
            _values(choice.baseline_options, intent.device)
            if choice.baseline is not None and choice.baseline_options is not None
            else {}
        ),
        physics=physics_of(intent.psf, source.measurement, channel),
        noise=intent.noise,
        level=source.level,
        region=region,
        preview_every=_TRY_EVERY if attempt else preview_interval(),
    )
    given: dict[str, Any] = {}
    if choice.clean is not None:
        matched = getattr(choice.options, "match", "") == "on"
        chosen, given = clean_of(choice.clean, source, matched=matched)
        config = config.model_copy(update={"clean": chosen})
    psf = None
    if intent.data.task == "deconvolve" and intent.psf.kind is PsfKind.LAYER:
        psf = psf_of(intent.psf, len(shape), channels_of(source.measurement, channel))
    return Request(source, config, psf, given, "" if attempt else intent.folder)


def clean_of(
    pick: CleanPick, source: Source, *, matched: bool = False
) -> tuple[CleanChoice, dict[str, Any]]:
    """Return the clean examples that were picked: how a run is told of them, and their values.

    ``matched`` says whether other grey values are welcome.

    Raises
    ------
    InputError
        If there are none, they are the noisy image itself, or of another kind.
    FileError
        If they are in a file that cannot be read.
    """
    if pick.path:
        _, first = glance(pick.path)
        path = getattr(getattr(source.layer(), "source", None), "path", None)
        if path is not None and Path(path).absolute() == Path(pick.path):
            raise _same()
        check_kind(first, source.measurement, matched=matched)
        return CleanChoice(source="file", path=pick.path), {}
    layer = pick.layer() if pick.layer is not None else None
    if layer is not None:
        if layer is source.layer():
            raise _same()
        return CleanChoice(source="array"), {"clean": source_of(layer).measurement}
    if pick.kind == "average":
        return CleanChoice(source="average", average=pick.average), {}
    if pick.kind == "denoised":
        return CleanChoice(source="denoised"), {}
    ends = [part.strip() for part in pick.slices.split(":")]
    if len(ends) != 2 or not all(part.isdecimal() for part in ends):
        raise InputError(
            "This method learns from clean examples, too.",
            hint="Choose a layer or file of clean images, or the clean slices of this one "
            "(first:last); "
            "if none are clean, averages of neighbours or a denoised copy.",
        )
    return CleanChoice(source="slices", slices=(int(ends[0]), int(ends[1]))), {}


def _same() -> InputError:
    return InputError(
        "The clean examples are the noisy image itself.",
        hint="Choose another one, or say which slices of it are clean.",
    )


def _reconstruction(layer: Layer, intent: Intent, viewer: Any, attempt: bool) -> Request:
    choice, method = intent.instrument, intent.method
    source = recon_source(layer, choice.kind, index=view_index(layer, viewer))
    physics = instrument_of(choice)
    if attempt and choice.kind in SCANS:
        most = int(getattr(method.options, "slab", 1))
        scan = one_slice(choice.scan, source.measurement, most)
        physics = physics.model_copy(update={"scan": scan})
    config = RunConfig(
        task="reconstruct",
        method=method.key,
        options=_values(method.options, intent.device, attempt=attempt),
        baseline=method.baseline,
        baseline_options=(
            _values(method.baseline_options, intent.device)
            if method.baseline is not None and method.baseline_options is not None
            else {}
        ),
        physics=physics,
        noise=intent.noise,
        trust=method.trust and not attempt,
        preview_every=_TRY_EVERY if attempt else preview_interval(),
    )
    return Request(source, config, given=given_of(choice))


def instrument_of(choice: InstrumentChoice) -> PhysicsChoice:
    """Return the physics part of a reconstruction."""
    scans = choice.kind in SCANS
    sampling = choice.sampling
    if choice.mask is not None and choice.mask() is not None:
        sampling = sampling.model_copy(update={"mask": "array"})
    return PhysicsChoice(
        instrument=choice.kind,
        scan=choice.scan if scans else None,
        sampling=None if scans else sampling,
        keep=choice.keep if scans else (),
    )


def given_of(choice: InstrumentChoice) -> dict[str, Any]:
    """Return the values of the layers that belong to the instrument."""
    names = ("flat", "dark") if choice.kind in SCANS else ("mask",)
    found = {name: values_of(getattr(choice, name)) for name in names}
    return {name: values for name, values in found.items() if values is not None}


def few_slices(request: Request, most: int = 3) -> RunConfig:
    """Return the run on no more slices than are needed to know what the measurement is."""
    config = request.config
    if config.physics.instrument not in SCANS:
        return config
    scan = one_slice(config.physics.scan or Tomograph(), request.source.measurement, most)
    return config.model_copy(update={"physics": config.physics.model_copy(update={"scan": scan})})


def one_slice(scan: Tomograph, measurement: Measurement, most: int = 1) -> Tomograph:
    """Return the scan with only its middle slices, for what shall be quick."""
    rows = rows_of(scan, measurement, {})
    if rows is None:
        return scan
    first, last = scan.slices or (0, rows)
    start = max(0, min((first + last) // 2 - most // 2, rows - most))
    return scan.model_copy(update={"slices": (start, min(start + most, rows))})


def part_of(layer: Layer, viewer: Any, intent: Intent, *, attempt: bool = False) -> Source:
    """Return the frames of the layer that are worked on."""
    axes, level = intent.data.axes or None, intent.data.level
    source = source_of(layer, axes=axes, level=level)
    names = source.measurement.axes
    part = Part.FRAME if attempt and intent.data.part is not Part.SLICE else intent.data.part
    lead = len(source.measurement.leading_shape)
    shown = view_index(layer, viewer, level)
    fixed = {
        axis: shown[axis]
        for axis, name in enumerate(names)
        if part is not Part.WHOLE and (axis < lead or (name == "z" and part is Part.SLICE))
    }
    return source_of(layer, axes=names, fixed=fixed, level=level) if fixed else source


def view_index(layer: Layer, viewer: Any, level: int = 0) -> tuple[int, ...]:
    """Return the voxel of the layer, or of a level of it, in the middle of the view."""
    viewer = unwrap(viewer)
    point = list(viewer.dims.point)
    scene = getattr(viewer, "scene", viewer)  # napari before 0.9 has the camera on the viewer
    centre = scene.camera.center
    shown = viewer.dims.displayed
    for position, dim in enumerate(shown):
        point[dim] = centre[len(centre) - len(shown) + position]
    finest = np.array(layer.world_to_data(point[len(point) - layer.ndim :]))
    voxel = np.round((finest - first_voxel(layer, level)) / factors(layer, level)).astype(int)
    shape = array_of(layer, level).shape
    return tuple(int(np.clip(v, 0, n - 1)) for v, n in zip(voxel, shape, strict=True))


def slice_shown(layer: Layer, viewer: Any, axes: Sequence[str] = (), level: int = 0) -> int:
    """Return which slice is in view, along z or the first other axis of images.

    Raises
    ------
    InputError
        If the layer cannot be used, or is a single image.
    """
    measurement = source_of(layer, axes=axes or None, level=level).measurement
    axis = slice_axis(measurement)
    return view_index(layer, viewer, level)[axis]


def view_centre(layer: Layer, viewer: Any, source: Source) -> tuple[int, ...]:
    """Return :func:`view_index` along the spatial axes of the measurement."""
    voxel = view_index(layer, viewer, source.level)
    free = [v for v, held in zip(voxel, source.fixed, strict=True) if held is None]
    return tuple(free[len(free) - source.measurement.spatial_ndim :])


def box_around(centre: Sequence[int], shape: Sequence[int], size: Sequence[int]) -> Region:
    """Return a box of ``size`` around ``centre``, moved and shrunk to lie in ``shape``."""
    edges = []
    for c, n, wanted in zip(centre, shape, size, strict=True):
        extent = min(n, wanted)
        start = int(np.clip(c - extent // 2, 0, n - extent))
        edges.append((start, start + extent))
    return tuple(edges)


def channel_held(layer: Layer, source: Source, axes: Sequence[str] = ()) -> tuple[int, int] | None:
    """Return which channel of how many is worked on; None where all are, or there are none."""
    names = tuple(axes) or guess_axes(layer)
    axis = names.index(CHANNEL) if CHANNEL in names else None
    held = None if axis is None else source.fixed[axis]
    return None if axis is None or held is None else (held, _length(layer, axis))


def channels_of(measurement: Measurement, held: tuple[int, int] | None) -> int:
    """Return how many channels an image has, or had before one was taken; 0 where none."""
    return channel_count(measurement) or (held[1] if held is not None else 0)


def physics_of(
    choice: PsfChoice, measurement: Measurement, channel: tuple[int, int] | None = None
) -> PhysicsChoice:
    """Return the physics part of a run.

    Parameters
    ----------
    choice
        What was chosen.
    measurement
        What is worked on.
    channel
        Which channel of how many that is, if it is a single one of several.
    """
    kinds = {
        PsfKind.GAUSSIAN: "gaussian",
        PsfKind.THEORY: "theory",
        PsfKind.LAYER: "array",
        PsfKind.FILE: "file",
    }
    recorded = choice.kind in (PsfKind.LAYER, PsfKind.FILE)
    lateral, axial = choice.lateral, choice.axial
    fwhm = (axial, lateral, lateral)[3 - measurement.spatial_ndim :]
    return choice.physics.model_copy(
        update={
            "psf": kinds[choice.kind],
            "path": paths_of(choice.path) if choice.kind is PsfKind.FILE else None,
            "wavelengths": choice.physics.wavelengths if choice.kind is PsfKind.THEORY else None,
            "channel": channel,
            "fwhm": fwhm if choice.kind is PsfKind.GAUSSIAN and all(fwhm) else None,
            "microscope": choice.microscope if choice.kind is PsfKind.THEORY else None,
            "keep": choice.keep if recorded else (),
        }
    )


def paths_of(text: str) -> str | tuple[str, ...] | None:
    """Return the files that a line names: none, one, or several with semicolons between them."""
    paths = tuple(part.strip() for part in text.split(";") if part.strip())
    return paths if len(paths) > 1 else next(iter(paths), None)


def psf_of(choice: PsfChoice, ndim: int, channels: int = 0) -> Measurement:
    """Return the PSF that a layer holds, or one for each channel.

    Parameters
    ----------
    choice
        Names the layer.
    ndim
        Spatial axes of the image; of a 3D PSF for a single slice its brightest plane is taken.
    channels
        How many channels the image has. A layer without labels that holds as many images or volumes
        has a PSF for each; one with a label for channels always has.
    """
    layer = _layer(choice.layer, "No PSF is chosen.", "Choose the layer that holds it.")
    axes = labelled_axes(layer)
    if axes is None and layer.ndim == ndim + 1 and 1 < channels == _length(layer, 0):
        axes = (CHANNEL, *"zyx"[3 - ndim :])
    if axes is None or CHANNEL not in axes:
        axes = tuple("zyx"[3 - layer.ndim :]) if layer.ndim <= 3 else None
    measurement = source_of(layer, axes=axes).measurement
    if ndim == 2 and measurement.spatial_ndim == 3 and measurement.spatial_shape[0] > 1:
        across = measurement.axes.index("z")
        others = tuple(n for n in range(layer.ndim) if n != across)
        sharpest = int(np.argmax(np.asarray(measurement.data).max(axis=others)))
        return source_of(layer, axes=measurement.axes, fixed={across: sharpest}).measurement
    return measurement


def _layer(reference: Any, missing: str, hint: str) -> Layer:
    layer = reference() if reference is not None else None
    if layer is None:
        raise InputError(missing, hint=hint)
    return layer


def _values(options: Options, device: str, *, attempt: bool = False) -> dict[str, Any]:
    """Return what differs from the defaults."""
    values = options.model_dump(exclude_defaults=True)
    if "device" in type(options).model_fields and device != "auto":
        values["device"] = device
    if attempt:
        chosen = options.model_dump()
        values |= {
            key: min(chosen[key], most) for key, most in _TRY_AT_MOST.items() if key in chosen
        }
    return values


def _length(layer: Layer, axis: int) -> int:
    data = layer.data[0] if layer.multiscale else layer.data
    return int(data.shape[axis])
