"""From what a person chose and what is in view to what is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs._scan import rows_of
from napari_selfsup_recon.runs.clean import CleanChoice, slice_axis
from napari_selfsup_recon.runs.config import PhysicsChoice, Region, RunConfig
from napari_selfsup_recon.runs.instruments import SCANS, Tomograph
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.widgets.bridge import Source, source_of, unwrap
from napari_selfsup_recon.widgets.choices import (
    CleanPick,
    InstrumentChoice,
    Intent,
    Part,
    PsfChoice,
    PsfKind,
)
from napari_selfsup_recon.widgets.preferences import preview_interval
from napari_selfsup_recon.widgets.recon_source import recon_source, values_of

BOX = {2: (256, 256), 3: (64, 128, 128)}
TRY = {2: (160, 160), 3: (32, 64, 64)}
# A try shall show where things go, not the best that can be reached.
_TRY_AT_MOST = {"steps": 80, "batch": 2, "ensemble": False}
_TRY_EVERY = 0.7


@dataclass(frozen=True, eq=False)
class Request:
    """What is run, on what: ready to be resolved to a plan."""

    source: Source
    config: RunConfig
    psf: Measurement | None = None
    given: dict[str, Any] = field(default_factory=dict)

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
    choice = intent.method
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
        physics=physics_of(intent.psf, source.measurement),
        noise=intent.noise,
        region=region,
        preview_every=_TRY_EVERY if attempt else preview_interval(),
    )
    given: dict[str, Any] = {}
    if choice.clean is not None:
        chosen, given = clean_of(choice.clean, source)
        config = config.model_copy(update={"clean": chosen})
    psf = None
    if intent.data.task == "deconvolve" and intent.psf.kind is PsfKind.LAYER:
        psf = psf_of(intent.psf, source.measurement.spatial_ndim)
    return Request(source, config, psf, given)


def clean_of(pick: CleanPick, source: Source) -> tuple[CleanChoice, dict[str, Any]]:
    """Return the clean examples that were picked: how a run is told of them, and their values.

    Raises
    ------
    InputError
        If there are none, or they are the noisy image itself.
    """
    layer = pick.layer() if pick.layer is not None else None
    if layer is not None:
        if layer is source.layer():
            raise InputError(
                "The clean examples are the noisy image itself.",
                hint="Choose another layer, or say which slices of it are clean.",
            )
        return CleanChoice(source="array"), {"clean": source_of(layer).measurement}
    if pick.kind == "average":
        return CleanChoice(source="average", average=pick.average), {}
    if pick.kind == "denoised":
        return CleanChoice(source="denoised"), {}
    ends = [part.strip() for part in pick.slices.split(":")]
    if len(ends) != 2 or not all(part.isdecimal() for part in ends):
        raise InputError(
            "This method learns from clean examples, too.",
            hint="Choose a layer of clean images, or the clean slices of this one (first:last); "
            "if none are clean, averages of neighbours or a denoised copy.",
        )
    return CleanChoice(source="slices", slices=(int(ends[0]), int(ends[1]))), {}


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
    axes = intent.data.axes or None
    source = source_of(layer, axes=axes)
    names = source.measurement.axes
    part = Part.FRAME if attempt and intent.data.part is not Part.SLICE else intent.data.part
    lead = len(source.measurement.leading_shape)
    shown = view_index(layer, viewer)
    fixed = {
        axis: shown[axis]
        for axis, name in enumerate(names)
        if part is not Part.WHOLE and (axis < lead or (name == "z" and part is Part.SLICE))
    }
    return source_of(layer, axes=names, fixed=fixed) if fixed else source


def view_index(layer: Layer, viewer: Any) -> tuple[int, ...]:
    """Return the voxel of the layer in the middle of the view."""
    viewer = unwrap(viewer)
    point = list(viewer.dims.point)
    scene = getattr(viewer, "scene", viewer)  # napari before 0.9 has the camera on the viewer
    centre = scene.camera.center
    shown = viewer.dims.displayed
    for position, dim in enumerate(shown):
        point[dim] = centre[len(centre) - len(shown) + position]
    voxel = np.round(layer.world_to_data(point[len(point) - layer.ndim :])).astype(int)
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return tuple(int(np.clip(v, 0, n - 1)) for v, n in zip(voxel, shape, strict=True))


def slice_shown(layer: Layer, viewer: Any, axes: Sequence[str] = ()) -> int:
    """Return which slice is in view, along z or the first other axis of images.

    Raises
    ------
    InputError
        If the layer cannot be used, or is a single image.
    """
    measurement = source_of(layer, axes=axes or None).measurement
    axis = slice_axis(measurement)
    return view_index(layer, viewer)[axis]


def view_centre(layer: Layer, viewer: Any, source: Source) -> tuple[int, ...]:
    """Return :func:`view_index` along the spatial axes of the measurement."""
    voxel = view_index(layer, viewer)
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


def physics_of(choice: PsfChoice, measurement: Measurement) -> PhysicsChoice:
    """Return the physics part of a run."""
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
            "path": choice.path or None if choice.kind is PsfKind.FILE else None,
            "fwhm": fwhm if choice.kind is PsfKind.GAUSSIAN and all(fwhm) else None,
            "microscope": choice.microscope if choice.kind is PsfKind.THEORY else None,
            "keep": choice.keep if recorded else (),
        }
    )


def psf_of(choice: PsfChoice, ndim: int) -> Measurement:
    """Return the PSF that a layer holds; of a 3D PSF for a single slice its brightest plane."""
    layer = _layer(choice.layer, "No PSF is chosen.", "Choose the layer that holds it.")
    source = source_of(layer, axes="zyx"[3 - layer.ndim :] if layer.ndim <= 3 else None)
    measurement = source.measurement
    if ndim == 2 and len(measurement.shape) == 3 and measurement.shape[0] > 1:
        planes = np.asarray(measurement.data)
        sharpest = int(np.argmax(planes.max(axis=(1, 2))))
        return source_of(layer, axes=measurement.axes, fixed={0: sharpest}).measurement
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
