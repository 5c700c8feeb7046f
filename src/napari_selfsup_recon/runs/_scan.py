"""From projections and what is said of the tomograph to a problem."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.core.units import is_length
from napari_selfsup_recon.physics import ct
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs.config import PhysicsChoice
from napari_selfsup_recon.runs.instruments import LABELS, Tomograph
from napari_selfsup_recon.runs.problem import Problem, empty_result

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.base import Physics

#: Names under which instruments and this package keep angles with an image.
ANGLE_KEYS = frozenset(("angles_deg", "theta_deg", "tilt_deg", "angles", "theta", "tilts"))
_MATRIX_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Geometry:
    """A beam as its operator takes it."""

    shape: tuple[int, int]
    degrees: np.ndarray[Any, np.dtype[np.float64]]
    detectors: int
    pitch: float
    axis_offset: float
    source_distance: float | None = None
    detector_distance: float | None = None
    light: float | None = None
    attenuation: float = 1.0

    def build(self) -> Physics:
        """Make the operator."""
        common: dict[str, Any] = {
            "detectors": self.detectors,
            "pitch": self.pitch,
            "axis_offset": self.axis_offset,
        }
        angles = np.deg2rad(self.degrees)
        projector: Any
        if self.source_distance is not None:
            from napari_selfsup_recon.physics.fan_beam import FanBeam

            projector = FanBeam(
                self.shape,
                angles,
                source_distance=self.source_distance,
                detector_distance=self.detector_distance or 0.0,
                **common,
            )
        else:
            from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

            projector = ParallelBeam(self.shape, angles, **common)
        if self.light is None:
            return cast("Physics", projector)
        from napari_selfsup_recon.physics.transmission import Transmission

        made: Physics = Transmission(projector, I0=self.light, attenuation=self.attenuation)
        return made


def pose_scan(choice: PhysicsChoice, measurement: Measurement, given: dict[str, Any]) -> Problem:
    """Return the problem of a scan; see :func:`napari_selfsup_recon.runs.problem.pose`."""
    scan = choice.scan or Tomograph()
    fan = _is_fan(choice.instrument, scan)
    counts = choice.instrument == "transmission"
    values, spread = _chosen_frame(measurement), _angles(scan, measurement, given)
    views = None if isinstance(spread, float) else len(spread)
    layout = ct.find_layout(values, views, scan.order)
    values, flat, dark = _chosen_slices(
        values, layout, scan, _frames("flat", scan.flat, given), _frames("dark", scan.dark, given)
    )
    if counts and flat is None and scan.air is None and scan.light is None:
        raise InputError(
            "Photon counts say nothing without the light that comes in.",
            hint="Give flat and dark fields, the columns that see air, or the light (I0).",
        )
    axis: float | Literal["auto", "middle"] = scan.axis
    if fan and axis == "auto":
        axis = "middle"
    made = ct.prepare(
        values,
        spread,
        unit=scan.unit,
        order=layout.order,
        flat=flat,
        dark=dark,
        air=scan.air,
        log={"auto": "auto", "yes": True, "no": False}[scan.log],  # type: ignore[arg-type]
        axis=axis,
        stripes=scan.stripes and not counts,
        keep_counts=counts,
        skip=tuple(step for step in choice.keep if step in ct.SKIPPABLE),
    )
    findings = [*layout.findings, *(f for f in made.findings if f.step != "layout")]
    degrees = made.degrees + (scan.start if isinstance(spread, float) else 0.0)
    if fan and scan.axis == "auto":
        findings.append(
            Finding("axis", "The axis of a fan beam is taken to meet the middle column.", "warning")
        )
    y = made.values if made.values.ndim == 3 else made.values[None]
    if float(y.min()) == float(y.max()):
        raise InputError(
            f"{measurement.name!r} is constant (every value is {float(y.flat[0]):g}).",
            hint="Choose the layer or file that holds the projections.",
        )
    columns = y.shape[-1]
    size = scan.size or (max(1, round(columns * scan.pitch)),) * 2
    light = None
    if counts:
        light = made.light if scan.light is None or flat is not None or scan.air else scan.light
    geometry = Geometry(
        shape=size,
        degrees=degrees,
        detectors=columns,
        pitch=scan.pitch,
        axis_offset=made.axis_offset,
        source_distance=scan.source_distance if fan else None,
        detector_distance=scan.detector_distance if fan else None,
        light=light,
        attenuation=scan.attenuation,
    )
    described = ct.describe_scan(degrees)
    if described.gap:
        findings.append(_missing(described))
    return Problem(
        instrument=choice.instrument,
        y=y,
        result=_result(measurement, layout, size, len(y), made.values.ndim, scan.pitch),
        facts=_facts(geometry, scan, made.axis),
        lines=(f"{LABELS[choice.instrument]}: {described}", *_light_in_words(geometry)),
        findings=tuple(findings),
        build=_builder(geometry),
        axis=made.axis,
        degrees=degrees,
        bytes_more=min(_MATRIX_BYTES, 24 * len(degrees) * math.prod(size) * 2),
    )


def rows_of(scan: Tomograph, measurement: Measurement, given: dict[str, Any]) -> int | None:
    """Return how many slices a scan holds; None for a single sinogram."""
    values, spread = _chosen_frame(measurement), _angles(scan, measurement, given)
    layout = ct.find_layout(values, None if isinstance(spread, float) else len(spread), scan.order)
    if values.ndim == 2:
        return None
    return int(values.shape[1 if layout.order == "projections" else 0])


def _builder(geometry: Geometry) -> Callable[[], Physics]:
    return geometry.build


def _is_fan(instrument: str, scan: Tomograph) -> bool:
    if instrument == "parallel-beam":
        return False
    known = scan.source_distance is not None and scan.detector_distance is not None
    if instrument == "fan-beam" and not known:
        raise InputError(
            "The distances of the fan beam are not given.",
            hint="Give the distances from the source to the axis and from there to the detector, "
            "in pixels of the result.",
        )
    return scan.source_distance is not None and known


def _chosen_frame(measurement: Measurement) -> np.ndarray[Any, Any]:
    """Return the array without axes of length 1 in front; it has two or three axes then."""
    lead = len(measurement.shape)
    data = measurement.data
    index = [0 if n == 1 and lead - i > 3 else slice(None) for i, n in enumerate(data.shape)]
    array = np.asarray(data[tuple(index)])
    if array.ndim > 3:
        raise InputError(
            f"{measurement.name!r} has {array.ndim} axes; a scan has two or three.",
            hint="Choose one time point or channel first.",
        )
    return array


def _angles(scan: Tomograph, measurement: Measurement, given: dict[str, Any]) -> Any:
    """Return the angles, as many as there are views, or the range to spread over them."""
    if given.get("angles") is not None:
        return np.asarray(given["angles"], dtype=np.float64).ravel()
    if scan.view_angles is not None:
        return np.array(scan.view_angles, dtype=np.float64)
    if scan.angles:
        from napari_selfsup_recon.io.angles import read_angles

        return read_angles(scan.angles)
    return next(
        (
            np.asarray(measurement.metadata[name], dtype=np.float64).ravel()
            for name in sorted(ANGLE_KEYS)
            if np.asarray(measurement.metadata.get(name)).ndim == 1
        ),
        float(scan.span),
    )


def _frames(what: str, path: str | None, given: dict[str, Any]) -> np.ndarray[Any, Any] | None:
    if given.get(what) is not None:
        found = given[what]
        return np.asarray(found.data if isinstance(found, Measurement) else found)
    if not path:
        return None
    from napari_selfsup_recon.io import volumes

    return np.asarray(volumes.read(path).data)


def _chosen_slices(
    values: np.ndarray[Any, Any],
    layout: ct.Layout,
    scan: Tomograph,
    flat: np.ndarray[Any, Any] | None,
    dark: np.ndarray[Any, Any] | None,
) -> tuple[Any, Any, Any]:
    """Return the chosen slices of the projections and of the fields."""
    if scan.slices is None:
        return values, flat, dark
    rows = 1 if values.ndim == 2 else values.shape[1 if layout.order == "projections" else 0]
    first, last = scan.slices
    if last > rows:
        raise InputError(
            f"There are no slices {first} to {last}: the scan has {rows}.",
            hint="Slices count from 0; the last one is excluded.",
        )
    if values.ndim == 2:
        return values, flat, dark
    chosen = slice(first, last)
    flat, dark = (
        frames[..., chosen, :] if frames is not None and frames.ndim > 1 else frames
        for frames in (flat, dark)
    )
    part = values[:, chosen] if layout.order == "projections" else values[chosen]
    return part, flat, dark


def _result(
    measurement: Measurement,
    layout: ct.Layout,
    size: tuple[int, int],
    slices: int,
    ndim: int,
    pitch: float,
) -> Measurement:
    """Return the facts of the result: its pixels are as large as the detector's over the pitch."""
    turned = layout.order == "transposed"
    across = measurement.scale[-2 if turned else -1] / pitch
    unit = measurement.units[-2 if turned else -1]
    if ndim == 2:
        return empty_result(measurement, size, scale=(across,) * 2, units=(unit,) * 2)
    row = -2 if layout.order == "projections" else -3
    height, own = measurement.scale[row], measurement.units[row]
    if not is_length(own) and is_length(unit):  # axes of slices often lack a unit
        height, own = across, unit
    return empty_result(
        measurement, (slices, *size), scale=(height, across, across), units=(own, unit, unit)
    )


def _facts(geometry: Geometry, scan: Tomograph, axis: float) -> dict[str, Any]:
    degrees = geometry.degrees
    facts: dict[str, Any] = {
        "angles_deg": [round(float(angle), 6) for angle in degrees],
        "angles_fingerprint": fingerprint(degrees),
        "axis_column": round(axis, 4),
        "axis_offset": round(geometry.axis_offset, 4),
        "shape": list(geometry.shape),
        "detectors": geometry.detectors,
        "pitch": geometry.pitch,
        "scan": scan.model_dump(mode="json", exclude_none=True, exclude={"view_angles"}),
    }
    if geometry.light is not None:
        facts |= {"light": geometry.light, "attenuation": geometry.attenuation}
    if geometry.source_distance is not None:
        facts |= {
            "source_distance": geometry.source_distance,
            "detector_distance": geometry.detector_distance,
        }
    return facts


def _missing(described: ct.Scan) -> Finding:
    end = (described.gap_start + described.gap) % 180
    return Finding(
        "wedge",
        f"Directions from {described.gap_start:.4g}° to {end:.4g}° are missing "
        f"({described.gap:.3g}°): edges along them cannot be seen.",
        "warning",
    )


def _light_in_words(geometry: Geometry) -> tuple[str, ...]:
    if geometry.light is None:
        return ()
    return (f"{geometry.light:.4g} counts without the object",)
